/* SPDX-License-Identifier: MIT */
#include "pipeline/pipeline.h"

#include "base/log.h"
#include "pipeline/shutdown.h"
#include "pipeline/receive.h"
#include "pipeline/look.h"
#include "pipeline/memory.h"
#include "pipeline/reload.h"
#include "pipeline/seal.h"

static void on_ready(struct pipeline *p, int64_t now)
{
    p->move_at = INT64_MAX;
    for (uint32_t i = 0; i < p->source_count; i++)
        if (p->phase == PIPELINE_RUNNING)
            source_connected(&p->sources[i], &p->connection.client, now);
    watch_connected(&p->watch);
}

static void on_lost(struct pipeline *p, int64_t now)
{
    for (uint32_t i = 0; i < p->source_count; i++)
        source_lost(&p->sources[i]);
    acker_restart(&p->acker);
    receive_unconfirmed(p, now);
    watch_lost(&p->watch, p->connection.address, now);
}

static void on_reply(struct pipeline *p, const struct nats_event *event, int64_t now)
{
    if (acker_reply(&p->acker, event, now)) {
        for (uint32_t i = 0; i < p->source_count && p->once; i++)
            source_poll_soon(&p->sources[i], now);
        return;
    }
    if (receive_confirmation(p, event, now) || alerts_reply(&p->watch.alerts, event, now))
        return;
    for (uint32_t i = 0; i < p->source_count; i++)
        if (source_reply(&p->sources[i], &p->connection.client, event, now))
            return;
}

static void on_event(struct pipeline *p, const struct nats_event *event, int64_t now)
{
    switch (event->kind) {
    case NATS_EVENT_READY:
        on_ready(p, now);
        break;
    case NATS_EVENT_MESSAGE:
        receive_message(p, event->owner, event, now);
        break;
    case NATS_EVENT_STATUS:
        source_status(event->owner, &p->connection.client, event, now);
        break;
    case NATS_EVENT_REPLY:
        on_reply(p, event, now);
        break;
    case NATS_EVENT_LAME_DUCK:
        log_message(LOG_WARNING, "lame_duck", "%s is about to close", p->connection.address);
        p->move_at = now + PIPELINE_LAME_GRACE;
        break;
    case NATS_EVENT_START_TLS: /* not offered: connection.c never asks for TLS */
    case NATS_EVENT_PLAIN:
    case NATS_EVENT_SERVER_ERROR:
    case NATS_EVENT_INFO:
        break;
    }
}

static void serve_network(struct pipeline *p, bool ready, int64_t now)
{
    struct nats_event event;
    connection_turn(&p->connection, ready, now);
    while (connection_next(&p->connection, now, &event))
        on_event(p, &event, now);
    nats_client_trim(&p->connection.client);
    if (now >= p->move_at) {
        p->move_at = INT64_MAX;
        if (p->connection.pool.count > 1)
            connection_drop(&p->connection, "the server is a lame duck", now);
    }
}

static void look_at_disk(struct pipeline *p, int64_t now)
{
    if (now >= p->next_disk) {
        space_ask(p->space);
        p->next_disk = now + FLOW_DISK_INTERVAL;
    }
    p->disk_free = space_bytes(p->space);
}

static void log_pauses(uint32_t before, uint32_t after)
{
    for (int i = 0; i < FLOW_PAUSES; i++) {
        uint32_t bit = 1u << i;
        if ((before & bit) == (after & bit))
            continue;
        /* Short ones are how the queue works. */
        bool serious = i == FLOW_DISK_LOW;
        log_message(serious ? LOG_WARNING : LOG_DEBUG, (after & bit) != 0 ? "paused" : "resumed",
                    "%s", flow_pause_name((enum flow_pause)i));
    }
}

static struct flow_state flow_of(struct pipeline *p)
{
    struct flow_state state = {
        .epochs = p->epochs.sealed_count,
        .failing = p->trouble.failing,
        .empty = epochs_is_empty(&p->epochs),
        .queued = store_writer_queued(p->writer),
        .memory = memory_held(p),
        .expansion = store_writer_expansion(p->writer),
        .memory_limit = p->memory_limit,
        .disk_free = p->disk_free,
        .min_free = p->config->output.min_free,
    };
    for (uint32_t i = 0; i < p->source_count; i++)
        state.oversize += p->sources[i].pull.oversize;
    return state;
}

static void control_flow(struct pipeline *p, int64_t now)
{
    struct flow_state state = flow_of(p);
    if (flow_must_seal(&state)) {
        seal_seal(p, EPOCH_MEMORY, now);
        state = flow_of(p);
    }
    uint32_t pauses = flow_pauses(&state);
    log_pauses(p->pauses, pauses);
    p->pauses = pauses;
    uint64_t share = flow_pull_bytes(&state) / p->source_count;
    for (uint32_t i = 0; i < p->source_count; i++) {
        nats_pull_pause(&p->sources[i].pull, pauses != 0 || p->move_at != INT64_MAX);
        source_limit_pull(&p->sources[i], share);
    }
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_deadline(struct pipeline *p)
{
    int64_t deadline = earliest(p->network_at, p->watch_at);
    if (connection_is_ready(&p->connection) && p->connection.client.out.len == 0)
        deadline = earliest(deadline, p->acks_at);
    deadline = earliest(deadline, p->move_at);
    if (p->phase == PIPELINE_RUNNING) {
        deadline = earliest(deadline, p->next_disk);
        if (p->epochs.sealed_count < FLOW_EPOCHS_MAX)
            deadline = earliest(deadline, epochs_deadline(&p->epochs));
        deadline = earliest(deadline, p->sources_at);
    }
    if (p->phase == PIPELINE_ACKING)
        deadline = earliest(deadline, p->ack_deadline);
    return deadline;
}

static void tick_sources(struct pipeline *p, int64_t now)
{
    p->sources_at = INT64_MAX;
    for (uint32_t i = 0; i < p->source_count && connection_is_ready(&p->connection); i++)
        p->sources_at =
            earliest(p->sources_at, source_tick(&p->sources[i], &p->connection.client, now));
}

static void take_requests(struct pipeline *p, int64_t now)
{
    if (p->reload_asked)
        reload_apply(p);
    if (p->stop_asked)
        shutdown_begin(p, EPOCH_STOP, now);
    p->reload_asked = false;
    p->stop_asked = false;
}

size_t pipeline_waits(struct pipeline *p)
{
    p->waits[PIPELINE_WAIT_WAKE] =
        (struct net_wait){.handle = p->waker.handle, .want = NET_READABLE};
    p->waits[PIPELINE_WAIT_NETWORK] = connection_wait(&p->connection);
    p->watched = watch_waits(&p->watch, p->waits + PIPELINE_WAIT_WATCH);
    return PIPELINE_WAIT_WATCH + p->watched;
}

int64_t pipeline_turn(struct pipeline *p)
{
    net_calm(&p->waker);
    int64_t now = clock_monotonic();
    struct nats_client *client = &p->connection.client;
    serve_network(p, p->waits[PIPELINE_WAIT_NETWORK].ready != 0, now);
    if (connection_take_lost(&p->connection))
        on_lost(p, now);
    int64_t deadline = store_writer_turn(p->writer, now);
    p->trouble = store_writer_trouble(p->writer);
    seal_collect_committed(p);
    uint32_t sealed = p->epochs.sealed_count;
    if (p->phase == PIPELINE_RUNNING) {
        look_at_disk(p, now);
        seal_seal_if_due(p, now);
        seal_adopt_generations(p, now);
        control_flow(p, now);
        tick_sources(p, now);
        shutdown_check_once(p, now);
        shutdown_check_refused(p, now);
    }
    take_requests(p, now);
    p->acks_at =
        connection_is_ready(&p->connection) ? acker_tick(&p->acker, client, now) : INT64_MAX;
    look_fill(p);
    p->watch_at = watch_turn(&p->watch, p->waits + PIPELINE_WAIT_WATCH, p->watched, now);
    p->network_at = connection_flush(&p->connection, now);
    shutdown_advance(p, now);
    if (p->options.stepped && p->epochs.sealed_count > sealed)
        deadline = now; /* there is no thread that has begun with it */
    return earliest(deadline, next_deadline(p));
}

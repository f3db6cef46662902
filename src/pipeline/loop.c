/* SPDX-License-Identifier: MIT */
#include "pipeline/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pipeline/receive.h"
#include "pipeline/look.h"
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
        source_lost(&p->sources[i], now);
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
        receive_message(p, source_of(event), event, now);
        break;
    case NATS_EVENT_STATUS:
        source_status(source_of(event), &p->connection.client, event, now);
        break;
    case NATS_EVENT_REPLY:
        on_reply(p, event, now);
        break;
    case NATS_EVENT_SERVER_ERROR:
        for (uint32_t i = 0; i < p->source_count; i++)
            source_denied(&p->sources[i], &p->connection.client, &event->error, now);
        break;
    case NATS_EVENT_LAME_DUCK:
        log_message(LOG_WARNING, "lame_duck", "%s is about to close", p->connection.address);
        p->move_at = now + PIPELINE_LAME_GRACE;
        break;
    case NATS_EVENT_START_TLS: /* drain/connection.c has done it */
    case NATS_EVENT_PLAIN:
    case NATS_EVENT_INFO:
        break;
    }
}

/* Take what the server has sent. Returns when to leave it, if it is about to close. */
static int64_t serve_network(struct pipeline *p, int64_t now)
{
    struct nats_event event;
    connection_turn(&p->connection, p->waits[PIPELINE_WAIT_NETWORK].ready != 0, now);
    while (connection_next(&p->connection, now, &event)) {
        on_event(p, &event, now);
        seal_if_full(p, now);
    }
    nats_client_trim(&p->connection.client);
    if (now >= p->move_at) {
        p->move_at = INT64_MAX;
        if (p->connection.pool.count > 1)
            connection_drop(&p->connection, "the server is a lame duck", now);
    }
    if (connection_take_lost(&p->connection))
        on_lost(p, now);
    return p->move_at;
}

/* Take no more messages and seal what is open. Does nothing if that was done already. */
static void shutdown_begin(struct pipeline *p, enum epoch_reason reason, int64_t now)
{
    if (p->phase != PIPELINE_RUNNING)
        return;
    log_message(LOG_INFO, "stopping", "%s", epoch_reason_name(reason));
    receive_unconfirmed(p, now);
    seal_last(p, reason, now);
    for (uint32_t i = 0; i < p->source_count; i++)
        source_end_pulls(&p->sources[i],
                         connection_is_ready(&p->connection) ? &p->connection.client : NULL);
    p->phase = PIPELINE_DRAINING;
}

/* --once: begin the end when all that the streams had at start is received. */
static void shutdown_check_once(struct pipeline *p, int64_t now)
{
    if (!p->once || p->phase != PIPELINE_RUNNING)
        return;
    bool all_idle = true;
    bool all_ended = true;
    for (uint32_t i = 0; i < p->source_count; i++) {
        bool refused = p->sources[i].state == SOURCE_REFUSED;
        bool ended = refused || source_at_end(&p->sources[i]);
        if (refused && !err_is_set(&p->failure))
            p->failure = p->sources[i].refusal; /* for when the others are at their end */
        else if (ended && p->sources[i].takes_nothing && !err_is_set(&p->failure))
            err_set(&p->failure, ERR_REFUSED,
                    "stream %s does not take any of the subjects of its source: nothing can come",
                    p->sources[i].settings->stream);
        all_ended = all_ended && ended;
        all_idle = all_idle && (ended || p->sources[i].end.idle);
    }
    if (all_ended && !dead_letters_wait(&p->dead_letters, NULL))
        shutdown_begin(p, EPOCH_END, now);
    else if (all_idle && !epochs_is_empty(&p->epochs) && p->epochs.sealed == NULL)
        seal_seal(p, EPOCH_END, now); /* the server is waiting for these acks */
}

/* --once: what is not there by then does not come. Returns when that is. */
static int64_t shutdown_check_timeout(struct pipeline *p, int64_t now)
{
    if (now < p->give_up_at || p->phase != PIPELINE_RUNNING)
        return p->give_up_at;
    struct buf reasons = {0};
    look_fill(p);
    if (!connection_is_ready(&p->connection) && err_is_set(&p->connection.failure))
        buf_append_text(&reasons, p->connection.failure.text);
    else if (view_is_ready(&p->view, now, &reasons))
        buf_append_text(&reasons, "there is more to drain");
    const char *text = buf_text(&reasons);
    if (!err_is_set(&p->failure))
        err_set(&p->failure, ERR_REFUSED, "the end of the streams was not reached in time: %.*s",
                (int)strcspn(text, "\n"), text);
    buf_free(&reasons);
    shutdown_begin(p, EPOCH_STOP, now);
    return INT64_MAX;
}

/* Nothing can go on if the server's side contradicts the configuration of every source. */
static void shutdown_check_refused(struct pipeline *p, int64_t now)
{
    for (uint32_t i = 0; i < p->source_count; i++)
        if (p->sources[i].state != SOURCE_REFUSED)
            return;
    if (p->phase != PIPELINE_RUNNING)
        return;
    p->failure = p->sources[0].refusal;
    shutdown_begin(p, EPOCH_STOP, now);
}

/* How long to wait for the server to confirm the last acks. */
static int64_t ack_deadline(const struct pipeline *p, int64_t now)
{
    int64_t least = now + PIPELINE_ACK_GRACE, most = now + PIPELINE_ONCE_GRACE;
    if (!p->once || err_is_set(&p->failure))
        return least;
    return p->give_up_at > most ? most : p->give_up_at < least ? least : p->give_up_at;
}

static bool is_told(const struct pipeline *p, int64_t now)
{
    return acker_is_idle(&p->acker) || !connection_is_ready(&p->connection) ||
           now >= p->ack_deadline;
}

/* All is committed and told, as far as it can be. */
static void shutdown_finish(struct pipeline *p)
{
    if (p->once && !acker_is_idle(&p->acker) && !err_is_set(&p->failure))
        err_set(&p->failure, ERR_REFUSED,
                "all is committed, but the server has not confirmed all acks, and will "
                "deliver these events again");
    if (!p->once || err_is_set(&p->failure)) {
        p->phase = PIPELINE_DONE;
        return;
    }
    followers_finish(&p->followers);
    keeper_finish(p->keeper);
    p->phase = PIPELINE_FINISHING;
}

/* Go on to the next phase where this one is over. Returns when to look again. */
static int64_t shutdown_advance(struct pipeline *p, int64_t now)
{
    if (p->trouble.outdated) {
        p->failure = p->trouble.err;
        p->phase = PIPELINE_DONE;
    } else if (p->phase == PIPELINE_DRAINING) {
        if (p->trouble.failing && p->trouble.failed >= PIPELINE_LAST_ATTEMPTS) {
            p->failure = p->trouble.err;
            p->phase = PIPELINE_DONE;
        } else if (p->epochs.sealed == NULL) {
            p->phase = PIPELINE_ACKING;
            p->ack_deadline = ack_deadline(p, now);
        }
    }
    if (p->phase == PIPELINE_ACKING && is_told(p, now))
        shutdown_finish(p);
    if (p->phase == PIPELINE_FINISHING &&
        (now >= p->give_up_at || (followers_are_done(&p->followers) && keeper_is_done(p->keeper))))
        p->phase = PIPELINE_DONE;
    return p->phase == PIPELINE_ACKING      ? p->ack_deadline
           : p->phase == PIPELINE_FINISHING ? p->give_up_at
                                            : INT64_MAX;
}

static void take_requests(struct pipeline *p, int64_t now)
{
    reload_take(p);
    if (p->reload_asked && reload_begin(p))
        p->reload_asked = false;
    if (p->stop_asked && p->once && p->phase == PIPELINE_RUNNING && !err_is_set(&p->failure))
        err_set(&p->failure, ERR_REFUSED, "stopped before the end of the streams was reached");
    if (p->stop_asked)
        shutdown_begin(p, EPOCH_STOP, now);
    if (p->stop_asked && p->phase != PIPELINE_RUNNING)
        p->give_up_at = now; /* what follows and keeps the store goes on with the next run */
    p->stop_asked = false;
}

/* What only a run has that does not come to its end. Returns when there is more to do. */
static int64_t drain(struct pipeline *p, int64_t now)
{
    int64_t at = seal_if_due(p, now);
    seal_adopt_generations(p, now);
    at = clock_earliest(at, flow_control(p, now));
    for (uint32_t i = 0; i < p->source_count && connection_is_ready(&p->connection); i++)
        at = clock_earliest(at, source_tick(&p->sources[i], &p->connection.client, now));
    shutdown_check_once(p, now);
    shutdown_check_refused(p, now);
    return clock_earliest(at, shutdown_check_timeout(p, now));
}

/* What the keeper has for people. */
static void take_news(struct pipeline *p)
{
    struct queue_item *item;
    while ((item = queue_poll(&p->upkeep.news)) != NULL) {
        struct upkeep_news *news = (struct upkeep_news *)item; /* it begins with the item */
        watch_run_closed(&p->watch, &news->run);
        free(news);
    }
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
    p->wall = clock_wall();
    int64_t at = serve_network(p, now);
    at = clock_earliest(at, store_writer_turn(p->writer, now));
    p->trouble = store_writer_trouble(p->writer);
    seal_collect_committed(p);
    if (p->phase == PIPELINE_RUNNING)
        at = clock_earliest(at, drain(p, now));
    take_requests(p, now);
    if (p->options.stepped) {
        at = clock_earliest(at, store_writer_turn(p->writer, now)); /* what was sealed since */
        at = clock_earliest(at, keeper_step(p->keeper, now));
    }
    int64_t acks_at = INT64_MAX;
    if (connection_is_ready(&p->connection))
        acks_at = acker_tick(&p->acker, &p->connection.client, now);
    look_fill(p);
    take_news(p);
    at = clock_earliest(at, watch_turn(&p->watch, p->waits + PIPELINE_WAIT_WATCH, p->watched, now));
    at = clock_earliest(at, connection_flush(&p->connection, now));
    if (p->connection.client.out.len == 0)
        at = clock_earliest(at, acks_at); /* else what is rendered has to be written first */
    return clock_earliest(at, shutdown_advance(p, now));
}

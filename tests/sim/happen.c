/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "event.h"
#include "world.h"

/* The steps of a plan. */

enum { EVENTS_AT_ONCE = 12 };

static void publish(struct world *w, uint64_t value)
{
    struct sim_random r = {value};
    uint64_t count = 1 + sim_random_below(&r, EVENTS_AT_ONCE);
    struct buf message = {0};
    for (uint64_t i = 0; i < count; i++) {
        int64_t base = world_wall(w);
        uint32_t number = w->published++;
        bool other = w->plan.filtered && sim_random_chance(&r, 200);
        const char *subject = other ? OTHER_SUBJECT : SUBJECT;
        struct server_stored stored;
        buf_reset(&message);
        (void)sim_event_make(number, base, &message);
        uint64_t seq = server_publish(w->server, slice_of(subject), (struct slice){0},
                                      buf_slice(&message), w->now);
        if (seq == 0 || other || !server_next_message(w->server, STREAM, seq, &stored) ||
            stored.seq != seq)
            continue; /* refused, not ours, or not kept since nobody is interested */
        oracle_accepted(w->oracle, STREAM, seq, number, base, SUBJECT, stored.time);
    }
    buf_free(&message);
}

/* A request of an operator with one number in its body, or none where `key` is NULL. */
static void ask(struct world *w, const char *call, const char *key, uint64_t value)
{
    char body[64] = "";
    if (key != NULL)
        (void)snprintf(body, sizeof(body), "{\"%s\":%llu}", key, (unsigned long long)value);
    struct slice reply = server_ask(w->server, call, slice_of(body), w->now);
    world_tell(w, "%s %s: %.*s", call, body, (int)(reply.len < 100 ? reply.len : 100),
               (const char *)reply.data);
}

static void delete_message(struct world *w, uint64_t value)
{
    uint64_t seq = 1 + value % (w->published + 1);
    oracle_excuse(w->oracle, STREAM, seq, seq);
    ask(w, "STREAM.MSG.DELETE." STREAM, "seq", seq);
}

static void say_error(struct world *w, uint64_t value, bool fatal)
{
    static const char *const errors[] = {"Permissions Violation for Publish to \"$JS.ACK.x\"",
                                         "Invalid Subject", "maximum subscriptions exceeded",
                                         "something that nobody has heard of"};
    static const char *const fatals[] = {
        "Stale Connection",       "Authorization Violation",    "maximum connections exceeded",
        "Authentication Timeout", "Unknown Protocol Operation", "Maximum Payload Violation"};
    const char *text = fatal ? fatals[value % 6] : errors[value % 4];
    world_tell(w, "-ERR %s", text);
    server_error(w->server, links_newest(w->links), text, fatal);
}

static void lose_disk(struct world *w, bool full, uint64_t value)
{
    if (full)
        disk_set_capacity(w->disk, disk_used(w->disk) + value % 20000);
    else
        disk_set_faults(w->disk, (struct disk_faults){.fail = value % 60,
                                                      .fail_sync = value / 60 % 300,
                                                      .short_writes = value / 18000 % 200});
}

void world_heal(struct world *w)
{
    disk_set_capacity(w->disk, UINT64_MAX);
    disk_set_faults(w->disk, (struct disk_faults){0});
}

/* A stream that removes what is acked has nothing to lose but the acks: what a consumer did before
 * it was deleted and made again is not in it any more. */
static void delete_consumer(struct world *w)
{
    ask(w, "CONSUMER.DELETE." STREAM "." CONSUMER, NULL, 0);
    if (strcmp(w->plan.retention, "interest") == 0)
        oracle_excuse(w->oracle, STREAM, 0, UINT64_MAX);
}

static void do_to_server(struct world *w, const struct plan_step *step)
{
    switch ((int)step->kind) {
    case PLAN_SYNC:
        server_sync(w->server, STREAM);
        break;
    case PLAN_SYNC_CONSUMER:
        server_sync_consumer(w->server, STREAM, CONSUMER);
        break;
    case PLAN_SERVER_STOPS:
        server_end(w->server, SERVER_STOPS, w->now);
        break;
    case PLAN_SERVER_KILLED:
        server_end(w->server, SERVER_KILLED, w->now);
        break;
    case PLAN_SERVER_STARTS:
        server_start(w->server, w->now);
        break;
    case PLAN_LEADER:
    case PLAN_LEADER_FORGETS:
        server_change_leader(w->server, STREAM, CONSUMER, step->kind == PLAN_LEADER_FORGETS,
                             w->now);
        break;
    case PLAN_ERROR:
    case PLAN_FATAL:
        say_error(w, step->value, step->kind == PLAN_FATAL);
        break;
    case PLAN_LAME_DUCK:
        server_lame_duck(w->server);
        break;
    case PLAN_LOSSES:
        w->losing = true;
        w->loss = step->value % 300;
        break;
    case PLAN_LOSSES_END:
        w->losing = false;
        break;
    case PLAN_CONSUMER_DELETED:
        delete_consumer(w);
        break;
    case PLAN_MESSAGE_DELETED:
        delete_message(w, step->value);
        break;
    case PLAN_PURGE:
        oracle_excuse(w->oracle, STREAM, 0, UINT64_MAX);
        ask(w, "STREAM.PURGE." STREAM, "keep", step->value % 5);
        break;
    default:
        break;
    }
}

void world_do(struct world *w, const struct plan_step *step)
{
    world_tell(w, "-- %s", plan_kind_names[step->kind]);
    switch ((int)step->kind) {
    case PLAN_PUBLISH:
        publish(w, step->value);
        break;
    case PLAN_CUT:
        links_cut(w->links, 0, w->now);
        break;
    case PLAN_HALF_OPEN:
        links_cut(w->links, (int64_t)(step->value % 60) * CLOCK_SECOND + 1, w->now);
        break;
    case PLAN_VARVE_STOPS:
        if (w->varve != NULL)
            pipeline_stop(w->varve);
        w->varve_at = w->now;
        break;
    case PLAN_VARVE_DIES:
        w->process->dies_at = 1 + (int64_t)(step->value % 40);
        if (step->value / 40 % 4 == 0)
            world_bury(w);
        break;
    case PLAN_POWER_CUT:
        disk_cut_power(w->disk);
        world_bury(w);
        break;
    case PLAN_DISK_FULL:
    case PLAN_DISK_ERRORS:
        lose_disk(w, step->kind == PLAN_DISK_FULL, step->value);
        break;
    case PLAN_DISK_HEALS:
        world_heal(w);
        break;
    default:
        do_to_server(w, step);
        break;
    }
}

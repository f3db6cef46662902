/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "event.h"
#include "world.h"

/* The steps of a plan. */

enum { EVENTS_AT_ONCE = 12 };

static void publish(struct world *w, struct instance *i, uint64_t value)
{
    struct sim_random r = {value};
    i->unheard = i->unheard && !server_has_consumer(w->server, i->stream, i->consumer);
    uint64_t count = 1 + sim_random_below(&r, EVENTS_AT_ONCE);
    struct buf message = {0}, header = {0};
    for (uint64_t k = 0; k < count; k++) {
        int64_t base = world_wall(w);
        uint32_t number = w->published++;
        bool other = w->plan.filtered && sim_random_chance(&r, 200);
        const char *subject = other ? i->other_subject : i->subject;
        struct server_stored stored = {0};
        buf_reset(&message);
        buf_reset(&header);
        sim_event_header(number, &header);
        (void)sim_event_make(number, base, &message);
        uint64_t seq = server_publish(w->server, slice_of(subject), buf_slice(&header),
                                      buf_slice(&message), w->now);
        if (seq > 0 && other)
            oracle_other(w->oracle, i->stream, seq);
        if (seq == 0 || other)
            continue; /* refused, or not ours */
        bool kept = server_next_message(w->server, i->stream, seq, &stored) && stored.seq == seq;
        oracle_accepted(w->oracle, i->stream, seq, number, base, i->subject, stored.time);
        if (!kept || i->unheard) /* nobody is interested, or nobody who stays */
            oracle_excuse(w->oracle, i->stream, seq, seq);
    }
    buf_free(&message);
    buf_free(&header);
}

void world_ask(struct world *w, const char *call, const char *stream, const char *consumer,
               const char *body)
{
    struct buf subject = {0};
    buf_printf(&subject, "%s.%s%s%s", call, stream, consumer == NULL ? "" : ".",
               consumer == NULL ? "" : consumer);
    struct slice reply = server_ask(w->server, buf_text(&subject), slice_of(body), w->now);
    world_tell(w, "%s %s: %.*s", buf_text(&subject), body, (int)(reply.len < 100 ? reply.len : 100),
               (const char *)reply.data);
    buf_free(&subject);
}

void world_make_stream(struct world *w, const struct instance *i)
{
    struct buf body = {0};
    buf_printf(&body, "{\"name\":\"%s\",\"subjects\":[\"%s\"", i->stream, i->subject);
    if (w->plan.filtered)
        buf_printf(&body, ",\"%s\"", i->other_subject);
    buf_printf(&body, "],\"retention\":\"%s\"}", w->plan.retention);
    world_ask(w, "STREAM.CREATE", i->stream, NULL, buf_text(&body));
    buf_free(&body);
}

static void delete_message(struct world *w, const struct instance *i, uint64_t value)
{
    uint64_t seq = 1 + value % (w->published + 1);
    char body[64];
    (void)snprintf(body, sizeof(body), "{\"seq\":%llu}", (unsigned long long)seq);
    oracle_excuse(w->oracle, i->stream, seq, seq);
    world_ask(w, "STREAM.MSG.DELETE", i->stream, NULL, body);
}

static void purge(struct world *w, const struct instance *i, uint64_t value)
{
    char body[64];
    (void)snprintf(body, sizeof(body), "{\"keep\":%llu}", (unsigned long long)value % 5);
    oracle_excuse(w->oracle, i->stream, 0, UINT64_MAX);
    world_ask(w, "STREAM.PURGE", i->stream, NULL, body);
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

/* All that there are, and two that nobody has heard of. */
static void end_pulls(struct world *w, const struct instance *i, uint64_t value)
{
    static const char *const statuses[] = {
        "400 Bad Request - heartbeat value too large",
        "404 No Messages",
        "408 Request Timeout",
        "408 Interest Expired",
        "408 Requests Pending",
        "409 Exceeded MaxRequestBatch of 10",
        "409 Exceeded MaxRequestExpires of 10s",
        "409 Exceeded MaxRequestMaxBytes of 4000",
        "409 Exceeded MaxWaiting",
        "409 Message Size Exceeds MaxBytes",
        "409 Batch Completed",
        "409 Consumer Deleted",
        "409 Leadership Change",
        "409 Server Shutdown",
        "412 Required Api Level",
        "423 Nats-Pin-Id mismatch",
        "503",
        "409 Something New",
        "499 Something Else",
    };
    const char *status = statuses[value % (sizeof(statuses) / sizeof(statuses[0]))];
    world_tell(w, "status %s", status);
    server_end_pulls(w->server, i->stream, i->consumer, status, value / 32 % 2 == 0, w->now);
}

static void fail_api(struct world *w, uint64_t value)
{
    static const char *const answers[] = {
        NULL,
        "",
        "no JSON",
        "{}",
        "[1]",
        "{\"error\":{}}",
        "{\"error\":{\"code\":503,\"err_code\":10008,\"description\":\"unavailable\"}}",
        "{\"error\":{\"code\":503,\"err_code\":10039,\"description\":\"not enabled\"}}",
        "{\"error\":{\"code\":500,\"err_code\":10118,\"description\":\"offline\"}}",
        "{\"error\":{\"code\":500,\"err_code\":10023,\"description\":\"resources\"}}",
        "{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}}",
    };
    const char *answer = answers[value % (sizeof(answers) / sizeof(answers[0]))];
    world_tell(w, "the API says %s", answer == NULL ? "nothing" : answer);
    server_fail_api(w->server, answer, w->now + (int64_t)(value / 16 % 20000) * CLOCK_MILLISECOND);
}

static void lose_disk(struct world *w, bool full, uint64_t value)
{
    if (w->bucket != NULL)
        sim_bucket_set_manner(w->bucket, (struct bucket_manner){.faults = full ? 0 : value % 500,
                                                                .away = full ? 1000 : 0});
    else if (full)
        disk_set_capacity(w->disk, disk_used(w->disk) + value % 20000);
    else
        disk_set_faults(w->disk, (struct disk_faults){.fail = value % 60,
                                                      .fail_sync = value / 60 % 300,
                                                      .short_writes = value / 18000 % 200});
}

void world_heal(struct world *w, bool all)
{
    disk_set_capacity(w->disk, UINT64_MAX);
    disk_set_faults(w->disk, (struct disk_faults){0});
    if (w->bucket != NULL)
        sim_bucket_set_manner(w->bucket,
                              (struct bucket_manner){.faults = all ? 0 : w->plan.unclear});
}

void world_delete_consumer(struct world *w, struct instance *i)
{
    world_ask(w, "CONSUMER.DELETE", i->stream, i->consumer, "");
    i->unheard = strcmp(w->plan.retention, "interest") == 0;
    if (i->unheard)
        oracle_excuse(w->oracle, i->stream, 0, UINT64_MAX);
}

/* What the disk of the server has not seen is gone, and its numbers are given again. */
static void end_server(struct world *w, enum server_end how)
{
    (void)oracle_is_complete(w->oracle); /* it looks at what is durable by now */
    server_end(w->server, how, w->now);
    if (how != SERVER_POWER && how != SERVER_ROLLED)
        return;
    for (size_t i = 0; i < w->count; i++)
        oracle_made_again(w->oracle, w->list[i].stream,
                          server_last_seq(w->server, w->list[i].stream));
    if (w->plan.dead_stream)
        oracle_made_again(w->oracle, DEAD, server_last_seq(w->server, DEAD));
}

static void do_to_server(struct world *w, struct instance *i, const struct plan_step *step)
{
    switch ((int)step->kind) {
    case PLAN_SYNC:
        server_sync(w->server, i->stream);
        break;
    case PLAN_SYNC_CONSUMER:
        server_sync_consumer(w->server, i->stream, i->consumer);
        break;
    case PLAN_SERVER_STOPS:
        end_server(w, SERVER_STOPS);
        break;
    case PLAN_SERVER_KILLED:
        end_server(w, SERVER_KILLED);
        break;
    case PLAN_SERVER_POWER:
        end_server(w, SERVER_POWER);
        break;
    case PLAN_SERVER_ROLLED:
        end_server(w, SERVER_ROLLED);
        break;
    case PLAN_SERVER_STARTS:
        server_start(w->server, w->now);
        break;
    case PLAN_LEADER:
    case PLAN_LEADER_FORGETS:
        server_change_leader(w->server, i->stream, i->consumer, step->kind == PLAN_LEADER_FORGETS,
                             w->now);
        break;
    case PLAN_ERROR:
    case PLAN_FATAL:
        say_error(w, step->value, step->kind == PLAN_FATAL);
        break;
    case PLAN_STATUS:
        end_pulls(w, i, step->value);
        break;
    case PLAN_API_FAILS:
        fail_api(w, step->value);
        break;
    case PLAN_LAME_DUCK:
        server_lame_duck(w->server);
        break;
    case PLAN_LOSSES:
        w->losing = w->has_lost = true;
        w->loss = step->value % 300;
        break;
    case PLAN_LOSSES_END:
        w->losing = false;
        break;
    case PLAN_CONSUMER_DELETED:
        world_delete_consumer(w, i);
        break;
    case PLAN_MESSAGE_DELETED:
        delete_message(w, i, step->value);
        break;
    case PLAN_PURGE:
        purge(w, i, step->value);
        break;
    default:
        world_operate(w, i, step);
        break;
    }
}

static void cut_power(struct world *w)
{
    disk_cut_power(w->disk);
    for (size_t i = 0; i < w->count; i++)
        world_bury(w, &w->list[i]);
}

void world_do(struct world *w, const struct plan_step *step)
{
    struct instance *i = &w->list[step->value / 7 % w->count];
    world_tell(w, "-- %s", plan_kind_names[step->kind]);
    switch ((int)step->kind) {
    case PLAN_PUBLISH:
        publish(w, i, step->value);
        break;
    case PLAN_CUT:
        links_cut(w->links, 0, w->now);
        break;
    case PLAN_HALF_OPEN:
        links_cut(w->links, (int64_t)(step->value % 60) * CLOCK_SECOND + 1, w->now);
        break;
    case PLAN_VARVE_STOPS:
        if (i->varve != NULL)
            pipeline_stop(i->varve);
        i->at = w->now;
        break;
    case PLAN_VARVE_DIES:
        i->process->dies_at = 1 + (int64_t)(step->value % 40);
        if (step->value / 40 % 4 == 0)
            world_bury(w, i);
        break;
    case PLAN_POWER_CUT:
        cut_power(w);
        break;
    case PLAN_DISK_FULL:
    case PLAN_DISK_ERRORS:
        lose_disk(w, step->kind == PLAN_DISK_FULL, step->value);
        break;
    case PLAN_DISK_HEALS:
        world_heal(w, false);
        break;
    default:
        do_to_server(w, i, step);
        break;
    }
}

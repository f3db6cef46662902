/* SPDX-License-Identifier: MIT */
#include "watch/alerts.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "event/event.h"

const char *alert_name(enum alert_kind kind)
{
    static const char *const names[ALERT_KINDS] = {
        [ALERT_NATS_DISCONNECTED] = "nats_disconnected",
        [ALERT_COMMIT_FAILED] = "commit_failed",
        [ALERT_DISK_LOW] = "disk_low",
        [ALERT_STREAM_MISSING] = "stream_missing",
        [ALERT_STREAM_RECREATED] = "stream_recreated",
        [ALERT_CONSUMER_RECREATED] = "consumer_recreated",
        [ALERT_CONSUMER_SHARED] = "consumer_shared",
        [ALERT_DATA_LOST] = "data_lost",
        [ALERT_DEAD_LETTERS] = "dead_letters",
        [ALERT_RUN_CLOSED] = "run_closed",
        [ALERT_FOLLOWER_LATE] = "follower_late",
        [ALERT_QUALITY] = "quality",
    };
    return names[kind];
}

const char *alert_object(enum alert_kind kind)
{
    return kind == ALERT_FOLLOWER_LATE || kind == ALERT_QUALITY ? "follower" : "stream";
}

void alerts_init(struct alerts *a, const char *subject, const char *instance, const char *worker,
                 uint32_t object_count, int64_t quiet, const uint64_t key[static 2])
{
    *a = (struct alerts){
        .subject = subject,
        .instance = instance,
        .worker = worker,
        .quiet = quiet,
        .random = {.key = {key[0], ~key[1]}}, /* other names than those of inboxes */
        .cap = ALERT_KINDS * object_count + ALERTS_WAITING_MAX,
    };
    a->list = calloc(a->cap, sizeof(*a->list));
    if (a->list == NULL)
        out_of_memory(a->cap * sizeof(*a->list));
}

void alerts_free(struct alerts *a)
{
    free(a->list);
    buf_free(&a->json);
    buf_free(&a->event);
    buf_free(&a->header);
    *a = (struct alerts){0};
}

static struct alert *find_standing(const struct alerts *a, enum alert_kind kind, const char *stream)
{
    for (uint32_t i = 0; i < a->count; i++) {
        struct alert *alert = &a->list[i];
        if (alert->kind == kind && alert->until == 0 &&
            (alert->stream == stream ||
             (alert->stream != NULL && stream != NULL && strcmp(alert->stream, stream) == 0)))
            return alert;
    }
    return NULL;
}

static void drop(struct alerts *a, uint32_t index)
{
    memmove(&a->list[index], &a->list[index + 1], (a->count - index - 1) * sizeof(*a->list));
    a->count--;
}

/* Those that stand always find room: `cap` counts each of them. */
static void make_room(struct alerts *a)
{
    uint32_t i = 0;
    if (a->count < a->cap)
        return;
    while (a->list[i].until == 0)
        i++;
    log_message(LOG_WARNING, "alert_dropped", "%s: too many alerts are waiting to be published",
                alert_name(a->list[i].kind));
    drop(a, i);
}

/* What happened, and has no end by itself. */
static bool is_incident(enum alert_kind kind)
{
    return kind == ALERT_DATA_LOST || kind == ALERT_DEAD_LETTERS || kind == ALERT_QUALITY;
}

bool alert_stands(enum alert_kind kind)
{
    return kind != ALERT_RUN_CLOSED;
}

static void copy_cut(char *out, size_t size, const char *text)
{
    size_t len = strnlen(text, size - 1);
    memcpy(out, text, len);
    out[len] = '\0';
}

static struct alert *add(struct alerts *a, enum alert_kind kind, const char *text)
{
    make_room(a);
    struct alert *alert = &a->list[a->count++];
    *alert = (struct alert){.kind = kind, .since = clock_wall(), .quiet_at = INT64_MAX};
    nats_random_token(&a->random, alert->id);
    copy_cut(alert->text, sizeof(alert->text), text);
    return alert;
}

void alerts_raise(struct alerts *a, enum alert_kind kind, const char *stream, const char *text,
                  int64_t now)
{
    struct alert *alert = find_standing(a, kind, stream);
    if (alert == NULL) {
        alert = add(a, kind, text);
        alert->stream = stream;
    }
    alert->quiet_at = is_incident(kind) ? now + a->quiet : INT64_MAX;
}

void alerts_announce(struct alerts *a, enum alert_kind kind, const char *simulation,
                     const char *text)
{
    struct alert *alert = add(a, kind, text);
    alert->until = alert->since;
    copy_cut(alert->simulation, sizeof(alert->simulation), simulation);
}

static void resolve(struct alert *alert)
{
    int64_t wall = clock_wall();
    alert->until = wall > alert->since ? wall : alert->since; /* clocks may step back */
}

void alerts_resolve(struct alerts *a, enum alert_kind kind, const char *stream)
{
    struct alert *alert = find_standing(a, kind, stream);
    if (alert != NULL)
        resolve(alert);
}

bool alerts_stands(const struct alerts *a, enum alert_kind kind, const char *stream)
{
    return find_standing(a, kind, stream) != NULL;
}

/* One that was over before it could be published says so at once. */
static void make_json(struct buf *out, const struct alerts *a, const struct alert *alert)
{
    char time[TIME_TEXT_MAX];
    struct json_writer w = {.out = out};
    buf_reset(out);
    json_open_object(&w, NULL);
    json_put_text(&w, "alert", alert_name(alert->kind));
    json_put_text(&w, "state", alert->raised ? "resolved" : "raised");
    json_put_text(&w, "instance", a->instance);
    if (alert->stream != NULL)
        json_put_text(&w, alert_object(alert->kind), alert->stream);
    if (alert->simulation[0] != '\0')
        json_put_text(&w, "simulation_id", alert->simulation);
    json_put_text(&w, "text", alert->text);
    time_format(alert->since, 3, time);
    json_put_text(&w, "since", time);
    if (alert->until != 0 && alert_stands(alert->kind)) {
        time_format(alert->until, 3, time);
        json_put_text(&w, "until", time);
        buf_printf(json_put_raw(&w, "seconds"), "%.3f",
                   (double)(alert->until - alert->since) / (double)CLOCK_SECOND);
    }
    json_close_object(&w);
}

/* Both events of an alert have its id as correlation id. The same one, sent twice, has the same
 * event id, so that a stream drops the second. */
static void make_event(struct alerts *a, const struct alert *alert)
{
    struct buf key = {0}, id = {0};
    buf_printf(&key, "logging.alert.%s.v1", alert_name(alert->kind));
    buf_printf(&id, "%s.%s", alert->id, alert->raised ? "resolved" : "raised");
    make_json(&a->json, a, alert);
    struct event event = {
        .timestamp_ns = alert->raised ? alert->until : alert->since,
        .event_id = buf_slice(&id),
        .event_type_key = buf_slice(&key),
        .event_payload = buf_slice(&a->json),
        .worker_id = slice_of(a->worker),
        .payload_format_hint = slice_of("application/json"),
        .correlation_id = slice_of(alert->id),
    };
    buf_reset(&a->event);
    event_encode(&a->event, &event);
    buf_reset(&a->header);
    nats_header_begin(&a->header);
    nats_header_add(&a->header, "Nats-Msg-Id", buf_slice(&id));
    nats_header_end(&a->header);
    buf_free(&key);
    buf_free(&id);
}

static bool has_news(const struct alert *alert)
{
    return !alert->raised || (alert->until != 0 && !alert->resolved);
}

static void publish(struct alerts *a, struct alert *alert, struct nats_client *client, int64_t now)
{
    make_event(a, alert);
    bool headers = client->session.info.headers;
    alert->request = nats_client_request(client, slice_of(a->subject),
                                         headers ? buf_slice(&a->header) : (struct slice){0},
                                         buf_slice(&a->event), ALERT_TIMEOUT, now);
}

/* How many wait for an answer. */
static uint32_t count_waiting(const struct alerts *a)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->count; i++)
        count += a->list[i].request != 0;
    return count;
}

/* One alert's turn; `waiting` counts those that wait for an answer. Returns when its next is due,
 * INT64_MAX: never by itself. */
static int64_t tick_alert(struct alerts *a, struct alert *alert, struct nats_client *client,
                          uint32_t *waiting, int64_t now)
{
    int64_t next = alert->until == 0 ? alert->quiet_at : INT64_MAX;
    if (!has_news(alert) || alert->request != 0 || client == NULL || *waiting >= ALERTS_AT_ONCE)
        return next; /* the next answer brings another turn */
    if (now >= alert->not_before)
        publish(a, alert, client, now);
    *waiting += alert->request != 0;
    if (now >= alert->not_before && alert->request == 0)
        alert->not_before = now + ALERT_RETRY; /* too much is being asked already */
    if (alert->request == 0 && alert->not_before < next)
        next = alert->not_before;
    return next;
}

int64_t alerts_tick(struct alerts *a, struct nats_client *client, int64_t now)
{
    int64_t next = INT64_MAX;
    uint32_t waiting = count_waiting(a);
    for (uint32_t i = 0; i < a->count;) {
        struct alert *alert = &a->list[i];
        if (alert->until == 0 && now >= alert->quiet_at)
            resolve(alert);
        if (a->subject[0] == '\0') {
            alert->raised = true;
            alert->resolved = alert->until != 0;
        }
        if (alert->resolved) {
            drop(a, i);
            continue;
        }
        int64_t own = tick_alert(a, alert, client, &waiting, now);
        next = own < next ? own : next;
        i++;
    }
    return next;
}

/* NULL if it was taken; else why not. What is no answer of a stream comes from a subscriber, who
 * has it. */
static const char *refusal(const struct nats_event *event, struct arena *arena, struct err *err)
{
    struct nats_api_error error = {0};
    struct nats_pub_ack ack;
    switch (event->outcome) {
    case NATS_OUTCOME_NO_RESPONDERS:
        return "nobody listens";
    case NATS_OUTCOME_TIMEOUT:
        return NULL; /* somebody listens, who does not answer */
    case NATS_OUTCOME_STATUS:
        return "the server refused it";
    case NATS_OUTCOME_REPLY:
        break;
    }
    bool stored = nats_pub_ack_parse(event->payload, arena, &ack, &error, err) == 0;
    return stored || error.status == 0 ? NULL : err->text;
}

static void log_unpublished(const struct alerts *a, const struct alert *alert, const char *reason)
{
    struct log_line line;
    log_begin(&line, LOG_WARNING, "alert_unpublished");
    log_text(&line, "alert", alert_name(alert->kind));
    log_text(&line, "subject", a->subject);
    log_text(&line, "reason", reason);
    log_u64(&line, "attempts", alert->attempts);
    log_end(&line);
}

bool alerts_reply(struct alerts *a, const struct nats_event *event, int64_t now)
{
    struct alert *alert = NULL;
    for (uint32_t i = 0; i < a->count && alert == NULL; i++)
        if (a->list[i].request != 0 && a->list[i].request == event->request)
            alert = &a->list[i];
    if (alert == NULL)
        return false;
    struct arena arena = {0};
    struct err err = {0};
    const char *reason = refusal(event, &arena, &err);
    alert->request = 0;
    if (reason != NULL && ++alert->attempts < ALERT_ATTEMPTS) {
        alert->not_before = now + ALERT_RETRY;
    } else {
        if (reason != NULL)
            log_unpublished(a, alert, reason);
        alert->resolved = alert->raised || !alert_stands(alert->kind);
        alert->raised = true;
        alert->attempts = 0;
        alert->not_before = 0;
    }
    arena_free(&arena);
    return true;
}

void alerts_restart(struct alerts *a)
{
    for (uint32_t i = 0; i < a->count; i++) {
        a->list[i].request = 0;
        a->list[i].not_before = 0;
    }
}

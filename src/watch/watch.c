/* SPDX-License-Identifier: MIT */
#include "watch/watch.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "watch/pages.h"
#include "watch/view.h"

static struct http_response answer_ready(struct watch *w, int64_t now)
{
    bool ready = view_is_ready(w->view, now, &w->body);
    if (ready) {
        buf_append_text(&w->body, "ready\n");
        view_append_lost(w->view, &w->body);
    }
    view_append_followers(w->view, &w->body);
    return (struct http_response){
        .status = ready ? 200 : 503, .type = "text/plain; charset=utf-8", .fields = ""};
}

static void look_at_verdict(struct watch *w, int64_t now)
{
    struct buf reasons = {0};
    bool ready = view_is_ready(w->view, now, &reasons);
    if (w->verdict.since == 0 || ready != w->verdict.ready)
        w->verdict.since = clock_wall();
    w->verdict.ready = ready;
    buf_free(&reasons);
}

static struct http_response answer(void *context, struct slice path, int64_t now)
{
    struct watch *w = context;
    struct buf *body = &w->body;
    look_at_verdict(w, now);
    struct http_response response = {
        .status = 200, .type = "text/plain; charset=utf-8", .fields = ""};
    buf_reset(body);
    if (slice_is(path, "/metrics")) {
        metrics_append(body, w, now);
        response.type = METRICS_CONTENT_TYPE;
    } else if (slice_is(path, "/healthz")) {
        buf_append_text(body, "ok\n");
    } else if (slice_is(path, "/readyz")) {
        response = answer_ready(w, now);
    } else if (slice_is(path, "/")) {
        page_append(body, w, now);
        response.type = "text/html; charset=utf-8";
        response.fields = buf_text(&w->policy);
    } else if (slice_is(path, "/status.json")) {
        status_append(body, w, now);
        response.type = "application/json";
    } else {
        response.status = 404;
        buf_append_text(body, "try /, /status.json, /metrics, /healthz and /readyz\n");
    }
    response.body = buf_slice(body);
    return response;
}

void watch_init(struct watch *w)
{
    *w = (struct watch){.started = clock_wall()};
    w->http.listener = -1;
    w->notify.fd = -1;
    page_append_policy(&w->policy);
}

int watch_open(struct watch *w, const struct config *config, bool once,
               const uint64_t key[static 2], const struct view *view, struct err *err)
{
    struct err failure = {0};
    w->view = view;
    notify_open(&w->notify);
    alerts_init(&w->alerts, config->alerts.subject, config->nats.name, config->nats.name,
                (uint32_t)(config->source_count + config->follower_count),
                VIEW_AGES_MAX * config->batching.max_age, key);
    if (http_listen(&w->http, config->metrics.listen, answer, w, &failure) == 0)
        return guard_open(&w->guard, config, &w->http, err);
    err_prefix(&failure, "metrics.listen");
    if (!once)
        return err_set(err, failure.code, "%s", failure.text);
    log_message(LOG_WARNING, "not_listening", "%s", failure.text);
    return 0;
}

void watch_close(struct watch *w)
{
    http_close(&w->http);
    notify_close(&w->notify);
    alerts_free(&w->alerts);
    buf_free(&w->body);
    buf_free(&w->policy);
    guard_close(&w->guard);
}

void watch_reload(struct watch *w)
{
    guard_reload(&w->guard, &w->http);
}

size_t watch_waits(const struct watch *w, struct net_wait list[static HTTP_WAITS_MAX])
{
    return http_waits(&w->http, list);
}

/* What an alert of a source says. */
static const char *text_of(struct buf *out, const struct view_source *s, enum alert_kind kind)
{
    buf_reset(out);
    switch (kind) {
    case ALERT_STREAM_MISSING:
        buf_append_text(out, "the stream does not exist; varve is waiting for it");
        break;
    case ALERT_STREAM_RECREATED:
        buf_append_text(out, "the stream was created again; its sequences start over");
        break;
    case ALERT_CONSUMER_RECREATED:
        buf_append_text(out, "the consumer was deleted; varve created it again");
        break;
    case ALERT_CONSUMER_SHARED:
        buf_append_text(out, "another client takes messages from the consumer");
        break;
    case ALERT_DATA_LOST:
        buf_printf(out,
                   "events were gone before varve received them, the last ones in the sequences "
                   "%" PRIu64 " to %" PRIu64 "; in total at most %" PRIu64,
                   s->counters->lost_first, s->counters->lost_last, s->counters->lost);
        break;
    case ALERT_DEAD_LETTERS:
        buf_append_text(out, "messages could not become rows, in total ");
        buf_append_decimal(out, source_counters_dead_lettered(s->counters));
        break;
    case ALERT_NATS_DISCONNECTED:
    case ALERT_COMMIT_FAILED:
    case ALERT_DISK_LOW:
    case ALERT_RUN_CLOSED:
    case ALERT_FOLLOWER_LATE:
    case ALERT_QUALITY:
    case ALERT_KINDS:
        break; /* of no source */
    }
    return buf_text(out);
}

static void observe_source(struct watch *w, const struct view_source *s, int64_t now)
{
    for (int i = 0; i < ALERT_KINDS && (s->raised | s->resolved) != 0; i++) {
        enum alert_kind kind = (enum alert_kind)i;
        if ((s->raised >> i & 1) != 0)
            alerts_raise(&w->alerts, kind, s->stream, text_of(&w->body, s, kind), now);
        if ((s->resolved >> i & 1) != 0)
            alerts_resolve(&w->alerts, kind, s->stream);
    }
}

/* Raise it while there is a reason, resolve it once there is none. */
static void follow(struct watch *w, enum alert_kind kind, const char *reason, int64_t now)
{
    if (reason != NULL)
        alerts_raise(&w->alerts, kind, NULL, reason, now);
    else
        alerts_resolve(&w->alerts, kind, NULL);
}

static void observe_follower(struct watch *w, const struct view_follower *f, int64_t now)
{
    struct buf text = {0};
    if (!f->late) {
        alerts_resolve(&w->alerts, ALERT_FOLLOWER_LATE, f->name);
        return;
    }
    buf_printf(&text, "rows wait for longer than max_lag to be brought to its target%s%s",
               f->failure != NULL ? ": " : "", f->failure != NULL ? f->failure : "");
    alerts_raise(&w->alerts, ALERT_FOLLOWER_LATE, f->name, buf_text(&text), now);
    buf_free(&text);
}

/* What is new of what it has found. */
static void observe_quality(struct watch *w, const struct view_follower *f, uint64_t *alarms,
                            int64_t now)
{
    struct buf text = {0};
    if (f->quality == NULL || f->alarms == *alarms)
        return;
    const struct quality_line *worst = &f->quality->line[0];
    buf_printf(&text, "%" PRIu64 " findings in %" PRIu64 " of %" PRIu64 " simulations; most in ",
               f->quality->found, f->quality->bad, f->quality->simulations);
    json_append_string(&text, slice_of(worst->simulation));
    buf_printf(&text, ": %" PRIu64 " %s, the first is event %" PRIu64, worst->count.rows,
               quality_finding_name(worst->most), worst->count.first);
    alerts_raise(&w->alerts, ALERT_QUALITY, f->name, buf_text(&text), now);
    *alarms = f->alarms;
    buf_free(&text);
}

static void observe(struct watch *w, int64_t now)
{
    const struct view *v = w->view;
    w->alerts.quiet = VIEW_AGES_MAX * v->max_age; /* a reload may change it */
    follow(w, ALERT_COMMIT_FAILED, v->commit_failure, now);
    follow(w, ALERT_DISK_LOW,
           v->disk_low ? "less than output.min_free is free; varve is paused" : NULL, now);
    for (uint32_t i = 0; i < v->source_count; i++)
        observe_source(w, &v->sources[i], now);
    for (uint32_t i = 0; i < v->follower_count; i++)
        observe_follower(w, &v->followers[i], now);
    for (uint32_t i = 0; i < v->follower_count; i++)
        observe_quality(w, &v->followers[i], &w->alarms[i], now);
}

void watch_lost(struct watch *w, const char *server, int64_t now)
{
    buf_reset(&w->body);
    buf_printf(&w->body, "the connection to %s was lost", server);
    alerts_restart(&w->alerts);
    alerts_raise(&w->alerts, ALERT_NATS_DISCONNECTED, NULL, buf_text(&w->body), now);
    w->stats.reconnects++;
}

void watch_connected(struct watch *w)
{
    alerts_resolve(&w->alerts, ALERT_NATS_DISCONNECTED, NULL);
}

void watch_run_closed(struct watch *w, const struct runs_closed *run)
{
    buf_reset(&w->body);
    buf_printf(&w->body,
               "%s is over: edition %" PRIu64 " has %" PRIu64 " rows in %" PRIu64 " files",
               run->run[0] != '\0' ? run->run : "what is of no simulation", run->edition, run->rows,
               run->files);
    alerts_announce(&w->alerts, ALERT_RUN_CLOSED, run->run, buf_text(&w->body));
}

/* What `systemctl status` shows. */
static void tell_status(struct watch *w, uint64_t lag)
{
    struct buf text = {0}, reasons = {0};
    char count[NUM_COUNT_TEXT_MAX];
    num_format_count(lag, count);
    if (view_is_ready(w->view, clock_monotonic(), &reasons))
        buf_printf(&text, "STATUS=ready, lag %s", count);
    else
        buf_printf(&text, "STATUS=not ready: %.*s", (int)strcspn(buf_text(&reasons), "\n"),
                   buf_text(&reasons));
    notify_send(&w->notify, buf_text(&text));
    buf_free(&text);
    buf_free(&reasons);
}

static int64_t sample(struct watch *w, int64_t now)
{
    const struct view *v = w->view;
    struct stats_sample totals = {.written = w->stats.bytes_written};
    if (now >= w->stats.next_sample)
        look_at_verdict(w, now);
    for (uint32_t i = 0; i < v->source_count; i++) {
        totals.received += v->sources[i].counters->messages_received;
        totals.committed += v->sources[i].counters->rows_committed;
        totals.lag += v->sources[i].counters->consumer_pending + v->sources[i].counters->pending;
    }
    if (now >= w->stats.next_sample && w->told_ready)
        tell_status(w, totals.lag);
    return stats_sample(&w->stats, totals, now);
}

static int64_t tell_manager(struct watch *w, int64_t now)
{
    if (!w->told_ready)
        notify_send(&w->notify, "READY=1");
    w->told_ready = true;
    if (w->view->stopping && !w->told_stopping) {
        notify_send(&w->notify, "STOPPING=1");
        w->told_stopping = true;
    }
    return notify_tick(&w->notify, now);
}

int64_t watch_turn(struct watch *w, const struct net_wait *list, size_t count, int64_t now)
{
    observe(w, now);
    int64_t next = sample(w, now);
    next = clock_earliest(next, alerts_tick(&w->alerts, w->view->client, now));
    next = clock_earliest(next, http_turn(&w->http, list, count, now));
    return clock_earliest(next, tell_manager(w, now));
}

/* SPDX-License-Identifier: MIT */
#include "watch/watch.h"

#include "base/log.h"
#include "watch/health.h"
#include "watch/metrics.h"
#include "watch/status_page.h"
#include "pipeline/pipeline.h"
#include "watch/status.h"

/* --- the endpoint ---------------------------------------------------------------------------- */

static struct http_response answer_page(struct pipeline *p, struct buf *body, int64_t now)
{
    status_append(body, p, STATUS_PAGE, now);
    return (struct http_response){
        .status = 200, .type = "text/html; charset=utf-8", .fields = page_policy};
}

static struct http_response answer_ready(struct pipeline *p, struct buf *body, int64_t now)
{
    bool ready = health_is_ready(p, now, body);
    if (ready)
        buf_append_text(body, "ready\n");
    return (struct http_response){
        .status = ready ? 200 : 503, .type = "text/plain; charset=utf-8", .fields = ""};
}

static struct http_response answer(void *context, struct slice path, int64_t now)
{
    struct pipeline *p = context;
    struct buf *body = &p->watch.body;
    struct http_response response = {
        .status = 200, .type = "text/plain; charset=utf-8", .fields = ""};
    buf_reset(body);
    if (slice_is(path, "/metrics")) {
        metrics_append(body, p, now);
        response.type = METRICS_CONTENT_TYPE;
    } else if (slice_is(path, "/healthz")) {
        buf_append_text(body, "ok\n");
    } else if (slice_is(path, "/readyz")) {
        response = answer_ready(p, body, now);
    } else if (slice_is(path, "/")) {
        response = answer_page(p, body, now);
    } else if (slice_is(path, "/status.json")) {
        status_append(body, p, STATUS_JSON, now);
        response.type = "application/json";
    } else {
        response.status = 404;
        buf_append_text(body, "there are /, /status.json, /metrics, /healthz and /readyz\n");
    }
    response.body = buf_slice(body);
    return response;
}

/* --- life ------------------------------------------------------------------------------------ */

void watch_init(struct watch *w)
{
    *w = (struct watch){.started = clock_wall()};
    w->http.listener = -1;
    w->notify.fd = -1;
}

int watch_open(struct watch *w, struct pipeline *p, struct err *err)
{
    const struct config *c = p->config;
    struct err failure = {0};
    notify_open(&w->notify);
    alerts_init(&w->alerts, c->alerts.subject, c->nats.name, c->nats.name,
                (uint32_t)c->source_count, HEALTH_AGES_MAX * c->batching.max_age,
                p->connection.options.random_key);
    if (http_listen(&w->http, c->metrics.listen, answer, p, &failure) == 0) {
        if (w->http.listener >= 0)
            log_message(LOG_INFO, "listening", "http://%s/", w->http.address);
        return 0;
    }
    err_prefix(&failure, "metrics.listen");
    if (!p->once)
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
}

size_t watch_waits(const struct watch *w, struct net_wait list[static HTTP_WAITS_MAX])
{
    return http_waits(&w->http, list);
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- alerts ---------------------------------------------------------------------------------- */

static const char *text_of(struct buf *out, const struct source *s, enum source_alert alert)
{
    buf_reset(out);
    switch (alert) {
    case SOURCE_ALERT_STREAM_MISSING:
        buf_append_text(out, "the stream does not exist; varve waits for it");
        break;
    case SOURCE_ALERT_STREAM_RECREATED:
        buf_append_text(out, "the stream was made again; its sequences count anew");
        break;
    case SOURCE_ALERT_CONSUMER_RECREATED:
        buf_append_text(out, "the consumer was deleted; varve made it again");
        break;
    case SOURCE_ALERT_DATA_LOST:
        buf_append_text(out, "messages were gone before varve had them, in all at most ");
        buf_append_decimal(out, s->counters.lost);
        break;
    case SOURCE_ALERT_DEAD_LETTERS:
        buf_append_text(out, "messages could not become rows, in all ");
        buf_append_decimal(out, source_counters_dead_lettered(&s->counters));
        break;
    case SOURCE_ALERTS:
        break;
    }
    return buf_text(out);
}

static void observe_source(struct alerts *a, struct buf *text, struct source *s, int64_t now)
{
    static const enum alert_kind kinds[SOURCE_ALERTS] = {
        [SOURCE_ALERT_STREAM_MISSING] = ALERT_STREAM_MISSING,
        [SOURCE_ALERT_STREAM_RECREATED] = ALERT_STREAM_RECREATED,
        [SOURCE_ALERT_CONSUMER_RECREATED] = ALERT_CONSUMER_RECREATED,
        [SOURCE_ALERT_DATA_LOST] = ALERT_DATA_LOST,
        [SOURCE_ALERT_DEAD_LETTERS] = ALERT_DEAD_LETTERS,
    };
    for (int i = 0; i < SOURCE_ALERTS && (s->raised | s->resolved) != 0; i++) {
        uint32_t bit = 1u << i;
        const char *stream = s->settings->stream;
        if ((s->raised & bit) != 0)
            alerts_raise(a, kinds[i], stream, text_of(text, s, (enum source_alert)i), now);
        if ((s->resolved & bit) != 0 && (s->standing & bit) == 0)
            alerts_resolve(a, kinds[i], stream);
    }
    s->raised = 0;
    s->resolved = 0;
}

static void observe(struct pipeline *p, int64_t now)
{
    struct alerts *a = &p->watch.alerts;
    struct buf *text = &p->watch.body;
    struct committer_trouble trouble = committer_trouble(&p->committer);
    a->quiet = HEALTH_AGES_MAX * p->batcher.limits.age; /* a reload may change it */
    if (trouble.failing)
        alerts_raise(a, ALERT_COMMIT_FAILED, NULL, health_commit_failure(&trouble), now);
    else
        alerts_resolve(a, ALERT_COMMIT_FAILED, NULL);
    if ((p->pauses & 1u << FLOW_DISK_LOW) != 0)
        alerts_raise(a, ALERT_DISK_LOW, NULL, "less than output.min_free is free; varve is paused",
                     now);
    else
        alerts_resolve(a, ALERT_DISK_LOW, NULL);
    for (uint32_t i = 0; i < p->source_count; i++)
        observe_source(a, text, &p->sources[i], now);
}

void watch_lost(struct pipeline *p, int64_t now)
{
    struct buf *text = &p->watch.body;
    buf_reset(text);
    buf_printf(text, "the connection to %s was lost", p->connection.address);
    alerts_restart(&p->watch.alerts);
    alerts_raise(&p->watch.alerts, ALERT_NATS_DISCONNECTED, NULL, buf_text(text), now);
}

void watch_connected(struct pipeline *p)
{
    alerts_resolve(&p->watch.alerts, ALERT_NATS_DISCONNECTED, NULL);
}

/* --- the loop -------------------------------------------------------------------------------- */

static int64_t sample(struct pipeline *p, int64_t now)
{
    struct stats_sample totals = {.written = p->stats.bytes_written};
    for (uint32_t i = 0; i < p->source_count; i++) {
        totals.received += p->sources[i].counters.messages_received;
        totals.committed += p->sources[i].counters.rows_committed;
    }
    return stats_sample(&p->stats, totals, now);
}

static int64_t tell_manager(struct pipeline *p, int64_t now)
{
    struct watch *w = &p->watch;
    if (!w->told_ready)
        notify_send(&w->notify, "READY=1");
    w->told_ready = true;
    if (p->phase != PIPELINE_RUNNING && !w->told_stopping) {
        notify_send(&w->notify, "STOPPING=1");
        w->told_stopping = true;
    }
    return notify_tick(&w->notify, now);
}

int64_t watch_turn(struct pipeline *p, const struct net_wait *list, size_t count, int64_t now)
{
    bool connected = connection_is_ready(&p->connection);
    observe(p, now);
    int64_t next = sample(p, now);
    next = earliest(next,
                    alerts_tick(&p->watch.alerts, connected ? &p->connection.client : NULL, now));
    next = earliest(next, http_turn(&p->watch.http, list, count, now));
    return earliest(next, tell_manager(p, now));
}

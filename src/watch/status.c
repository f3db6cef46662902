/* SPDX-License-Identifier: MIT */
#include "watch/pages.h"

#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "base/version.h"
#include "watch/watch.h"

/* A time of clock_wall; null where it is 0. */
static void put_time(struct json_writer *j, const char *name, int64_t wall)
{
    char text[TIME_TEXT_MAX];
    if (wall == 0) {
        json_put_null(j, name);
        return;
    }
    time_format(wall, 3, text);
    json_put_text(j, name, text);
}

static void put_seconds(struct json_writer *j, const char *name, int64_t ns)
{
    buf_printf(json_put_raw(j, name), "%.3f", (double)ns / (double)CLOCK_SECOND);
}

/* What is not known is null. */
static void put_known(struct json_writer *j, const char *name, bool known, uint64_t value)
{
    if (known)
        json_put_u64(j, name, value);
    else
        json_put_null(j, name);
}

/* Lines as an array of texts. */
static void put_lines(struct json_writer *j, const char *name, struct slice text)
{
    json_open_array(j, name);
    size_t begin = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\n') {
            json_put_slice(j, NULL, (struct slice){text.data + begin, i - begin});
            begin = i + 1;
        }
    json_close_array(j);
}

static void put_instance(struct json_writer *j, const struct watch *w)
{
    json_put_text(j, "instance", w->view->instance);
    json_put_text(j, "release", varve_version);
    json_put_text(j, "build", varve_build);
    put_time(j, "time", clock_wall());
    put_time(j, "started", w->started);
}

static void put_verdict(struct json_writer *j, const struct watch *w, int64_t now)
{
    struct buf reasons = {0};
    json_put_bool(j, "ready", view_is_ready(w->view, now, &reasons));
    put_time(j, "ready_changed", w->verdict.since);
    put_lines(j, "reasons", buf_slice(&reasons));
    json_put_bool(j, "stopping", w->view->stopping);
    json_open_array(j, "paused");
    for (uint32_t i = 0; i < w->view->pause_names.count; i++)
        if ((w->view->pauses & 1u << i) != 0)
            json_put_text(j, NULL, w->view->pause_names.name(i));
    json_close_array(j);
    buf_free(&reasons);
}

static void put_connection(struct json_writer *j, const struct watch *w)
{
    const struct view *v = w->view;
    json_open_object(j, "connection");
    json_put_bool(j, "connected", v->client != NULL);
    json_put_text(j, "server", v->server);
    json_put_slice(j, "server_version", v->client != NULL ? v->version : (struct slice){0});
    put_time(j, "down_since", v->client != NULL ? 0 : v->down_since);
    json_put_u64(j, "lost", w->stats.reconnects);
    if (v->client != NULL && v->tls != NULL)
        json_put_text(j, "tls", v->tls);
    else
        json_put_null(j, "tls");
    put_time(j, "server_certificate_expires", v->client != NULL ? v->server_expires : 0);
    put_time(j, "own_certificate_expires", v->client != NULL ? v->own_expires : 0);
    put_time(j, "login_expires", v->login_expires);
    json_close_object(j);
}

static void put_store(struct json_writer *j, const struct watch *w)
{
    const struct view *v = w->view;
    json_open_object(j, "store");
    json_put_text(j, "directory", v->output);
    put_known(j, "free_bytes", v->disk_free != UINT64_MAX, v->disk_free);
    json_put_u64(j, "min_free_bytes", v->min_free);
    put_time(j, "last_commit", w->stats.last_commit);
    json_put_u64(j, "commits", w->stats.epochs);
    json_put_u64(j, "written_bytes", w->stats.bytes_written);
    json_put_u64(j, "open_rows", v->open_rows);
    json_put_u64(j, "open_files", v->partitions);
    json_put_u64(j, "memory_bytes", v->memory);
    json_put_u64(j, "memory_limit_bytes", v->memory_limit);
    json_close_object(j);
}

static void put_streams(struct json_writer *j, const struct view *v, int64_t now)
{
    json_open_array(j, "streams");
    for (uint32_t i = 0; i < v->source_count; i++) {
        const struct view_source *s = &v->sources[i];
        const struct source_counters *c = s->counters;
        json_open_object(j, NULL);
        json_put_text(j, "stream", s->stream);
        json_put_text(j, "state", s->state);
        put_known(j, "lag", s->known, c->consumer_pending + c->pending);
        put_seconds(j, "oldest_unacked_seconds", view_oldest_unacked(s, now));
        json_put_u64(j, "dead_letters", source_counters_dead_lettered(c));
        json_put_u64(j, "lost", c->lost);
        json_put_u64(j, "gaps", c->gaps);
        json_put_u64(j, "received", c->messages_received);
        json_put_u64(j, "committed", c->rows_committed);
        json_put_u64(j, "deduplicated", c->rows_deduplicated);
        put_known(j, "last_sequence", s->known, c->stream_last_sequence);
        put_known(j, "ack_floor", s->known, c->consumer_ack_floor);
        json_close_object(j);
    }
    json_close_array(j);
}

/* The simulations with the most findings. */
static void put_quality(struct json_writer *j, const struct quality_summary *q)
{
    json_open_array(j, "simulations");
    for (uint32_t i = 0; i < q->lines; i++) {
        json_open_object(j, NULL);
        json_put_text(j, "simulation_id", q->line[i].simulation);
        json_put_u64(j, "events", q->line[i].events);
        json_put_u64(j, "findings", q->line[i].found);
        if (q->line[i].found > 0)
            json_put_text(j, "most", quality_finding_name(q->line[i].most));
        else
            json_put_null(j, "most");
        json_close_object(j);
    }
    json_close_array(j);
}

static void put_followers(struct json_writer *j, const struct view *v)
{
    json_open_array(j, "followers");
    for (uint32_t i = 0; i < v->follower_count; i++) {
        const struct view_follower *f = &v->followers[i];
        json_open_object(j, NULL);
        json_put_text(j, "name", f->name);
        json_put_text(j, "kind", f->kind);
        put_known(j, "position", f->known, f->position);
        put_known(j, "lag", f->known, f->lag_rows);
        put_seconds(j, "lag_seconds", f->lag);
        json_put_u64(j, "rows", f->rows);
        json_put_u64(j, "refused", f->refused);
        json_put_u64(j, "notes_removed", f->notes_removed);
        json_put_u64(j, "memory_bytes", f->memory);
        json_put_u64(j, "files_fed", f->files_fed);
        json_put_u64(j, "files_read", f->files_read);
        if (f->quality != NULL) {
            json_put_u64(j, "findings", f->quality->found);
            put_quality(j, f->quality);
        }
        if (f->failure != NULL)
            json_put_text(j, "failure", f->failure);
        else
            json_put_null(j, "failure");
        json_close_object(j);
    }
    json_close_array(j);
}

static void put_alerts(struct json_writer *j, const struct alerts *a)
{
    json_open_array(j, "alerts");
    for (uint32_t i = 0; i < a->count; i++) {
        const struct alert *alert = &a->list[i];
        json_open_object(j, NULL);
        json_put_text(j, "name", alert_name(alert->kind));
        bool of_stream = alert->stream != NULL && strcmp(alert_object(alert->kind), "stream") == 0;
        if (!of_stream)
            json_put_null(j, "stream");
        if (alert->stream != NULL)
            json_put_text(j, alert_object(alert->kind), alert->stream);
        put_time(j, "since", alert->since);
        put_time(j, "until", alert->until);
        json_put_text(j, "text", alert->text);
        json_close_object(j);
    }
    json_close_array(j);
}

static void put_commits(struct json_writer *j, const struct watch *w)
{
    json_open_array(j, "commits");
    for (uint64_t i = 0; i < w->stats.epochs && i < STATS_COMMITS; i++) {
        const struct stats_commit *c = &w->stats.commits[(w->stats.epochs - 1 - i) % STATS_COMMITS];
        json_open_object(j, NULL);
        put_time(j, "time", c->time);
        json_put_u64(j, "epoch", c->epoch);
        json_put_text(j, "reason", w->view->reason_names.name(c->reason));
        json_put_u64(j, "rows", c->rows);
        json_put_u64(j, "files", c->files);
        json_put_u64(j, "bytes", c->bytes);
        put_seconds(j, "seconds", c->commit_ns);
        json_close_object(j);
    }
    json_close_array(j);
}

static void put_rate(struct json_writer *j, const char *name, const struct stats *s, size_t offset)
{
    struct stats_curve curve = stats_curve(s, offset);
    json_open_array(j, name);
    for (size_t i = 0; i < curve.count; i++)
        json_put_u64(j, NULL, curve.values[i]);
    json_close_array(j);
}

static void put_rates(struct json_writer *j, const struct stats *s)
{
    json_open_object(j, "samples");
    json_put_u64(j, "interval_seconds", STATS_INTERVAL / CLOCK_SECOND);
    put_rate(j, "lag", s, offsetof(struct stats_sample, lag));
    put_rate(j, "received", s, offsetof(struct stats_sample, received));
    put_rate(j, "committed", s, offsetof(struct stats_sample, committed));
    put_rate(j, "written_bytes", s, offsetof(struct stats_sample, written));
    json_close_object(j);
}

void status_append(struct buf *out, const struct watch *w, int64_t now)
{
    struct json_writer j = {.out = out};
    json_open_object(&j, NULL);
    json_put_u64(&j, "version", STATUS_VERSION);
    put_instance(&j, w);
    put_verdict(&j, w, now);
    put_connection(&j, w);
    put_store(&j, w);
    put_streams(&j, w->view, now);
    put_followers(&j, w->view);
    put_alerts(&j, &w->alerts);
    put_commits(&j, w);
    put_rates(&j, &w->stats);
    json_close_object(&j);
    buf_append_byte(out, '\n');
}

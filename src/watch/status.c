/* SPDX-License-Identifier: MIT */
#include "watch/pages.h"

#include <assert.h>
#include <inttypes.h>

#include "base/num.h"
#include "base/time.h"
#include "base/version.h"
#include "watch/watch.h"

static const char *duration(int64_t ns, char out[static NUM_SIZE_TEXT_MAX])
{
    /* Whole seconds: nobody reads more. */
    num_format_duration((ns < 0 ? 0 : ns) / CLOCK_SECOND * CLOCK_SECOND, out);
    return out;
}

static const char *size(uint64_t bytes, char out[static NUM_SIZE_TEXT_MAX])
{
    num_format_size(bytes, out);
    return out;
}

static const char *time_of(int64_t wall, char out[static TIME_TEXT_MAX])
{
    time_format(wall, 0, out);
    return out;
}

static void show_connection(struct status_writer *w, const struct view *v)
{
    char age[NUM_SIZE_TEXT_MAX];
    if (v->client != NULL)
        status_fact(w, "connection", "NATS", "connected to %s (%.*s)", v->server,
                    (int)v->version.len, (const char *)v->version.data);
    else
        status_fact(w, "connection", "NATS", "not connected for %s; the last server tried is %s",
                    duration(clock_wall() - v->down_since, age), v->server);
}

static void show_encryption(struct status_writer *w, const struct view *v)
{
    char server[TIME_TEXT_MAX], own[TIME_TEXT_MAX];
    if (v->client == NULL)
        return;
    if (v->tls == NULL)
        status_fact(w, "encrypted", "Encrypted", "no");
    else if (v->tls_insecure)
        status_fact(w, "encrypted", "Encrypted",
                    "%s, but the server may be anybody: nats.tls.insecure is set", v->tls);
    else if (v->own_expires == 0)
        status_fact(w, "encrypted", "Encrypted", "%s; the server's certificate expires at %s",
                    v->tls, time_of(v->server_expires, server));
    else
        status_fact(w, "encrypted", "Encrypted",
                    "%s; the server's certificate expires at %s, ours at %s", v->tls,
                    time_of(v->server_expires, server), time_of(v->own_expires, own));
}

static void show_login(struct status_writer *w, const struct view *v)
{
    char time[TIME_TEXT_MAX];
    if (v->login_expires != 0)
        status_fact(w, "login", "Login", "%s %s",
                    v->login_expiring ? "renew it: expires" : "expires",
                    time_of(v->login_expires, time));
}

static void show_paused(struct status_writer *w, const struct view *v)
{
    struct buf names = {0};
    for (uint32_t i = 0; i < v->pause_names.count; i++)
        if ((v->pauses & 1u << i) != 0)
            buf_printf(&names, "%s%s", names.len > 0 ? ", " : "yes: ", v->pause_names.name(i));
    status_fact(w, "paused", "Paused", "%s", names.len > 0 ? buf_text(&names) : "no");
    buf_free(&names);
}

static void show_facts(struct status_writer *w, const struct watch *watch)
{
    const struct view *v = watch->view;
    const struct stats *s = &watch->stats;
    char used[NUM_SIZE_TEXT_MAX], limit[NUM_SIZE_TEXT_MAX], time[TIME_TEXT_MAX];
    status_facts_begin(w);
    show_connection(w, v);
    show_encryption(w, v);
    show_login(w, v);
    status_fact(w, "reconnects", "Connections lost", "%" PRIu64, s->reconnects);
    show_paused(w, v);
    status_fact(w, "last-commit", "Last commit", "%s",
                s->last_commit == 0 ? "none yet" : time_of(s->last_commit, time));
    status_fact(w, "partitions", "Open partitions", "%" PRIu32, v->partitions);
    status_fact(w, "open-rows", "Rows in the open epoch", "%" PRIu64, v->open_rows);
    status_fact(w, "memory", "Memory of rows", "%s of %s", size(v->memory, used),
                size(v->memory_limit, limit));
    if (v->disk_free == UINT64_MAX)
        status_fact(w, "disk", "Free disk space", "unknown");
    else
        status_fact(w, "disk", "Free disk space", "%s; varve pauses below %s",
                    size(v->disk_free, used), size(v->min_free, limit));
    status_fact(w, "output", "Output", "%s", v->output);
    status_fact(w, "uptime", "Running since", "%s", time_of(watch->started, time));
    status_fact(w, "version", "Version", "%s (%s)", varve_version, varve_build);
    status_facts_end(w);
}

/* One of the numbers of each sample. */
static uint64_t pick(const struct stats_sample *s, size_t offset)
{
    return *(const uint64_t *)((const char *)s + offset);
}

static void show_rate(struct status_writer *w, const struct stats *s, const char *id,
                      const char *label, size_t offset, bool bytes)
{
    static_assert((int)STATS_SAMPLES <= (int)STATUS_CURVE_POINTS, "all samples are shown");
    const uint64_t seconds = STATS_INTERVAL / CLOCK_SECOND;
    struct status_curve curve = {.count = s->sample_count < STATS_SAMPLES ? (size_t)s->sample_count
                                                                          : STATS_SAMPLES};
    uint64_t newest = 0, most = 0;
    for (size_t i = 0; i < curve.count; i++) {
        uint64_t sample = s->sample_count - curve.count + i;
        newest = pick(&s->samples[sample % STATS_SAMPLES], offset) / seconds;
        most = newest > most ? newest : most;
        curve.values[i] = newest;
    }
    char now[NUM_SIZE_TEXT_MAX], top[NUM_SIZE_TEXT_MAX];
    if (bytes)
        status_curve_fact(w, id, label, &curve, "%s now, at most %s", size(newest, now),
                          size(most, top));
    else
        status_curve_fact(w, id, label, &curve, "%" PRIu64 " now, at most %" PRIu64, newest, most);
}

static void show_rates(struct status_writer *w, const struct stats *s)
{
    status_heading(w, "Per second, over the last five minutes");
    status_facts_begin(w);
    show_rate(w, s, "received", "Messages received", offsetof(struct stats_sample, received),
              false);
    show_rate(w, s, "committed", "Rows committed", offsetof(struct stats_sample, committed), false);
    show_rate(w, s, "written", "Bytes written", offsetof(struct stats_sample, written), true);
    status_facts_end(w);
}

static void show_streams(struct status_writer *w, const struct view *v, int64_t now)
{
    static const char *const headings[] = {
        "Stream",    "State",    "Lag",          "Last sequence", "Ack floor", "Oldest unacked",
        "Committed", "Received", "Deduplicated", "Dead letters",  "Lost",      NULL};
    char age[NUM_SIZE_TEXT_MAX];
    status_heading(w, "Streams");
    status_table_begin(w, "streams", headings);
    for (uint32_t i = 0; i < v->source_count; i++) {
        const struct view_source *s = &v->sources[i];
        const struct source_counters *c = s->counters;
        status_row(w);
        status_cell(w, "%s", s->stream);
        status_cell(w, "%s", s->state);
        status_cell(w, "%" PRIu64, c->consumer_pending + c->pending);
        status_cell(w, "%" PRIu64, c->stream_last_sequence);
        status_cell(w, "%" PRIu64, c->consumer_ack_floor);
        status_cell(w, "%s", duration(view_oldest_unacked(s, now), age));
        status_cell(w, "%" PRIu64, c->rows_committed);
        status_cell(w, "%" PRIu64, c->messages_received);
        status_cell(w, "%" PRIu64, c->rows_deduplicated);
        status_cell(w, "%" PRIu64, source_counters_dead_lettered(c));
        status_cell(w, "%" PRIu64, c->lost);
    }
    status_table_end(w);
}

static void show_commits(struct status_writer *w, const struct stats *s,
                         const struct view_names *reasons)
{
    static const char *const headings[] = {"Time",  "Epoch", "Reason",  "Rows",
                                           "Files", "Size",  "Seconds", NULL};
    char time[TIME_TEXT_MAX], bytes[NUM_SIZE_TEXT_MAX];
    status_heading(w, "Last commits");
    status_table_begin(w, "commits", headings);
    for (uint64_t i = 0; i < s->epochs && i < STATS_COMMITS; i++) {
        const struct stats_commit *c = &s->commits[(s->epochs - 1 - i) % STATS_COMMITS];
        status_row(w);
        status_cell(w, "%s", time_of(c->time, time));
        status_cell(w, "%" PRIu64, c->epoch);
        status_cell(w, "%s", reasons->name(c->reason));
        status_cell(w, "%" PRIu64, c->rows);
        status_cell(w, "%" PRIu64, c->files);
        status_cell(w, "%s", size(c->bytes, bytes));
        status_cell(w, "%.3f", (double)c->commit_ns / (double)CLOCK_SECOND);
    }
    status_table_end(w);
}

static void show_alerts(struct status_writer *w, const struct alerts *a)
{
    static const char *const headings[] = {"Alert", "Stream", "State", "Since", "What", NULL};
    char time[TIME_TEXT_MAX];
    status_heading(w, "Alerts");
    status_table_begin(w, "alerts", headings);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct alert *alert = &a->list[i];
        status_row(w);
        status_cell(w, "%s", alert_name(alert->kind));
        status_cell(w, "%s", alert->stream == NULL ? "" : alert->stream);
        status_cell(w, "%s", alert->until == 0 ? "raised" : "resolved, not published yet");
        status_cell(w, "%s", time_of(alert->since, time));
        status_cell(w, "%s", alert->text);
    }
    status_table_end(w);
}

void status_append(struct buf *out, const struct watch *watch, enum status_form form, int64_t now)
{
    struct status_writer w;
    struct buf summary = {0};
    buf_append_text(&summary, "\xe2\x9c\x97 not ready: rows do not become durable\n");
    bool ready = view_is_ready(watch->view, now, &summary);
    if (form == STATUS_PAGE)
        buf_append_text(out, status_page_head);
    status_begin(&w, out, form, ready);
    if (form == STATUS_PAGE)
        buf_append_text(out, "<h1>varve</h1>\n");
    status_line(&w, "summary",
                ready ? "\xe2\x9c\x93 ready: rows become durable" : buf_text(&summary));
    show_facts(&w, watch);
    show_rates(&w, &watch->stats);
    show_streams(&w, watch->view, now);
    show_alerts(&w, &watch->alerts);
    show_commits(&w, &watch->stats, &watch->view->reason_names);
    status_end(&w);
    if (form == STATUS_PAGE)
        buf_append_text(out, status_page_tail);
    buf_free(&summary);
}

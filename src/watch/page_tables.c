/* SPDX-License-Identifier: MIT */
#include "watch/page_part.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/version.h"

/* Of a table: its heading, and whether its cells are numbers. */
struct heading {
    const char *label;
    bool number;
};

static void table_begin(struct buf *out, const struct heading *columns, size_t n)
{
    buf_append_text(out, "<div class=\"wide\"><table><thead><tr>");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "<th%s>%s</th>", columns[i].number ? " class=\"n\"" : "", columns[i].label);
    buf_append_text(out, "</tr></thead><tbody>\n");
}

static void cell_text(struct buf *out, const struct heading *c, const char *text)
{
    buf_printf(out, "<td data-label=\"%s\"%s>", c->label, c->number ? " class=\"n\"" : "");
    page_say(out, "%s", text);
    buf_append_text(out, "</td>");
}

static void cell_state(struct buf *out, const struct heading *c, const char *text, bool bad)
{
    buf_printf(out, "<td data-label=\"%s\"%s>", c->label, bad ? " class=\"bad\"" : "");
    page_say(out, "%s", text);
    buf_append_text(out, "</td>");
}

/* A phone leaves out that it is none. */
static void cell_age(struct buf *out, const struct heading *c, int64_t age)
{
    char text[NUM_SIZE_TEXT_MAX];
    buf_printf(out, "<td data-label=\"%s\" class=\"n%s\">%s</td>", c->label, age > 0 ? "" : " zero",
               age > 0 ? page_span(age, text) : "none");
}

/* What should be 0 and is not stands out. */
static void cell_alarm(struct buf *out, const struct heading *c, uint64_t n)
{
    char text[NUM_COUNT_TEXT_MAX];
    buf_printf(out, "<td data-label=\"%s\" class=\"n %s\">%s</td>", c->label,
               n > 0 ? "bad" : "zero", page_count(n, text));
}

static void cell_count(struct buf *out, const struct heading *c, bool known, uint64_t n)
{
    char text[NUM_COUNT_TEXT_MAX];
    buf_printf(out, "<td data-label=\"%s\" class=\"n%s\">%s</td>", c->label,
               known && n == 0 ? " zero" : "", known ? page_count(n, text) : "unknown");
}

static void show_stream(struct buf *out, const struct heading *c, const struct view_source *s,
                        int64_t now, bool bad)
{
    const struct source_counters *n = s->counters;
    buf_append_text(out, "<tr>");
    cell_text(out, &c[0], s->stream);
    cell_state(out, &c[1], s->state, bad);
    cell_alarm(out, &c[2], n->lost);
    cell_alarm(out, &c[3], source_counters_dead_lettered(n));
    cell_count(out, &c[4], s->known, n->consumer_pending + n->pending);
    cell_age(out, &c[5], view_oldest_unacked(s, now));
    cell_count(out, &c[6], true, n->rows_committed);
    cell_count(out, &c[7], true, n->messages_received);
    cell_count(out, &c[8], true, n->rows_deduplicated);
    cell_count(out, &c[9], s->known, n->stream_last_sequence);
    buf_append_text(out, "</tr>\n");
}

/* Those that have come to a halt stand on top. */
static void show_streams(struct buf *out, const struct view *v, int64_t now)
{
    static const struct heading c[] = {
        {"Stream", false},  {"State", false}, {"Lost", true},      {"Dead letters", true},
        {"Lag", true},      {"Oldest", true}, {"Committed", true}, {"Received", true},
        {"Repeated", true}, {"Last", true},
    };
    buf_printf(out, "<h2>Streams</h2>\n<section id=\"streams\"%s>",
               v->client == NULL ? " class=\"stale\"" : "");
    table_begin(out, c, sizeof(c) / sizeof(c[0]));
    for (int turn = 0; turn < 2; turn++)
        for (uint32_t i = 0; i < v->source_count; i++) {
            const struct view_source *s = &v->sources[i];
            bool halted = v->client != NULL && (s->stalled || s->refusal != NULL);
            if (halted == (turn == 0))
                show_stream(out, c, s, now, halted);
        }
    buf_append_text(out, "</tbody></table></div></section>\n");
}

static void show_followers(struct buf *out, const struct view *v)
{
    static const struct heading c[] = {
        {"Follower", false}, {"Kind", false}, {"State", false},  {"Lag", true},
        {"Oldest", true},    {"Rows", true},  {"Refused", true}, {"Position", true},
    };
    if (v->follower_count == 0)
        return;
    buf_append_text(out, "<h2>Followers</h2>\n<section id=\"followers\">");
    table_begin(out, c, sizeof(c) / sizeof(c[0]));
    for (uint32_t i = 0; i < v->follower_count; i++) {
        const struct view_follower *f = &v->followers[i];
        buf_append_text(out, "<tr>");
        cell_text(out, &c[0], f->name);
        cell_text(out, &c[1], f->kind);
        cell_state(out, &c[2],
                   f->failure != NULL ? f->failure
                   : f->known         ? "following"
                                      : "starting",
                   f->failure != NULL);
        cell_count(out, &c[3], f->known, f->lag_rows);
        cell_age(out, &c[4], f->lag);
        cell_count(out, &c[5], true, f->rows);
        cell_alarm(out, &c[6], f->refused);
        cell_count(out, &c[7], f->known, f->position);
        buf_append_text(out, "</tr>\n");
    }
    buf_append_text(out, "</tbody></table></div></section>\n");
}

static void show_runs(struct buf *out, const struct view_follower *f)
{
    static const struct heading c[] = {
        {"Simulation", false}, {"Events", true}, {"Findings", true}, {"Most of them", false}};
    const struct quality_summary *q = f->quality;
    char rows[NUM_COUNT_TEXT_MAX];
    buf_append_text(out, "<h2>Quality</h2>\n<section id=\"quality\">");
    table_begin(out, c, sizeof(c) / sizeof(c[0]));
    for (uint32_t i = 0; i < q->lines; i++) {
        const struct quality_line *line = &q->line[i];
        struct buf most = {0};
        if (line->found > 0)
            buf_printf(&most, "%s %s; the first is %" PRIu64, page_count(line->count.rows, rows),
                       quality_finding_text(line->most), line->count.first);
        buf_append_text(out, "<tr>");
        cell_text(out, &c[0], line->simulation[0] != '\0' ? line->simulation : "(none)");
        cell_count(out, &c[1], true, line->events);
        cell_alarm(out, &c[2], line->found);
        cell_text(out, &c[3], most.len > 0 ? buf_text(&most) : "nothing was found");
        buf_append_text(out, "</tr>\n");
        buf_free(&most);
    }
    buf_append_text(out, "</tbody></table></div>");
    if (q->simulations > q->lines)
        buf_printf(out, "<p>and %s simulations more</p>",
                   page_count(q->simulations - q->lines, rows));
    buf_append_text(out, "</section>\n");
}

static void show_quality(struct buf *out, const struct view *v)
{
    for (uint32_t i = 0; i < v->follower_count; i++)
        if (v->followers[i].quality != NULL && v->followers[i].quality->lines > 0)
            show_runs(out, &v->followers[i]);
}

static void show_rate(struct buf *out, const struct stats *s, const char *id, const char *label,
                      size_t offset, bool bytes)
{
    char now[NUM_COUNT_TEXT_MAX], top[NUM_COUNT_TEXT_MAX];
    struct stats_curve curve = stats_curve(s, offset);
    uint64_t most = 0;
    for (size_t i = 0; i < curve.count; i++) {
        curve.values[i] /= STATS_INTERVAL / CLOCK_SECOND;
        most = curve.values[i] > most ? curve.values[i] : most;
    }
    uint64_t newest = curve.count > 0 ? curve.values[curve.count - 1] : 0;
    buf_printf(out, "<div><dt>%s</dt><dd id=\"%s\">", label, id);
    if (curve.count == 0)
        page_say(out, "unknown in the first five seconds");
    else if (bytes)
        page_say(out, "%s now, at most %s", page_size(newest, now), page_size(most, top));
    else
        page_say(out, "%s now, at most %s", page_count(newest, now), page_count(most, top));
    page_curve(out, &curve);
    buf_append_text(out, "</dd></div>\n");
}

static void show_rates(struct buf *out, const struct stats *s)
{
    buf_append_text(out, "<h2>Per second, over the last five minutes</h2>\n<dl id=\"rates\">\n");
    show_rate(out, s, "received", "Messages received", offsetof(struct stats_sample, received),
              false);
    show_rate(out, s, "committed", "Rows committed", offsetof(struct stats_sample, committed),
              false);
    show_rate(out, s, "written", "Bytes written", offsetof(struct stats_sample, written), true);
    buf_append_text(out, "</dl>\n");
}

static void show_commits(struct buf *out, const struct watch *w)
{
    static const struct heading c[] = {
        {"Time", false}, {"Ago", true},  {"Reason", false}, {"Rows", true},
        {"Files", true}, {"Size", true}, {"Seconds", true}, {"Epoch", true},
    };
    const struct stats *s = &w->stats;
    char time[TIME_TEXT_MAX], text[NUM_COUNT_TEXT_MAX];
    buf_append_text(out, "<h2>Last commits</h2>\n<section id=\"commits\">");
    if (s->epochs == 0) {
        buf_append_text(out, "none yet</section>\n");
        return;
    }
    table_begin(out, c, sizeof(c) / sizeof(c[0]));
    for (uint64_t i = 0; i < s->epochs && i < STATS_COMMITS; i++) {
        const struct stats_commit *commit = &s->commits[(s->epochs - 1 - i) % STATS_COMMITS];
        buf_append_text(out, "<tr>");
        cell_text(out, &c[0], page_clock(commit->time, time));
        cell_text(out, &c[1], page_ago(commit->time, text));
        cell_text(out, &c[2], w->view->reason_names.name(commit->reason));
        cell_count(out, &c[3], true, commit->rows);
        cell_count(out, &c[4], true, commit->files);
        cell_text(out, &c[5], page_size(commit->bytes, text));
        (void)snprintf(text, sizeof(text), "%.3f",
                       (double)commit->commit_ns / (double)CLOCK_SECOND);
        cell_text(out, &c[6], text);
        cell_count(out, &c[7], true, commit->epoch);
        buf_append_text(out, "</tr>\n");
    }
    buf_append_text(out, "</tbody></table></div></section>\n");
}

__attribute__((format(printf, 4, 5))) static void fact(struct buf *out, const char *id,
                                                       const char *label, const char *format, ...)
{
    char text[STATUS_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buf_printf(out, "<div><dt>%s</dt><dd id=\"%s\">", label, id);
    page_say(out, "%s", text);
    buf_append_text(out, "</dd></div>\n");
}

static void show_encryption(struct buf *out, const struct view *v)
{
    char server[TIME_TEXT_MAX], own[TIME_TEXT_MAX];
    if (v->client == NULL)
        fact(out, "encrypted", "Encrypted", "unknown");
    else if (v->tls == NULL)
        fact(out, "encrypted", "Encrypted", "no");
    else if (v->tls_insecure)
        fact(out, "encrypted", "Encrypted",
             "%s, but the server may be anybody: nats.tls.insecure is set", v->tls);
    else if (v->own_expires == 0)
        fact(out, "encrypted", "Encrypted", "%s; the server's certificate expires at %s", v->tls,
             page_clock(v->server_expires, server));
    else
        fact(out, "encrypted", "Encrypted",
             "%s; the server's certificate expires at %s, ours at %s", v->tls,
             page_clock(v->server_expires, server), page_clock(v->own_expires, own));
}

static void show_login(struct buf *out, const struct view *v)
{
    char time[TIME_TEXT_MAX];
    if (v->login_expires != 0)
        fact(out, "login", "Login", "%s %s", v->login_expiring ? "renew it: expires" : "expires",
             page_clock(v->login_expires, time));
}

static void show_facts(struct buf *out, const struct watch *w)
{
    const struct view *v = w->view;
    char used[NUM_COUNT_TEXT_MAX], limit[NUM_SIZE_TEXT_MAX], time[TIME_TEXT_MAX];
    struct buf names = {0};
    for (uint32_t i = 0; i < v->pause_names.count; i++)
        if ((v->pauses & 1u << i) != 0)
            buf_printf(&names, "%s%s", names.len > 0 ? ", " : "yes: ", v->pause_names.name(i));
    buf_append_text(out, "<h2>This process</h2>\n<dl id=\"facts\">\n");
    fact(out, "paused", "Paused", "%s", names.len > 0 ? buf_text(&names) : "no");
    fact(out, "output", "Directory", "%s", v->output);
    fact(out, "open-rows", "Rows not committed yet", "%s in %" PRIu32 " files",
         page_count(v->open_rows, used), v->partitions);
    fact(out, "memory", "Memory of rows", "%s of %s", page_size(v->memory, used),
         page_size(v->memory_limit, limit));
    show_encryption(out, v);
    show_login(out, v);
    fact(out, "reconnects", "Connections lost", "%s", page_count(w->stats.reconnects, used));
    fact(out, "uptime", "Running", "since %s (%s)", page_clock(w->started, time),
         page_ago(w->started, limit));
    fact(out, "version", "Version", "%s (%s)", varve_version, varve_build);
    buf_append_text(out, "</dl>\n");
    buf_free(&names);
}

void page_tables(struct buf *out, const struct watch *w, int64_t now)
{
    show_streams(out, w->view, now);
    show_followers(out, w->view);
    show_quality(out, w->view);
    show_rates(out, &w->stats);
    show_commits(out, w);
    show_facts(out, w);
}

/* SPDX-License-Identifier: MIT */
#include "watch/page_part.h"

#include <inttypes.h>
#include <string.h>

#include "base/base64.h"
#include "base/embedded.h"
#include "base/sha256.h"

static void show_verdict(struct buf *out, const struct watch *w, bool ready, struct slice reasons)
{
    char time[TIME_TEXT_MAX], age[NUM_SIZE_TEXT_MAX];
    buf_printf(out, "<header><h1 id=\"instance\">varve <span>");
    page_say(out, "%s", w->view->instance);
    buf_append_text(out, "</span></h1><span id=\"connection\">");
    if (w->view->client != NULL)
        page_say(out, "connected to %s (nats-server %.*s)", w->view->server,
                 (int)w->view->version.len, (const char *)w->view->version.data);
    else
        page_say(out, "not connected for %s; the last server tried is %s",
                 page_ago(w->view->down_since, age), w->view->server);
    buf_append_text(out, "</span></header>\n<main>\n<section id=\"verdict\"><strong>");
    buf_append_text(out, ready ? "\xe2\x9c\x93 ready</strong>events become durable"
                               : "\xe2\x9c\x97 not ready</strong>not all events become durable");
    if (w->verdict.since != 0)
        page_say(out, ", since %s (%s)", page_clock(w->verdict.since, time),
                 page_ago(w->verdict.since, age));
    if (!ready)
        buf_append_text(out, "<ul>");
    while (reasons.len > 0) {
        size_t len = 0;
        while (len < reasons.len && reasons.data[len] != '\n')
            len++;
        buf_append_text(out, "<li>");
        page_say(out, "%.*s", (int)len, (const char *)reasons.data);
        buf_append_text(out, "</li>");
        len += len < reasons.len;
        reasons = (struct slice){reasons.data + len, reasons.len - len};
    }
    buf_append_text(out, ready ? "</section>\n" : "</ul></section>\n");
}

static void show_alerts(struct buf *out, const struct alerts *a)
{
    char time[TIME_TEXT_MAX], age[NUM_SIZE_TEXT_MAX];
    buf_append_text(out, "<section id=\"alerts\">");
    for (uint32_t i = 0; i < a->count; i++) {
        const struct alert *alert = &a->list[i];
        buf_append_text(out, "<p class=\"alert\"><b>");
        page_say(out, "%s%s%s", alert_name(alert->kind), alert->stream == NULL ? "" : " ",
                 alert->stream == NULL ? "" : alert->stream);
        buf_append_text(out, "</b>");
        page_say(out, "%s", alert->text);
        buf_append_text(out, " <span class=\"sub\">");
        if (alert->until == 0)
            page_say(out, "since %s (%s)", page_clock(alert->since, time),
                     page_ago(alert->since, age));
        else
            page_say(out, "over, not published yet");
        buf_append_text(out, "</span></p>\n");
    }
    buf_append_text(out, "</section>\n");
}

static void card_begin(struct buf *out, const char *id, const char *label, bool stale)
{
    buf_printf(out, "<div id=\"%s\"%s><h2>%s</h2><p>", id, stale ? " class=\"stale\"" : "", label);
}

static void card_note(struct buf *out)
{
    buf_append_text(out, "</p><div class=\"sub\">");
}

static void show_lag(struct buf *out, const struct watch *w)
{
    const struct view *v = w->view;
    char text[NUM_COUNT_TEXT_MAX];
    uint64_t lag = 0;
    uint32_t known = 0;
    for (uint32_t i = 0; i < v->source_count; i++) {
        lag += v->sources[i].counters->consumer_pending + v->sources[i].counters->pending;
        known += v->sources[i].known;
    }
    card_begin(out, "lag", "Lag", known > 0 && v->client == NULL);
    page_say(out, "%s", known > 0 ? page_count(lag, text) : "unknown");
    card_note(out);
    struct stats_curve curve = stats_curve(&w->stats, offsetof(struct stats_sample, lag));
    uint64_t most = 0;
    for (size_t i = 0; i < curve.count; i++)
        most = curve.values[i] > most ? curve.values[i] : most;
    if (known == 0)
        page_say(out, "the server has not said yet");
    else if (known < v->source_count)
        page_say(out, "messages; unknown for %" PRIu32 " of %" PRIu32 " streams",
                 v->source_count - known, v->source_count);
    else
        page_say(out, "messages; at most %s in five minutes",
                 page_count(most > lag ? most : lag, text));
    page_curve(out, &curve);
    buf_append_text(out, "</div></div>\n");
}

static void show_oldest(struct buf *out, const struct view *v, int64_t now)
{
    char age[NUM_SIZE_TEXT_MAX], limit[NUM_SIZE_TEXT_MAX];
    int64_t oldest = 0;
    for (uint32_t i = 0; i < v->source_count; i++) {
        int64_t here = view_oldest_unacked(&v->sources[i], now);
        oldest = here > oldest ? here : oldest;
    }
    card_begin(out, "oldest", "Oldest unacked", false);
    page_say(out, "%s", oldest > 0 ? page_span(oldest, age) : "none");
    card_note(out);
    if (oldest == 0)
        page_say(out, "all that was received is acked; ");
    page_say(out, "a commit comes after %s",
             v->max_age < CLOCK_SECOND ? "less than 1 s" : page_span(v->max_age, limit));
    buf_append_text(out, "</div></div>\n");
}

static void show_last_commit(struct buf *out, const struct stats *s)
{
    char age[NUM_SIZE_TEXT_MAX], time[TIME_TEXT_MAX], rows[NUM_COUNT_TEXT_MAX];
    card_begin(out, "last-commit", "Last commit", false);
    if (s->last_commit != 0) {
        const struct stats_commit *c = &s->commits[(s->epochs - 1) % STATS_COMMITS];
        page_say(out, "%s ago", page_ago(s->last_commit, age));
        card_note(out);
        page_say(out, "%s, %s rows", page_clock(s->last_commit, time), page_count(c->rows, rows));
    } else {
        page_say(out, "none yet");
        card_note(out);
        page_say(out, "in this run");
    }
    buf_append_text(out, "</div></div>\n");
}

static void show_disk(struct buf *out, const struct view *v)
{
    char bytes[NUM_SIZE_TEXT_MAX];
    card_begin(out, "disk", "Free disk", false);
    page_say(out, "%s", v->disk_free == UINT64_MAX ? "unknown" : page_size(v->disk_free, bytes));
    card_note(out);
    if (v->min_free > 0)
        page_say(out, "varve pauses below %s", page_size(v->min_free, bytes));
    else
        page_say(out, "varve pauses when it is full");
    buf_append_text(out, "</div></div>\n");
}

static void show_numbers(struct buf *out, const struct watch *w, int64_t now)
{
    buf_append_text(out, "<section id=\"numbers\">\n");
    show_lag(out, w);
    show_oldest(out, w->view, now);
    show_last_commit(out, &w->stats);
    show_disk(out, w->view);
    buf_append_text(out, "</section>\n");
}

static void append_body(struct buf *out, const struct watch *w, bool ready, struct slice reasons,
                        int64_t now)
{
    show_verdict(out, w, ready, reasons);
    show_alerts(out, &w->alerts);
    show_numbers(out, w, now);
    page_tables(out, w, now);
    buf_append_text(out, "</main>");
}

static void fill_in(struct buf *out, struct slice name, const struct watch *w, int64_t now)
{
    struct buf reasons = {0};
    bool ready = view_is_ready(w->view, now, &reasons);
    if (slice_is(name, "title"))
        page_say(out, "%s: varve %s", ready ? "ready" : "not ready", w->view->instance);
    else if (slice_is(name, "level"))
        buf_append_text(out, ready ? "good" : "bad");
    else if (slice_is(name, "colour"))
        buf_append_text(out, ready ? "%231a7f37" : "%23cf222e");
    else if (slice_is(name, "style"))
        buf_append_text(out, embedded_page_css);
    else if (slice_is(name, "script"))
        buf_append_text(out, embedded_page_js);
    else if (slice_is(name, "body"))
        append_body(out, w, ready, buf_slice(&reasons), now);
    buf_free(&reasons);
}

void page_append(struct buf *out, const struct watch *w, int64_t now)
{
    const char *at = embedded_page_html, *open;
    while ((open = strstr(at, "{{")) != NULL) {
        const char *name = open + 2;
        size_t len = strcspn(name, "}");
        buf_append(out, at, (size_t)(open - at));
        fill_in(out, (struct slice){(const uint8_t *)name, len}, w, now);
        at = name + len + 2;
    }
    buf_append_text(out, at);
}

static void append_hash(struct buf *out, const char *text)
{
    uint8_t hash[SHA256_BYTES];
    struct sha256 h;
    sha256_begin(&h);
    sha256_add(&h, text, strlen(text));
    sha256_end(&h, hash);
    buf_append_text(out, "'sha256-");
    base64_append(out, (struct slice){hash, sizeof(hash)});
    buf_append_byte(out, '\'');
}

void page_append_policy(struct buf *out)
{
    buf_append_text(out, "Content-Security-Policy: default-src 'none'; connect-src 'self'; "
                         "img-src data:; base-uri 'none'; form-action 'none'; "
                         "frame-ancestors 'none'; style-src ");
    append_hash(out, embedded_page_css);
    buf_append_text(out, "; script-src ");
    append_hash(out, embedded_page_js);
    buf_append_text(out, "\r\n");
}

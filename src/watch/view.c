/* SPDX-License-Identifier: MIT */
#include "watch/view.h"

#include <inttypes.h>

#include "base/num.h"
#include "drain/denied.h"

int64_t view_oldest_unacked(const struct view_source *s, int64_t now)
{
    return s->oldest < now ? now - s->oldest : 0;
}

static void check_source(const struct view *v, const struct view_source *s, int64_t now,
                         struct buf *reasons)
{
    int64_t limit = VIEW_AGES_MAX * v->max_age;
    int64_t oldest = view_oldest_unacked(s, now);
    const char *why = s->waits_because[0] != '\0' ? s->waits_because : "no pull is live";
    bool told = v->denied != NULL && v->denied[0] != '\0' &&
                slice_starts_with(slice_of(why), DENIED_SENTENCE); /* in a line of its own */
    if (s->refusal != NULL)
        buf_printf(reasons, "%s\n", s->refusal);
    else if (v->client != NULL && s->stalled && !told)
        buf_printf(reasons, "stream %s: %s\n", s->stream, why);
    if (s->fetching)
        buf_printf(reasons, "stream %s: events that the store lacks are being fetched again\n",
                   s->stream);
    if (oldest <= limit)
        return;
    char age[NUM_SIZE_TEXT_MAX], allowed[NUM_SIZE_TEXT_MAX];
    num_format_duration(oldest / CLOCK_SECOND * CLOCK_SECOND, age);
    num_format_duration(limit, allowed);
    buf_printf(reasons, "stream %s: the oldest unacked event has waited %s, more than %s\n",
               s->stream, age, allowed);
}

void view_append_lost(const struct view *v, struct buf *out)
{
    for (uint32_t i = 0; i < v->source_count; i++) {
        const struct source_counters *c = v->sources[i].counters;
        if (c->lost > 0)
            buf_printf(out,
                       "stream %s: at most %" PRIu64 " events are lost, the last of them in the "
                       "sequences %" PRIu64 " to %" PRIu64 "\n",
                       v->sources[i].stream, c->lost, c->lost_first, c->lost_last);
    }
}

bool view_is_ready(const struct view *v, int64_t now, struct buf *reasons)
{
    size_t before = reasons->len;
    if (v->stopping)
        buf_append_text(reasons, "stopping\n");
    if (v->client == NULL)
        buf_printf(reasons, "not connected to NATS%s%s\n", v->down_because != NULL ? ": " : "",
                   v->down_because != NULL ? v->down_because : "");
    if (v->client != NULL && v->denied != NULL)
        buf_append_text(reasons, v->denied);
    if (v->disk_low)
        buf_append_text(reasons, "paused: the disk is nearly full (output.min_free)\n");
    if (v->commit_failure != NULL)
        buf_printf(reasons, "the last commit failed: %s\n", v->commit_failure);
    for (uint32_t i = 0; i < v->source_count && !v->stopping; i++)
        check_source(v, &v->sources[i], now, reasons);
    return reasons->len == before;
}

void view_append_followers(const struct view *v, struct buf *out)
{
    for (uint32_t i = 0; i < v->follower_count; i++) {
        const struct view_follower *f = &v->followers[i];
        buf_printf(out, "follower %s ", f->name);
        if (f->failure != NULL)
            buf_printf(out, "fails: %s\n", f->failure);
        else if (!f->known)
            buf_append_text(out, "has not looked yet\n");
        else if (f->lag_rows == 0)
            buf_append_text(out, "has all rows\n");
        else
            buf_printf(out, "lacks %" PRIu64 " rows, for %.1f s\n", f->lag_rows,
                       (double)f->lag / (double)CLOCK_SECOND);
    }
}

/* SPDX-License-Identifier: MIT */
#include "watch/health.h"

#include <string.h>

#include "base/num.h"
#include "pipeline/pipeline.h"

int64_t health_oldest_unacked(const struct pipeline *p, uint32_t source, int64_t now)
{
    int64_t oldest = acker_oldest(&p->acker, source);
    return oldest < now ? now - oldest : 0;
}

const char *health_commit_failure(const struct committer_trouble *trouble)
{
    return trouble->err.system != 0 ? strerror(trouble->err.system) : "the log says why";
}

/* Pulls end while flow control wants no more; then what waits for its commit gets old, or not. */
static bool is_stalled(const struct pipeline *p, const struct source *s)
{
    return s->state != SOURCE_PULLING || (p->pauses == 0 && !nats_pull_is_live(&s->pull));
}

static void check_source(struct pipeline *p, uint32_t source, int64_t now, struct buf *reasons)
{
    const struct source *s = &p->sources[source];
    const char *stream = s->settings->stream;
    int64_t limit = HEALTH_AGES_MAX * p->batcher.limits.age;
    if (s->state == SOURCE_REFUSED)
        buf_printf(reasons, "%s\n", s->refusal.text);
    else if (connection_is_ready(&p->connection) && is_stalled(p, s))
        buf_printf(reasons, "stream %s: no pull is live\n", stream);
    if (health_oldest_unacked(p, source, now) <= limit)
        return;
    char age[NUM_SIZE_TEXT_MAX], allowed[NUM_SIZE_TEXT_MAX];
    num_format_duration(health_oldest_unacked(p, source, now) / CLOCK_SECOND * CLOCK_SECOND, age);
    num_format_duration(limit, allowed);
    buf_printf(reasons, "stream %s: the oldest unacked event has waited %s, more than %s\n", stream,
               age, allowed);
}

bool health_is_ready(struct pipeline *p, int64_t now, struct buf *reasons)
{
    size_t before = reasons->len;
    struct committer_trouble trouble = committer_trouble(&p->committer);
    if (p->phase != PIPELINE_RUNNING)
        buf_append_text(reasons, "stopping\n");
    if (!connection_is_ready(&p->connection))
        buf_append_text(reasons, "not connected to NATS\n");
    if ((p->pauses & 1u << FLOW_DISK_LOW) != 0)
        buf_append_text(reasons, "paused: the disk is nearly full (output.min_free)\n");
    if (trouble.failing)
        buf_printf(reasons, "the last commit failed: %s\n", health_commit_failure(&trouble));
    for (uint32_t i = 0; i < p->source_count && p->phase == PIPELINE_RUNNING; i++)
        check_source(p, i, now, reasons);
    return reasons->len == before;
}

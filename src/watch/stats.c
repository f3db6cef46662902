/* SPDX-License-Identifier: MIT */
#include "watch/watch.h"

#include <string.h>

#include "base/assert.h"

void stats_committed(struct stats *s, const struct stats_commit *commit)
{
    ASSERT(commit->reason < STATS_REASONS);
    s->commits[s->epochs++ % STATS_COMMITS] = *commit;
    s->last_commit = commit->time;
    s->bytes_written += commit->bytes;
    s->files_committed[commit->reason] += commit->files;
    s->conflicts += commit->conflicts;
    histogram_observe(&s->commit, commit->commit_ns);
    histogram_observe(&s->encode, commit->encode_ns);
}

int64_t stats_sample(struct stats *s, struct stats_sample totals, int64_t now)
{
    if (now < s->next_sample)
        return s->next_sample;
    if (s->next_sample != 0)
        s->samples[s->sample_count++ % STATS_SAMPLES] = (struct stats_sample){
            .received = totals.received - s->sampled.received,
            .committed = totals.committed - s->sampled.committed,
            .written = totals.written - s->sampled.written,
            .lag = totals.lag,
        };
    s->sampled = totals;
    s->next_sample = now + STATS_INTERVAL;
    return s->next_sample;
}

struct stats_curve stats_curve(const struct stats *s, size_t offset)
{
    struct stats_curve curve = {.count = s->sample_count < STATS_SAMPLES ? (size_t)s->sample_count
                                                                         : STATS_SAMPLES};
    for (size_t i = 0; i < curve.count; i++) {
        uint64_t number = s->sample_count - curve.count + i;
        const char *sample = (const char *)&s->samples[number % STATS_SAMPLES];
        memcpy(&curve.values[i], sample + offset, sizeof(curve.values[i]));
    }
    return curve;
}

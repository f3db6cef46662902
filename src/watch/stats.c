/* SPDX-License-Identifier: MIT */
#include "watch/stats.h"

void stats_committed(struct stats *s, const struct epoch *epoch, int64_t wall)
{
    s->commits[s->epochs++ % STATS_COMMITS] = (struct stats_commit){
        .time = wall,
        .epoch = epoch->number,
        .rows = epoch->rows,
        .files = epoch->file_count,
        .bytes = epoch->bytes_written,
        .reason = epoch->reason,
        .commit_ns = epoch->commit_ns,
    };
    s->last_commit = wall;
    s->bytes_written += epoch->bytes_written;
    s->files_committed[epoch->reason] += epoch->file_count;
    histogram_observe(&s->commit, epoch->commit_ns);
    histogram_observe(&s->encode, epoch->encode_ns);
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
        };
    s->sampled = totals;
    s->next_sample = now + STATS_INTERVAL;
    return s->next_sample;
}

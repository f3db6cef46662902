/* SPDX-License-Identifier: MIT */
#include "watch/stats.h"

/* From one fsync of a fast disk to a long outage. */
const double stats_bounds[STATS_BUCKETS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25,
                                            0.5,   1,      2.5,   10,   60,    300, 1800};

void stats_observe(struct stats_histogram *h, int64_t ns)
{
    double seconds = ns < 0 ? 0 : (double)ns / (double)CLOCK_SECOND; /* clocks differ */
    uint32_t bucket = 0;
    while (bucket < STATS_BUCKETS && seconds > stats_bounds[bucket])
        bucket++;
    h->counts[bucket]++;
    h->sum += seconds;
}

uint64_t stats_dead_lettered(const struct stats_source *s)
{
    uint64_t total = 0;
    for (int i = 0; i < EVENT_RESULTS; i++)
        total += s->dead_lettered[i];
    return total;
}

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
    stats_observe(&s->commit, epoch->commit_ns);
    stats_observe(&s->encode, epoch->encode_ns);
}

void stats_sample(struct stats *s, struct stats_sample totals, int64_t now)
{
    if (now < s->next_sample)
        return;
    if (s->next_sample != 0)
        s->samples[s->sample_count++ % STATS_SAMPLES] = (struct stats_sample){
            .received = totals.received - s->sampled.received,
            .committed = totals.committed - s->sampled.committed,
            .written = totals.written - s->sampled.written,
        };
    s->sampled = totals;
    s->next_sample = now + STATS_INTERVAL;
}

/* SPDX-License-Identifier: MIT */
#include "pipeline/stats.h"

#include "base/clock.h"

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

/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

#include "base/clock.h"

const double histogram_bounds[HISTOGRAM_BUCKETS] = {0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1,
                                                    2.5,   5,     10,    20,  30,   45,  60,
                                                    90,    120,   300,   600, 1800, 3600};

void histogram_observe(struct histogram *h, int64_t ns)
{
    double seconds = ns < 0 ? 0 : (double)ns / (double)CLOCK_SECOND;
    uint32_t bucket = 0;
    while (bucket < HISTOGRAM_BUCKETS && seconds > histogram_bounds[bucket])
        bucket++;
    h->counts[bucket]++;
    h->sum += seconds;
}

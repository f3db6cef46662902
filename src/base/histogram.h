/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_HISTOGRAM_H
#define VARVE_BASE_HISTOGRAM_H

#include <stdint.h>

/* Durations, counted in buckets from one fsync of a fast disk to an hour. A zeroed struct is
 * empty. */
enum { HISTOGRAM_BUCKETS = 20 };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS + 1]; /* not cumulative; the last one is for all above */
    double sum;                             /* in seconds */
};

/* The upper bound of each bucket in seconds, itself included; ascending. */
extern const double histogram_bounds[HISTOGRAM_BUCKETS];

/* Count one duration in ns. What is below zero, since clocks differ, counts as zero. */
void histogram_observe(struct histogram *h, int64_t ns);

#endif

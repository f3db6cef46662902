/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_HISTOGRAM_H
#define VARVE_BASE_HISTOGRAM_H

#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"

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

/*
 * Moments from which durations begin that will end together, at a time that is not known yet. What
 * lies in one step of MOMENTS_STEP, and comes one after the other, takes a few bytes together. A
 * zeroed struct is empty; `runs` may be given an account.
 */
#define MOMENTS_STEP (CLOCK_SECOND / 100)

struct moments {
    struct buf runs;  /* a step, as the difference to the one before, and how many lie in it */
    int64_t step;     /* of the last run, which is not in `runs` yet, */
    uint64_t count;   /* and how many lie in it */
    int64_t appended; /* the step of the last run that is */
};

/* `ns` on the clock of histogram_observe_moments. */
void moments_add(struct moments *m, int64_t ns);

/* Count how long it is from each moment to `end`, as of the beginning of its step. */
void histogram_observe_moments(struct histogram *h, const struct moments *m, int64_t end);

void moments_free(struct moments *m);

#endif

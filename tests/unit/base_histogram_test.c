/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

#include "base/clock.h"
#include "test.h"

TEST(histogram_observe_finds_the_bucket)
{
    struct histogram h = {0};
    histogram_observe(&h, 0);
    histogram_observe(&h, CLOCK_MILLISECOND); /* a bound belongs to its bucket */
    histogram_observe(&h, CLOCK_MILLISECOND + 1);
    histogram_observe(&h, 3601 * CLOCK_SECOND);
    histogram_observe(&h, -CLOCK_SECOND); /* the server's clock is ahead of ours */
    EXPECT_U64(h.counts[0], 3);
    EXPECT_U64(h.counts[1], 1);
    EXPECT_U64(h.counts[HISTOGRAM_BUCKETS], 1);
    EXPECT(h.sum > 3601.0019 && h.sum < 3601.0021);
}

TEST(histogram_bounds_ascend)
{
    for (int i = 1; i < HISTOGRAM_BUCKETS; i++)
        EXPECT(histogram_bounds[i] > histogram_bounds[i - 1]);
}

TEST(histogram_observe_moments_counts_each_of_them)
{
    /* Many in one step, steps far apart in both directions, and the last run, which is open. */
    const int64_t ends = 5000 * CLOCK_SECOND;
    struct histogram h = {0};
    struct moments m = {0};
    for (int i = 0; i < 1000; i++)
        moments_add(&m, 4999 * CLOCK_SECOND + i * CLOCK_MILLISECOND);
    moments_add(&m, 0);
    moments_add(&m, INT64_MAX);
    moments_add(&m, 4000 * CLOCK_SECOND);
    histogram_observe_moments(&h, &m, ends);
    EXPECT_U64(h.counts[0], 1);                 /* INT64_MAX is in the future */
    EXPECT_U64(h.counts[HISTOGRAM_BUCKETS], 1); /* 0, above an hour */
    EXPECT_U64(h.counts[18], 1);                /* 1,000 s: above 600, up to 1,800 */
    uint64_t second = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS && histogram_bounds[i] <= 1; i++)
        second += h.counts[i];
    EXPECT_U64(second, 1001);
    EXPECT(m.runs.len < 100 * 8); /* a run for each of 100 steps, not for each of 1,000 moments */
    moments_free(&m);
    h = (struct histogram){0};
    histogram_observe_moments(&h, &m, ends);
    EXPECT(h.sum == 0);
}

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

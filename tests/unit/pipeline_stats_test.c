/* SPDX-License-Identifier: MIT */
#include "pipeline/stats.h"

#include "base/clock.h"
#include "test.h"

TEST(stats_observe_finds_the_bucket)
{
    struct stats_histogram h = {0};
    stats_observe(&h, 0);
    stats_observe(&h, CLOCK_MILLISECOND); /* a bound belongs to its bucket */
    stats_observe(&h, CLOCK_MILLISECOND + 1);
    stats_observe(&h, 3600 * CLOCK_SECOND);
    stats_observe(&h, -CLOCK_SECOND); /* the server's clock is ahead of ours */
    EXPECT_U64(h.counts[0], 3);
    EXPECT_U64(h.counts[1], 1);
    EXPECT_U64(h.counts[STATS_BUCKETS], 1);
    EXPECT(h.sum > 3600.0019 && h.sum < 3600.0021);
}

TEST(stats_bounds_ascend)
{
    for (int i = 1; i < STATS_BUCKETS; i++)
        EXPECT(stats_bounds[i] > stats_bounds[i - 1]);
}

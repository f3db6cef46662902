/* SPDX-License-Identifier: MIT */
#include "watch/watch.h"

#include "base/clock.h"
#include "test.h"

TEST(stats_samples_are_differences)
{
    struct stats s = {0};
    stats_sample(&s, (struct stats_sample){100, 10, 1, 7},
                 CLOCK_SECOND); /* the first has no before */
    EXPECT_U64(s.sample_count, 0);
    stats_sample(&s, (struct stats_sample){500, 50, 5, 7}, CLOCK_SECOND + STATS_INTERVAL - 1);
    EXPECT_U64(s.sample_count, 0);
    stats_sample(&s, (struct stats_sample){600, 70, 8, 7}, CLOCK_SECOND + STATS_INTERVAL);
    EXPECT_U64(s.sample_count, 1);
    EXPECT_U64(s.samples[0].received, 500);
    EXPECT_U64(s.samples[0].committed, 60);
    EXPECT_U64(s.samples[0].written, 7);
    EXPECT_I64(s.next_sample, CLOCK_SECOND + 2 * STATS_INTERVAL);
}

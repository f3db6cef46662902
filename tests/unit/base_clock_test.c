/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

#include "test.h"

TEST(clock_units_are_nanoseconds)
{
    EXPECT_I64(CLOCK_SECOND, 1000 * CLOCK_MILLISECOND);
    EXPECT_I64(CLOCK_MILLISECOND, 1000000);
}

TEST(clock_monotonic_never_goes_back_and_does_go_on)
{
    int64_t start = clock_monotonic();
    int64_t last = start;
    for (int i = 0; i < 100000; i++) {
        int64_t now = clock_monotonic();
        EXPECT(now >= last);
        last = now;
    }
    EXPECT(last > start);
}

TEST(clock_wall_is_the_time_of_day)
{
    /* Whole seconds of one clock around a reading of the other; a step of the host's clock between
     * the two would be the host's. time() may lag by a tick. */
    int64_t before = time(NULL);
    int64_t wall = clock_wall();
    int64_t after = time(NULL);
    EXPECT(wall / CLOCK_SECOND >= before);
    EXPECT(wall / CLOCK_SECOND <= after + 1);
    EXPECT(wall % CLOCK_SECOND >= 0);
}

/* SPDX-License-Identifier: MIT */
#include "drain/window.h"

#include "test.h"

TEST(window_that_is_closed_lacks_nothing)
{
    struct window w = {0};
    window_add(&w, 1, 5);
    EXPECT(!window_lacks(&w, 7));
    EXPECT_U64(window_count(&w, 0, UINT64_MAX), 0);
}

TEST(window_tells_what_was_delivered)
{
    struct window w = {0};
    window_open(&w, 10);
    window_add(&w, 8, 12);
    window_add(&w, 15, 15);
    EXPECT(!window_lacks(&w, 10) && !window_lacks(&w, 12) && !window_lacks(&w, 15));
    EXPECT(window_lacks(&w, 13) && window_lacks(&w, 16));
    EXPECT_U64(window_count(&w, 0, UINT64_MAX), 3);
    EXPECT_U64(window_count(&w, 12, 14), 1);
    window_forget(&w, 13);
    EXPECT(!window_lacks(&w, 13) && window_lacks(&w, 14));
    EXPECT_U64(window_count(&w, 0, UINT64_MAX), 1);
    window_close(&w);
}

/* It never says of one that was delivered that it was not. */
TEST(window_forgets_the_oldest)
{
    struct window w = {0};
    window_open(&w, 0);
    for (uint64_t i = 1; i <= WINDOW_RANGES_MAX + 1; i++) {
        EXPECT(window_is_filling(&w) == (i > WINDOW_RANGES_MAX / 2 + 1));
        window_add(&w, 2 * i, 2 * i);
    }
    for (uint64_t i = 1; i <= WINDOW_RANGES_MAX + 1; i++)
        EXPECT(!window_lacks(&w, 2 * i));
    EXPECT(!window_lacks(&w, 3));
    EXPECT(window_lacks(&w, 2 * WINDOW_RANGES_MAX + 1));
    EXPECT(!window_is_filling(&w) && w.got.count > 0);
    window_close(&w);
}

/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "test.h"

enum { SIZE = 300 };

static void fill(uint8_t *bytes)
{
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256 + 1);
}

/* Every length to 130, from and to every place in two blocks, apart and overlapping both ways. */
TEST(memory_move_like_a_byte_at_a_time)
{
    uint8_t expected[SIZE], actual[SIZE], source[SIZE];
    fill(source);
    for (size_t len = 0; len <= 130; len++) {
        for (size_t from = 0; from <= 40; from++) {
            for (size_t to = 0; to <= 40; to++) {
                fill(expected);
                for (size_t i = 0; i < len; i++)
                    expected[to + i] = source[from + i];
                fill(actual);
                EXPECT(memmove(actual + to, actual + from, len) == actual + to);
                EXPECT(memcmp(actual, expected, SIZE) == 0);
                fill(actual);
                EXPECT(memcpy(actual + to, source + from, len) == actual + to);
                EXPECT(memcmp(actual, expected, SIZE) == 0);
            }
        }
    }
}

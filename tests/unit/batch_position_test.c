/* SPDX-License-Identifier: MIT */
#include "batch/position.h"

#include <stdio.h>

#include "test.h"

static void put(struct positions *positions, const char *stream, const char *created,
                uint64_t through)
{
    struct position p = {.stream = stream, .created = created, .consumer = "D", .through = through};
    positions_put(positions, &p);
}

TEST(positions_tell_generations_apart)
{
    struct positions positions = {0};
    EXPECT(positions_newest(&positions, "S", "D") == NULL);
    put(&positions, "S", "1", 10);
    put(&positions, "S", "2", 20);
    put(&positions, "T", "1", 30);
    EXPECT_U64(positions_find(&positions, "S", "1", "D")->through, 10);
    EXPECT(positions_find(&positions, "S", "1", "E") == NULL);
    EXPECT(positions_find(&positions, "S", "3", "D") == NULL);
    EXPECT_TEXT(positions_newest(&positions, "S", "D")->created, "2");
    put(&positions, "S", "1", 11);
    EXPECT_U64(positions.count, 3);
    EXPECT_U64(positions_find(&positions, "S", "1", "D")->through, 11);
    EXPECT_TEXT(positions_newest(&positions, "S", "D")->created, "1");
    positions_free(&positions);
}

TEST(positions_forget_the_oldest_generation)
{
    struct positions positions = {0};
    char created[8];
    put(&positions, "T", "x", 1);
    for (int i = 1; i <= POSITION_GENERATIONS_MAX + 2; i++) {
        (void)snprintf(created, sizeof(created), "%d", i);
        put(&positions, "S", created, (uint64_t)i);
    }
    EXPECT_U64(positions.count, POSITION_GENERATIONS_MAX + 1);
    EXPECT(positions_find(&positions, "S", "2", "D") == NULL);
    EXPECT(positions_find(&positions, "S", "3", "D") != NULL);
    EXPECT(positions_find(&positions, "T", "x", "D") != NULL);
    positions_free(&positions);
}

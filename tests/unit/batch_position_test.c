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

static void expect_position(const struct positions *positions, const char *created,
                            uint64_t through, const char *above)
{
    struct buf out = {0};
    const struct position *p = positions_find(positions, "S", created, "D");
    EXPECT_U64(p->through, through);
    seqset_write_text(&out, &p->above);
    EXPECT_TEXT(buf_text(&out), above);
    buf_free(&out);
}

TEST(positions_that_are_merged_lose_nothing)
{
    struct positions positions = {0};
    struct position p = {.stream = "S", .created = "1", .consumer = "D", .through = 5};
    EXPECT(seqset_parse_text(&p.above, slice_of("2-3,7,9-10")));
    positions_merge(&positions, &p);
    expect_position(&positions, "1", 5, "7,9-10");
    put(&positions, "S", "2", 1);
    /* An older one, and one that closes gaps. */
    seqset_reset(&p.above);
    p.through = 4;
    seqset_add(&p.above, 12);
    positions_merge(&positions, &p);
    expect_position(&positions, "1", 5, "7,9-10,12");
    EXPECT_TEXT(positions_newest(&positions, "S", "D")->created, "1");
    p.through = 0;
    seqset_add(&p.above, 6);
    seqset_add(&p.above, 8);
    positions_merge(&positions, &p);
    expect_position(&positions, "1", 10, "12");
    p.through = 11;
    positions_merge(&positions, &p);
    expect_position(&positions, "1", 12, "");
    p.through = UINT64_MAX;
    positions_merge(&positions, &p);
    expect_position(&positions, "1", UINT64_MAX, "");
    EXPECT_U64(positions.count, 2);
    position_raise(&positions.list[0], 2);
    expect_position(&positions, "2", 2, "");
    seqset_free(&p.above);
    positions_free(&positions);
}

/* SPDX-License-Identifier: MIT */
#include "store/position.h"

#include <stdio.h>

#include "test.h"

static bool parse_ranges(const char *text, struct seqset *set)
{
    seqset_reset(set);
    return store_ranges_parse(set, slice_of(text));
}

TEST(store_ranges_are_text)
{
    struct seqset set = {0};
    struct buf out = {0};
    EXPECT(parse_ranges("", &set) && set.count == 0);
    EXPECT(parse_ranges("1-5,7,9-18446744073709551615", &set));
    EXPECT_U64(set.count, 3);
    EXPECT(set.ranges[1].first == 7 && set.ranges[1].last == 7);
    EXPECT(set.ranges[2].first == 9 && set.ranges[2].last == UINT64_MAX);
    store_ranges_write(&out, &set);
    EXPECT_TEXT(buf_text(&out), "1-5,7,9-18446744073709551615");
    static const char *const bad[] = {",",       "1,",   ",1",    "1-",    "-1",
                                      "5-1",     "1,,2", "1-2-3", "1, 2",  "3,2",
                                      "1-5,5-6", "x",    "+1",    "1-5,3", "18446744073709551616"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT(!parse_ranges(bad[i], &set));
    buf_free(&out);
    seqset_free(&set);
}

static void put(struct store_positions *positions, const char *stream, const char *created,
                uint64_t through)
{
    struct store_position p = {
        .stream = stream, .created = created, .consumer = "D", .through = through};
    store_positions_put(positions, &p);
}

TEST(store_positions_tell_generations_apart)
{
    struct store_positions positions = {0};
    EXPECT(store_positions_newest(&positions, "S", "D") == NULL);
    put(&positions, "S", "1", 10);
    put(&positions, "S", "2", 20);
    put(&positions, "T", "1", 30);
    EXPECT_U64(store_positions_find(&positions, "S", "1", "D")->through, 10);
    EXPECT(store_positions_find(&positions, "S", "1", "E") == NULL);
    EXPECT(store_positions_find(&positions, "S", "3", "D") == NULL);
    EXPECT_TEXT(store_positions_newest(&positions, "S", "D")->created, "2");
    put(&positions, "S", "1", 11);
    EXPECT_U64(positions.count, 3);
    EXPECT_U64(store_positions_find(&positions, "S", "1", "D")->through, 11);
    EXPECT_TEXT(store_positions_newest(&positions, "S", "D")->created, "1");
    store_positions_free(&positions);
}

TEST(store_positions_forget_the_oldest_generation)
{
    struct store_positions positions = {0};
    char created[8];
    put(&positions, "T", "x", 1);
    for (int i = 1; i <= STORE_GENERATIONS_MAX + 2; i++) {
        (void)snprintf(created, sizeof(created), "%d", i);
        put(&positions, "S", created, (uint64_t)i);
    }
    EXPECT_U64(positions.count, STORE_GENERATIONS_MAX + 1);
    EXPECT(store_positions_find(&positions, "S", "2", "D") == NULL);
    EXPECT(store_positions_find(&positions, "S", "3", "D") != NULL);
    EXPECT(store_positions_find(&positions, "T", "x", "D") != NULL);
    store_positions_free(&positions);
}

static const char text[] =
    "[{\"stream\":\"S\\\"1\",\"created\":\"2026-11-24T16:00:00.5Z\",\"consumer\":\"varve\","
    "\"through\":18446744073709551615,\"above\":\"\",\"lastSeq\":0,\"lastTime\":-1},"
    "{\"stream\":\"T\",\"created\":\"\",\"consumer\":\"c\",\"through\":4,\"above\":\"6-7,9\","
    "\"lastSeq\":9,\"lastTime\":1795536000500000000}]";

TEST(store_positions_come_back_from_json)
{
    struct arena arena = {0};
    struct err err = {0};
    struct store_positions positions;
    const struct json *array = json_parse(&arena, slice_of(text), &err);
    EXPECT(store_positions_parse(&positions, array, &err) == 0);
    EXPECT_U64(positions.count, 2);
    EXPECT_TEXT(positions.list[0].stream, "S\"1");
    EXPECT_U64(positions.list[0].through, UINT64_MAX);
    EXPECT_U64(positions.list[1].above.count, 2);
    EXPECT_U64(positions.list[1].last_seq, 9);
    EXPECT_I64(positions.list[1].last_time, INT64_C(1795536000500000000));
    struct buf out = {0};
    store_positions_write(&out, &positions);
    EXPECT_TEXT(buf_text(&out), text);
    buf_reset(&out);
    store_position_app_id(&out, "my/varve", &positions.list[0]);
    EXPECT_TEXT(buf_text(&out), "varve:my%2Fvarve:S%221:varve:2026-11-24T16:00:00.5Z");
    buf_free(&out);
    store_positions_free(&positions);
    arena_free(&arena);
}

TEST(store_positions_refuse_damage)
{
    static const char *const bad[] = {
        "{}",
        "[1]",
        "[{}]",
        "[{\"stream\":\"S\",\"created\":\"C\",\"consumer\":\"D\",\"through\":1,\"above\":\"3,2\","
        "\"lastSeq\":1,\"lastTime\":1}]",
        "[{\"stream\":\"S\",\"created\":\"C\",\"consumer\":\"D\",\"through\":-1,\"above\":\"\","
        "\"lastSeq\":1,\"lastTime\":1}]",
        "[{\"stream\":\"S\\u0000\",\"created\":\"C\",\"consumer\":\"D\",\"through\":1,\"above\":"
        "\"\""
        ",\"lastSeq\":1,\"lastTime\":1}]",
        "[{\"stream\":\"S\",\"created\":\"C\",\"consumer\":\"D\",\"through\":1,\"above\":\"\"}]",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct arena arena = {0};
        struct err err = {0};
        struct store_positions positions;
        const struct json *array = json_parse(&arena, slice_of(bad[i]), &err);
        EXPECT(array != NULL);
        EXPECT(store_positions_parse(&positions, array, &err) == -1);
        EXPECT(err.code == ERR_FORMAT && positions.count == 0);
        arena_free(&arena);
    }
}

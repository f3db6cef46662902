/* SPDX-License-Identifier: MIT */
#include "delta/position.h"

#include "test.h"

static const char text[] =
    "[{\"stream\":\"S\\\"1\",\"created\":\"2026-11-24T16:00:00.5Z\",\"consumer\":\"varve\","
    "\"through\":18446744073709551615,\"above\":\"\",\"lastSeq\":0,\"lastTime\":-1},"
    "{\"stream\":\"T\",\"created\":\"\",\"consumer\":\"c\",\"start\":3,\"through\":4,\"above\":\"6-"
    "7,9\","
    "\"lastSeq\":9,\"lastTime\":1795536000500000000,\"seen\":17}]";

TEST(positions_come_back_from_json)
{
    struct arena arena = {0};
    struct err err = {0};
    struct positions positions;
    const struct json *array = json_parse(&arena, slice_of(text), &err);
    EXPECT(delta_positions_parse(&positions, array, &err) == 0);
    EXPECT_U64(positions.count, 2);
    EXPECT_TEXT(positions.list[0].stream, "S\"1");
    EXPECT_U64(positions.list[0].through, UINT64_MAX);
    EXPECT_U64(positions.list[0].start, 0);
    EXPECT_U64(positions.list[1].start, 3);
    EXPECT_U64(positions.list[1].above.count, 2);
    EXPECT_U64(positions.list[1].last_seq, 9);
    EXPECT_I64(positions.list[1].last_time, INT64_C(1795536000500000000));
    struct buf out = {0};
    delta_positions_put(&(struct json_writer){.out = &out}, NULL, &positions, NULL);
    EXPECT_TEXT(buf_text(&out), text);
    buf_reset(&out);
    delta_app_id(&out, "my/varve", &positions.list[0]);
    EXPECT_TEXT(buf_text(&out), "varve:my%2Fvarve:S%221:varve:2026-11-24T16:00:00.5Z");
    buf_free(&out);
    positions_free(&positions);
    arena_free(&arena);
}

TEST(positions_refuse_damage)
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
        struct positions positions;
        const struct json *array = json_parse(&arena, slice_of(bad[i]), &err);
        EXPECT(array != NULL);
        EXPECT(delta_positions_parse(&positions, array, &err) == -1);
        EXPECT(err.code == ERR_FORMAT && positions.count == 0);
        arena_free(&arena);
    }
}

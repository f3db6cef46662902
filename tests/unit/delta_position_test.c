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

/* Beside others who drain the rest of the stream, and of whose rows all are known. */
TEST(delta_positions_of_many_ranges_can_be_read)
{
    enum { OTHERS = SEQSET_RANGES_MAX + 10 };
    struct position p = {.stream = "S", .consumer = "D", .created = "C", .through = 100};
    struct seqset rows = {0};
    struct positions one = {.list = &p, .count = 1}, read;
    struct arena arena = {0};
    struct buf out = {0};
    struct err err = {0};
    for (uint64_t i = 0; i < OTHERS; i++)
        seqset_add(&p.above, 200 + 2 * i);
    seqset_add_range(&rows, 90, 110); /* some of it below `through` */
    seqset_add_range(&rows, 1000, 1020);
    seqset_add_all(&p.above, &rows);
    seqset_remove_through(&p.above, p.through);
    for (int own = 0; own < 2; own++) {
        struct json_writer w = {.out = &out};
        buf_reset(&out);
        json_open_object(&w, NULL);
        delta_positions_put(&w, "positions", &one, own ? &rows : NULL);
        json_close_object(&w);
        const struct json *json = json_parse(&arena, buf_slice(&out), &err);
        EXPECT(delta_positions_parse(&read, json_member(json, "positions"), &err) == 0);
        EXPECT_TEXT(err.text, "");
        EXPECT_U64(read.list[0].through, 100);
        EXPECT_U64(read.list[0].above.count, own ? 2 : p.above.count);
        EXPECT(seqset_contains(&read.list[0].above, 1019));
        positions_free(&read);
    }
    EXPECT(out.len < 1000);
    seqset_free(&p.above);
    seqset_free(&rows);
    arena_free(&arena);
    buf_free(&out);
}

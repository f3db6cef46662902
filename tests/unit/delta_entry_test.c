/* SPDX-License-Identifier: MIT */
#include "delta/entry.h"

#include "store_fixture.h"

/* The entry of two rows of the table and one in quarantine, written out by hand. */
static const char expected[] =
    "{\"commitInfo\":{\"timestamp\":1795536000500,\"operation\":\"WRITE\","
    "\"operationParameters\":{\"mode\":\"Append\"},\"isBlindAppend\":true,"
    "\"engineInfo\":\"varve/0\",\"varve\":{\"instance\":\"i\\\"1\",\"positions\":["
    "{\"stream\":\"S\",\"created\":\"C\",\"consumer\":\"D\",\"through\":4,\"above\":\"6-7\","
    "\"rows\":\"1-2\",\"lastSeq\":7,\"lastTime\":70}],"
    "\"deadLetters\":[{\"stream\":\"S\",\"created\":\"C\",\"sequences\":\"1-2\"}],"
    "\"quarantine\":[{\"path\":\"_quarantine/S-4-4.parquet\",\"size\":30,\"numRecords\":1,"
    "\"tags\":{\"varve.file\":\"a-2\",\"varve.stream\":\"S\",\"varve.created\":\"C\","
    "\"varve.first_seq\":\"4\",\"varve.last_seq\":\"4\",\"varve.sequences\":\"4\"}}]}}}\n"
    "{\"txn\":{\"appId\":\"varve:i%221:S:D:C\",\"version\":4,\"lastUpdated\":1795536000500}}\n"
    "{\"add\":{\"path\":\"a%252Fb/6-7.parquet\",\"partitionValues\":{},\"size\":20,"
    "\"modificationTime\":1795536000500,\"dataChange\":true,"
    "\"stats\":\"{\\\"numRecords\\\":2,\\\"minValues\\\":{\\\"stream_seq\\\":6},"
    "\\\"maxValues\\\":{\\\"stream_seq\\\":7},\\\"nullCount\\\":{\\\"stream_seq\\\":0}}\","
    "\"tags\":{\"varve.file\":\"a-1\",\"varve.stream\":\"S\",\"varve.created\":\"C\","
    "\"varve.first_seq\":\"6\",\"varve.last_seq\":\"7\",\"varve.sequences\":\"6-7\","
    "\"varve.sha256\":\"00ff\"}}}\n";

static void build(struct buf *out)
{
    struct seqset in_rows = {0};
    struct seqset in_bad = {0};
    struct seqset elsewhere = {0};
    seqset_add_range(&in_rows, 6, 7);
    seqset_add_range(&in_bad, 4, 4);
    seqset_add_range(&elsewhere, 1, 2);
    struct store_column_stats stats = {.column = 3, .bounded = true, .min = 6, .max = 7};
    struct delta_commit_file files[] = {
        {"a-1", "a%2Fb/6-7.parquet", "S", "C", "00ff", &in_rows, 2, 20, false, &stats, 1},
        {"a-2", "_quarantine/S-4-4.parquet", "S", "C", NULL, &in_bad, 1, 30, true, NULL, 0},
    };
    struct position position = {.stream = "S",
                                .consumer = "D",
                                .created = "C",
                                .through = 4,
                                .above = in_rows,
                                .last_seq = 7,
                                .last_time = 70};
    struct delta_commit commit = {
        .instance = "i\"1",
        .engine = "varve/0",
        .schema = &fixture_schema,
        .wall_time = INT64_C(1795536000500000000),
        .positions = &position,
        .rows_of = &elsewhere,
        .dead_letters = &elsewhere,
        .position_count = 1,
        .files = files,
        .file_count = 2,
    };
    delta_commit_write(out, &commit);
    seqset_free(&in_rows);
    seqset_free(&in_bad);
    seqset_free(&elsewhere);
}

static void expect_move(const struct delta_pending *pending, size_t move, const char *id,
                        const char *path)
{
    struct buf out = {0};
    delta_pending_path(&out, pending, move);
    EXPECT_TEXT(pending->moves.list[move].id, id);
    EXPECT_TEXT(buf_text(&out), path);
    buf_free(&out);
}

TEST(delta_commit_has_the_form_of_delta)
{
    struct buf out = {0};
    build(&out);
    EXPECT_TEXT(buf_text(&out), expected);
    buf_free(&out);
}

TEST(delta_pending_comes_back_from_text)
{
    struct delta_pending pending = {0};
    struct err err = {0};
    buf_append_text(&pending.text, expected);
    EXPECT(delta_pending_parse(&pending, "i\"1", &err) == 0);
    EXPECT_U64(pending.moves.count, 2);
    expect_move(&pending, 0, "a-2", "_quarantine/S-4-4.parquet");
    expect_move(&pending, 1, "a-1", "a%2Fb/6-7.parquet");
    delta_pending_free(&pending);
}

TEST(delta_pending_of_another_instance_is_refused)
{
    struct delta_pending pending = {0};
    struct err err = {0};
    buf_append_text(&pending.text, expected);
    EXPECT(delta_pending_parse(&pending, "i", &err) == -1 && err.code == ERR_FORMAT);
    delta_pending_free(&pending);
}

TEST(delta_pending_changes_paths)
{
    struct delta_pending pending = {0};
    struct err err = {0};
    build(&pending.text);
    EXPECT(delta_pending_parse(&pending, "i\"1", &err) == 0);
    delta_pending_set_path(&pending, 0, slice_of("_quarantine/S-4-4-12.parquet"));
    delta_pending_set_path(&pending, 1, slice_of("%/x.parquet"));
    expect_move(&pending, 0, "a-2", "_quarantine/S-4-4-12.parquet");
    expect_move(&pending, 1, "a-1", "%/x.parquet");
    struct delta_pending again = {0};
    buf_append_slice(&again.text, buf_slice(&pending.text));
    EXPECT(delta_pending_parse(&again, "i\"1", &err) == 0);
    expect_move(&again, 0, "a-2", "_quarantine/S-4-4-12.parquet");
    expect_move(&again, 1, "a-1", "%/x.parquet");
    delta_pending_free(&again);
    delta_pending_free(&pending);
}

static void expect_refused(const char *from, const char *to)
{
    struct delta_pending pending = {0};
    struct err err = {0};
    const char *at = strstr(expected, from);
    EXPECT(at != NULL);
    buf_append(&pending.text, expected, (size_t)(at - expected));
    buf_append_text(&pending.text, to);
    buf_append_text(&pending.text, at + strlen(from));
    EXPECT(delta_pending_parse(&pending, "i\"1", &err) == -1);
    EXPECT(err.code == ERR_FORMAT);
    delta_pending_free(&pending);
}

TEST(delta_pending_that_could_do_harm_is_refused)
{
    expect_refused("a%252Fb/", "..%2F");
    expect_refused("a%252Fb/", "../");
    expect_refused("a%252Fb/", "/");
    expect_refused("a%252Fb/", "a//");
    expect_refused("a%252Fb/", "./");
    expect_refused("a%252Fb/", "%00/");
    expect_refused("a%252Fb/", "%2/");
    expect_refused("a%252Fb/", "\\u002e\\u002e/");
    expect_refused("_quarantine/S", "../S");
    expect_refused("\"a-1\"", "\"../a-1\"");
    expect_refused("\"a-1\"", "\"\"");
    expect_refused("\"a-1\"", "1");
    expect_refused("\"quarantine\"", "\"quarantined\"");
    expect_refused("{\"commitInfo\"", "{\"txn\":{}}\n{\"commitInfo\"");
    expect_refused("\"00ff\"}}}\n", "\"00ff\"}}}"); /* cut short */
    expect_refused("\"00ff\"}}}\n", "\"00ff\"}}\n");
}

TEST(delta_commit_leaves_out_long_lists_of_ranges)
{
    struct buf out = {0};
    struct seqset set = {0};
    for (uint64_t i = 0; i <= DELTA_ADD_RANGES_MAX; i++)
        (void)seqset_add(&set, 1 + 2 * i);
    struct delta_commit_file file = {
        .id = "a-1", .path = "x.parquet", .stream = "S", .created = "C", .sequences = &set};
    struct delta_commit commit = {
        .instance = "i", .engine = "e", .schema = &fixture_schema, .files = &file, .file_count = 1};
    delta_commit_write(&out, &commit);
    EXPECT(strstr(buf_text(&out), "varve.sequences") == NULL);
    EXPECT(strstr(buf_text(&out), "\"varve.last_seq\":\"513\"") != NULL);
    seqset_remove_through(&set, 1);
    buf_reset(&out);
    delta_commit_write(&out, &commit);
    EXPECT(strstr(buf_text(&out), "\"varve.sequences\":\"3,5,") != NULL);
    seqset_free(&set);
    buf_free(&out);
}

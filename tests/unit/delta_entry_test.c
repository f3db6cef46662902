/* SPDX-License-Identifier: MIT */
#include "delta/entry.h"

#include "store_fixture.h"

/* The entry of two rows of the table and one in quarantine, written out by hand. */
static const char expected[] =
    "{\"commitInfo\":{\"timestamp\":1795536000500,\"operation\":\"WRITE\","
    "\"operationParameters\":{\"mode\":\"Append\"},\"isBlindAppend\":true,"
    "\"engineInfo\":\"varve/0\",\"varve\":{\"instance\":\"i\\\"1\",\"positions\":["
    "{\"stream\":\"S\",\"created\":\"C\",\"consumer\":\"D\",\"through\":4,\"above\":\"6-7\","
    "\"lastSeq\":7,\"lastTime\":70}],"
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
    "\"varve.first_seq\":\"6\",\"varve.last_seq\":\"7\",\"varve.sequences\":\"6-7\"}}}\n";

static void build(struct store_entry *entry)
{
    struct store store = {.instance = (char[]){"i\"1"}, .engine = (char[]){"varve/0"}};
    store.schema = &fixture_schema;
    struct object_staged rows = {.id = "a-1", .size = 20, .finished = true};
    struct object_staged bad = {.id = "a-2", .size = 30, .finished = true};
    struct seqset in_rows = {0};
    struct seqset in_bad = {0};
    struct seqset elsewhere = {0};
    seqset_add_range(&in_rows, 6, 7);
    seqset_add_range(&in_bad, 4, 4);
    seqset_add_range(&elsewhere, 1, 2);
    struct store_column_stats stats = {.column = 3, .bounded = true, .min = 6, .max = 7};
    struct store_epoch_file files[] = {
        {&rows, false, "", "S", "C", &in_rows, 2, &stats, 1},
        {&bad, true, "", "S", "C", &in_bad, 1, NULL, 0},
    };
    struct position position = {"S", "D", "C", 0, 4, in_rows, 7, 70};
    struct store_epoch epoch = {files, 2, &position, 1, &elsewhere};
    struct positions positions = {{.list = &position, .count = 1}};
    char paths[2][32] = {"a%2Fb/6-7.parquet", "_quarantine/S-4-4.parquet"};
    store_entry_build(entry, &store, &epoch, &positions, (const char *[]){paths[0], paths[1]},
                      INT64_C(1795536000500000000));
    seqset_free(&in_rows);
    seqset_free(&in_bad);
    seqset_free(&elsewhere);
}

static void expect_move(const struct store_entry *entry, size_t move, const char *id,
                        const char *path)
{
    struct buf out = {0};
    store_entry_path(&out, entry, move);
    EXPECT_TEXT(entry->moves[move].id, id);
    EXPECT_TEXT(buf_text(&out), path);
    buf_free(&out);
}

TEST(store_entry_has_the_form_of_delta)
{
    struct store_entry entry = {0};
    build(&entry);
    EXPECT_TEXT(buf_text(&entry.text), expected);
    EXPECT_U64(entry.count, 2);
    expect_move(&entry, 0, "a-2", "_quarantine/S-4-4.parquet");
    expect_move(&entry, 1, "a-1", "a%2Fb/6-7.parquet");
    store_entry_free(&entry);
}

TEST(store_entry_comes_back_from_text)
{
    struct store_entry entry = {0};
    struct err err = {0};
    buf_append_text(&entry.text, expected);
    EXPECT(store_entry_parse(&entry, &err) == 0);
    EXPECT_U64(entry.count, 2);
    expect_move(&entry, 0, "a-2", "_quarantine/S-4-4.parquet");
    expect_move(&entry, 1, "a-1", "a%2Fb/6-7.parquet");
    store_entry_free(&entry);
}

TEST(store_entry_changes_paths)
{
    struct store_entry entry = {0};
    build(&entry);
    store_entry_set_path(&entry, 0, slice_of("_quarantine/S-4-4-12.parquet"));
    store_entry_set_path(&entry, 1, slice_of("%/x.parquet"));
    expect_move(&entry, 0, "a-2", "_quarantine/S-4-4-12.parquet");
    expect_move(&entry, 1, "a-1", "%/x.parquet");
    struct store_entry again = {0};
    struct err err = {0};
    buf_append_slice(&again.text, buf_slice(&entry.text));
    EXPECT(store_entry_parse(&again, &err) == 0);
    expect_move(&again, 0, "a-2", "_quarantine/S-4-4-12.parquet");
    expect_move(&again, 1, "a-1", "%/x.parquet");
    store_entry_free(&again);
    store_entry_free(&entry);
}

static void expect_refused(const char *from, const char *to)
{
    struct store_entry entry = {0};
    struct err err = {0};
    const char *at = strstr(expected, from);
    EXPECT(at != NULL);
    buf_append(&entry.text, expected, (size_t)(at - expected));
    buf_append_text(&entry.text, to);
    buf_append_text(&entry.text, at + strlen(from));
    EXPECT(store_entry_parse(&entry, &err) == -1);
    EXPECT(err.code == ERR_FORMAT);
    store_entry_free(&entry);
}

TEST(store_entry_that_could_do_harm_is_refused)
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
    expect_refused("\"6-7\"}}}\n", "\"6-7\"}}}"); /* cut short */
    expect_refused("\"6-7\"}}}\n", "\"6-7\"}}\n");
}

TEST(store_entry_knows_its_instance)
{
    struct positions positions;
    struct err err = {0};
    bool own;
    struct slice line = {(const uint8_t *)expected, (size_t)(strchr(expected, '\n') - expected)};
    EXPECT(store_entry_positions(&positions, &own, line, "i\"1", &err) == 0 && own);
    EXPECT_U64(positions.count, 1);
    EXPECT_U64(positions.list[0].above.list[0].last, 7);
    positions_free(&positions);
    EXPECT(store_entry_positions(&positions, &own, line, "i", &err) == 0 && !own);
    EXPECT_U64(positions.count, 0);
}

TEST(store_entry_leaves_out_long_lists_of_ranges)
{
    struct store_entry entry = {0};
    struct store store = {.instance = (char[]){"i"}, .engine = (char[]){"e"}};
    store.schema = &fixture_schema;
    struct object_staged file = {.id = "a-1"};
    struct seqset set = {0};
    for (uint64_t i = 0; i <= STORE_ADD_RANGES_MAX; i++)
        (void)seqset_add(&set, 1 + 2 * i);
    struct store_epoch_file files = {&file, false, "", "S", "C", &set, set.count, NULL, 0};
    struct store_epoch epoch = {&files, 1, NULL, 0, NULL};
    struct positions positions = {0};
    char path[] = "x.parquet";
    store_entry_build(&entry, &store, &epoch, &positions, (const char *[]){path}, 0);
    EXPECT(strstr(buf_text(&entry.text), "varve.sequences") == NULL);
    EXPECT(strstr(buf_text(&entry.text), "\"varve.last_seq\":\"513\"") != NULL);
    seqset_remove_through(&set, 1);
    store_entry_build(&entry, &store, &epoch, &positions, (const char *[]){path}, 0);
    EXPECT(strstr(buf_text(&entry.text), "\"varve.sequences\":\"3,5,") != NULL);
    seqset_free(&set);
    store_entry_free(&entry);
}

/* SPDX-License-Identifier: MIT */
#include "delta/action.h"

#include <string.h>

#include "test.h"

static struct delta_action parse(struct arena *arena, const char *line)
{
    struct err err = {0};
    struct delta_action action;
    EXPECT(delta_action_parse(&action, arena, slice_of(line), &err) == 0);
    return action;
}

/* The examples of Delta PROTOCOL.md, cut to one line each. */
TEST(delta_actions_of_the_protocol_are_read)
{
    struct arena arena = {0};
    struct delta_action a = parse(
        &arena, "{\"metaData\":{\"id\":\"af23c9d7-fff1-4a5a-a2c8-55c59bd782aa\",\"format\":"
                "{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"...\","
                "\"partitionColumns\":[\"date\"],\"configuration\":{\"appendOnly\":\"true\"}}}");
    EXPECT(a.kind == DELTA_METADATA && !a.metadata.has_created_time);
    EXPECT(slice_is(a.metadata.provider, "parquet"));
    EXPECT_U64(a.metadata.partition_columns.count, 1);
    EXPECT(slice_is(delta_map_get(&a.metadata.configuration, "appendOnly"), "true"));
    EXPECT(delta_map_get(&a.metadata.configuration, "x").data == NULL);
    a = parse(&arena, "{\"add\":{\"path\":\"date=2017-12-10/part-000...c000.gz.parquet\","
                      "\"partitionValues\":{\"date\":\"2017-12-10\",\"hour\":null},\"size\":841454,"
                      "\"modificationTime\":1512909768000,\"dataChange\":true,\"baseRowId\":4071,"
                      "\"stats\":\"{\\\"numRecords\\\":1}\"}}");
    EXPECT(a.kind == DELTA_ADD && a.add.data_change && a.add.vector == 0);
    EXPECT_U64(a.add.size, 841454);
    EXPECT_I64(a.add.modification_time, INT64_C(1512909768000));
    EXPECT(slice_is(a.add.stats, "{\"numRecords\":1}"));
    EXPECT_U64(a.add.partition_values.count, 2);
    EXPECT(a.add.partition_values.list[1].value.data == NULL);
    a = parse(&arena, "{\"add\":{\"path\":\"a\",\"partitionValues\":{},\"size\":1,"
                      "\"modificationTime\":1,\"dataChange\":true,\"deletionVector\":"
                      "{\"storageType\":\"u\",\"pathOrInlineDv\":\"x\",\"sizeInBytes\":4}}}");
    EXPECT(a.kind == DELTA_ADD && a.add.vector != 0);
    a = parse(&arena, "{\"remove\":{\"path\":\"part-00001-9.snappy.parquet\","
                      "\"deletionTimestamp\":1515488792485,\"dataChange\":false}}");
    EXPECT(a.kind == DELTA_REMOVE && !a.remove.data_change && a.remove.has_deletion_timestamp);
    a = parse(&arena, "{\"txn\":{\"appId\":\"3ba13872-2d47-4e17-86a0-21afd2a22395\","
                      "\"version\":364475}}");
    EXPECT(a.kind == DELTA_TXN && a.txn.version == 364475 && !a.txn.has_last_updated);
    a = parse(&arena, "{\"protocol\":{\"minReaderVersion\":2,\"minWriterVersion\":7,"
                      "\"writerFeatures\":[\"columnMapping\",\"identityColumns\"]}}");
    EXPECT(a.kind == DELTA_PROTOCOL && a.protocol.reader == 2 && a.protocol.writer == 7);
    EXPECT_U64(a.protocol.writer_features.count, 2);
    a = parse(&arena, "{\"commitInfo\":{\"timestamp\":1515491537026,\"userId\":\"100121\"}}");
    EXPECT(a.kind == DELTA_COMMIT_INFO && json_member(a.commit_info.json, "userId") != NULL);
    a = parse(&arena, "{\"cdc\":{\"path\":\"_change_data/cdc-00001-c.snappy.parquet\"}}");
    EXPECT(a.kind == DELTA_OTHER);
    arena_free(&arena);
}

TEST(delta_actions_that_are_damaged_are_refused)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{\"add\":[]}",
        "{\"add\":{\"path\":\"a\"}}",
        "{\"add\":{\"size\":1}}",
        "{\"add\":{\"path\":\"a\",\"size\":-1}}",
        "{\"add\":{\"path\":\"a\",\"size\":1,\"tags\":[]}}",
        "{\"add\":{\"path\":\"a\",\"size\":1,\"tags\":{\"x\":1}}}",
        "{\"add\":{\"path\":\"a\",\"size\":1,\"stats\":{}}}",
        "{\"remove\":{}}",
        "{\"txn\":{\"appId\":\"a\",\"version\":9223372036854775808}}",
        "{\"txn\":{\"version\":1}}",
        "{\"protocol\":{\"minReaderVersion\":1}}",
        "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[1]}}",
        "{\"metaData\":{\"id\":\"x\"}}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct arena arena = {0};
        struct err err = {0};
        struct delta_action action;
        EXPECT(delta_action_parse(&action, &arena, slice_of(bad[i]), &err) == -1);
        EXPECT(err.code == ERR_FORMAT);
        arena_free(&arena);
    }
}

/* Each is written as it was read; members in the order of the protocol. */
TEST(delta_actions_are_written)
{
    static const char *const lines[] = {
        "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n",
        "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"v\"],"
        "\"writerFeatures\":[\"v\",\"w\"]}}\n",
        "{\"metaData\":{\"id\":\"i\",\"name\":\"n\",\"description\":\"d\",\"format\":{\"provider\":"
        "\"parquet\",\"options\":{\"a\":\"b\"}},\"schemaString\":\"{\\\"x\\\":1}\","
        "\"partitionColumns\":[\"p\",\"q\"],\"createdTime\":5,\"configuration\":{\"k\":\"v\"},"
        "\"unknown\":{\"a\":[1,2.5e3,null,true,\"\\\"\"],\"b\":{}}}}\n",
        "{\"txn\":{\"appId\":\"a\\\"b\",\"version\":-3,\"lastUpdated\":9}}\n",
        "{\"add\":{\"path\":\"a%20b\",\"partitionValues\":{\"p\":null,\"q\":\"\"},\"size\":7,"
        "\"modificationTime\":8,\"dataChange\":false,\"stats\":\"{}\",\"tags\":{\"t\":\"u\"}}}\n",
        "{\"remove\":{\"path\":\"a\",\"deletionTimestamp\":7,\"dataChange\":true}}\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct arena arena = {0};
        struct buf out = {0};
        struct slice rest = slice_of(lines[i]);
        struct slice line;
        struct delta_action action;
        struct err err = {0};
        EXPECT(delta_next_line(&rest, &line) && rest.len == 0);
        EXPECT(delta_action_parse(&action, &arena, line, &err) == 0);
        delta_action_write(&out, &action);
        EXPECT_TEXT(buf_text(&out), lines[i]);
        buf_free(&out);
        arena_free(&arena);
    }
}

TEST(delta_commit_info_is_written)
{
    struct buf out = {0};
    struct delta_action action = {
        .kind = DELTA_COMMIT_INFO,
        .commit_info = {.timestamp = 12,
                        .operation = "WRITE",
                        .parameters = "{\"mode\":\"Append\"}",
                        .blind_append = true,
                        .engine = "e/1",
                        .varve = slice_of("{\"instance\":\"i\"}")},
    };
    delta_action_write(&out, &action);
    EXPECT_TEXT(buf_text(&out),
                "{\"commitInfo\":{\"timestamp\":12,\"operation\":\"WRITE\",\"operationParameters\":"
                "{\"mode\":\"Append\"},\"isBlindAppend\":true,\"engineInfo\":\"e/1\",\"varve\":"
                "{\"instance\":\"i\"}}}\n");
    buf_free(&out);
}

TEST(delta_lines_are_cut)
{
    struct slice rest = slice_of("a\r\n\nb");
    struct slice line;
    EXPECT(delta_next_line(&rest, &line) && slice_is(line, "a"));
    EXPECT(delta_next_line(&rest, &line) && line.len == 0);
    EXPECT(delta_next_line(&rest, &line) && slice_is(line, "b"));
    EXPECT(!delta_next_line(&rest, &line));
}

TEST(delta_path_is_decoded_once)
{
    struct buf out = {0};
    delta_path_encode(&out, slice_of("k=v/a%2Fb/%empty/1-2.parquet"));
    EXPECT_TEXT(buf_text(&out), "k=v/a%252Fb/%25empty/1-2.parquet");
    struct buf back = {0};
    EXPECT(delta_path_decode(&back, buf_slice(&out)));
    EXPECT_TEXT(buf_text(&back), "k=v/a%2Fb/%empty/1-2.parquet");
    EXPECT(delta_path_decode(&back, slice_of("%c3%B6")));
    EXPECT_TEXT(buf_text(&back), "k=v/a%2Fb/%empty/1-2.parquet\xc3\xb6");
    EXPECT(!delta_path_decode(&back, slice_of("abc%")));
    EXPECT(!delta_path_decode(&back, slice_of("abc%2")));
    EXPECT(!delta_path_decode(&back, slice_of("abc%g0")));
    EXPECT(!delta_path_decode(&back, slice_of("file:/srv/a")));
    EXPECT(!delta_path_decode(&back, slice_of("S3a://bucket/a")));
    EXPECT_TEXT(buf_text(&back), "k=v/a%2Fb/%empty/1-2.parquet\xc3\xb6");
    buf_free(&out);
    buf_free(&back);
}

/* Each row: paths of one file, the first as varve encodes it; or of none that can be decoded. */
TEST(delta_path_has_one_key_in_all_encodings)
{
    static const char *const paths[][3] = {
        {"sim-1/k=v/1-2.parquet", "sim%2d1%2Fk%3dv/1-2%2Eparquet", "sim%2D1/k=v/1-2.parquet"},
        {"a%2Bb%20c%252F.parquet", "a+b c%252F.parquet", "a%2bb%20c%252F%2eparquet"},
        {"%C3%B6", "\xc3\xb6", "%c3%b6"},
        {"abc%", NULL, NULL},
        {"+%g0", NULL, NULL},
        {"", NULL, NULL},
    };
    struct buf scratch = {0};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        for (size_t k = 0; k < 3 && paths[i][k] != NULL; k++)
            EXPECT(slice_is(delta_path_key(&scratch, slice_of(paths[i][k])), paths[i][0]));
    buf_free(&scratch);
}

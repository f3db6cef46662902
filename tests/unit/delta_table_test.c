/* SPDX-License-Identifier: MIT */
#include "delta/table.h"

#include "delta/snapshot.h"
#include "store_fixture.h"

static const char expected[] =
    "{\"commitInfo\":{\"timestamp\":1795536000500,\"operation\":\"CREATE TABLE\","
    "\"operationParameters\":{},\"isBlindAppend\":false,\"engineInfo\":\"varve/0\"}}\n"
    "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
    "{\"metaData\":{\"id\":\"ID\",\"format\":{\"provider\":\"parquet\",\"options\":{}},"
    "\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":["
    "{\\\"name\\\":\\\"timestamp_ns\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,"
    "\\\"metadata\\\":{}},"
    "{\\\"name\\\":\\\"simulation_id\\\",\\\"type\\\":\\\"string\\\",\\\"nullable\\\":true,"
    "\\\"metadata\\\":{}},"
    "{\\\"name\\\":\\\"event_payload\\\",\\\"type\\\":\\\"binary\\\",\\\"nullable\\\":true,"
    "\\\"metadata\\\":{}},"
    "{\\\"name\\\":\\\"stream_seq\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,"
    "\\\"metadata\\\":{}},"
    "{\\\"name\\\":\\\"stream_time\\\",\\\"type\\\":\\\"timestamp\\\",\\\"nullable\\\":true,"
    "\\\"metadata\\\":{}}]}\",\"partitionColumns\":[],\"createdTime\":1795536000500,"
    "\"configuration\":{\"delta.appendOnly\":\"true\",\"delta.dataSkippingStatsColumns\":"
    "\"timestamp_ns,simulation_id,stream_seq,stream_time\"}}}\n";

TEST(delta_table_is_written_for_any_reader)
{
    struct buf out = {0};
    struct err err = {0};
    delta_table_create(&out, &fixture_schema, "ID", "varve/0", INT64_C(1795536000500000000));
    EXPECT_TEXT(buf_text(&out), expected);
    EXPECT(delta_table_check_entry(buf_slice(&out), &fixture_schema, &err) == 0);
    buf_free(&out);
}

/* Check the table above with `from` replaced by `to`. */
static void expect_check(const char *from, const char *to, enum err_code code, const char *message)
{
    struct buf text = {0};
    struct err err = {0};
    const char *at = strstr(expected, from);
    EXPECT(at != NULL);
    buf_append(&text, expected, (size_t)(at - expected));
    buf_append_text(&text, to);
    buf_append_text(&text, at + strlen(from));
    EXPECT(delta_table_check_entry(buf_slice(&text), &fixture_schema, &err) ==
           (code == ERR_NONE ? 0 : -1));
    EXPECT(err.code == code);
    if (strstr(err.text, message) == NULL)
        EXPECT_TEXT(err.text, message);
    buf_free(&text);
}

TEST(delta_table_of_others_is_checked)
{
    expect_check("\"ID\"", "\"X\",\"name\":null", ERR_NONE, "");
    expect_check("}\n{\"metaData\"", "}\n\n{\"metaData\"", ERR_NONE, "");
    expect_check("\\\"fields\\\":[",
                 "\\\"fields\\\":[{\\\"name\\\":\\\"more\\\",\\\"type\\\":{\\\"type\\\":"
                 "\\\"array\\\"}},",
                 ERR_NONE, "");
    expect_check("\"partitionColumns\":[]", "\"partitionColumns\":[\"dt\"]", ERR_UNSUPPORTED,
                 "partition columns");
    expect_check("Version\":2", "Version\":5", ERR_UNSUPPORTED, "writer version 5");
    expect_check("Version\":2", "Version\":3", ERR_NONE, "");
    expect_check("Version\":2", "Version\":4", ERR_NONE, "");
    expect_check("Version\":1", "Version\":3", ERR_UNSUPPORTED, "reader version 3");
    expect_check("Version\":2", "Version\":7,\"writerFeatures\":[\"appendOnly\"]", ERR_NONE, "");
    expect_check("Version\":2", "Version\":7,\"writerFeatures\":[\"rowTracking\"]", ERR_UNSUPPORTED,
                 "feature rowTracking");
    expect_check("\"minReaderVersion\":1,\"minWriterVersion\":2",
                 "\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":"
                 "[\"deletionVectors\"],\"writerFeatures\":[\"deletionVectors\"]",
                 ERR_UNSUPPORTED, "feature deletionVectors");
    expect_check("Version\":1", "Version\":\"1\"", ERR_FORMAT, "protocol");
    expect_check("\"delta.appendOnly\":\"true\"", "\"delta.constraints.few\":\"a < 1\"",
                 ERR_UNSUPPORTED, "CHECK constraint");
    expect_check("\"delta.appendOnly\":\"true\"", "\"delta.columnMapping.mode\":\"name\"",
                 ERR_UNSUPPORTED, "columnMapping");
    expect_check("\"delta.appendOnly\":\"true\"", "\"delta.columnMapping.mode\":\"none\"", ERR_NONE,
                 "");
    expect_check("\"delta.appendOnly\":\"true\"",
                 "\"delta.setTransactionRetentionDuration\":\"interval 1 day\"", ERR_UNSUPPORTED,
                 "setTransactionRetentionDuration");
    expect_check("\"provider\":\"parquet\"", "\"provider\":\"orc\"", ERR_UNSUPPORTED, "Parquet");
    expect_check("stream_seq", "stream_sex", ERR_UNSUPPORTED, "no column stream_seq");
    expect_check("{\\\"name\\\":\\\"simulation_id", "{\\\"name\\\":\\\"other", ERR_NONE, "");
    expect_check("\\\"metadata\\\":{}", "\\\"metadata\\\":{\\\"delta.invariants\\\":\\\"x\\\"}",
                 ERR_UNSUPPORTED, "timestamp_ns has an invariant");
    expect_check("\\\"metadata\\\":{}",
                 "\\\"metadata\\\":{\\\"delta.generationExpression\\\":\\\"x\\\"}", ERR_UNSUPPORTED,
                 "timestamp_ns is generated");
    expect_check("\\\"fields\\\":[",
                 "\\\"fields\\\":[{\\\"name\\\":\\\"more\\\",\\\"type\\\":\\\"long\\\","
                 "\\\"nullable\\\":false},",
                 ERR_UNSUPPORTED, "more can't be null");
    expect_check("binary", "string", ERR_UNSUPPORTED, "event_payload is not of type \"binary\"");
    expect_check("fields", "field", ERR_FORMAT, "no fields");
    expect_check("schemaString", "schema", ERR_FORMAT, "metaData");
    expect_check("metaData", "metadata", ERR_FORMAT, "no protocol or no metaData");
    expect_check("{\"protocol\"", "{\"protocols\"", ERR_FORMAT, "no protocol or no metaData");
    expect_check("{\"protocol\"", "\"protocol\"", ERR_FORMAT, "JSON");
}

/* A table of an earlier version, which says nothing of statistics and lacks a column, and to which
 * somebody has added a column, a comment and a property. */
TEST(delta_table_of_an_earlier_version_is_brought_up_to_date)
{
    static const char old[] =
        "{\"metaData\":{\"id\":\"ID\",\"name\":\"mine\",\"format\":{\"provider\":\"parquet\","
        "\"options\":{}},\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":["
        "{\\\"name\\\":\\\"timestamp_ns\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,"
        "\\\"metadata\\\":{\\\"comment\\\":\\\"x\\\"}},"
        "{\\\"name\\\":\\\"other\\\",\\\"type\\\":{\\\"type\\\":\\\"array\\\"},\\\"nullable\\\":"
        "true,"
        "\\\"metadata\\\":{}}%s]}\",\"partitionColumns\":[],\"createdTime\":5,"
        "\"configuration\":{\"k\":\"v\"%s}}}\n";
    static const char added[] =
        ",{\\\"name\\\":\\\"b\\\",\\\"type\\\":\\\"string\\\",\\\"nullable\\\":true,"
        "\\\"metadata\\\":{}}";
    static const struct column_spec columns[] = {
        {"timestamp_ns", COLUMN_INT64, COLUMN_RAW, .bounds = true},
        {"b", COLUMN_BYTES, COLUMN_TEXT, .optional = true, .bounds = true},
    };
    static const struct schema schema = {"s", columns, 2};
    const struct delta_protocol protocol = {.reader = 1, .writer = 2};
    struct arena arena = {0};
    struct buf before = {0}, after = {0}, out = {0};
    struct delta_action action;
    struct err err = {0};
    bool evolve;
    buf_printf(&before, old, "", "");
    buf_printf(&after, old, added,
               ",\"delta.dataSkippingStatsColumns\":\"timestamp_ns,simulation_id,stream_seq\"");
    before.len--; /* a line without its newline */
    EXPECT(delta_action_parse(&action, &arena, buf_slice(&before), &err) == 0);
    EXPECT(delta_table_check(&protocol, &action.metadata, &schema, &evolve, &err) == 0 && evolve);
    delta_table_evolve(&out, &action.metadata, &schema, "varve/1", INT64_C(7000000));
    const char *metadata = strchr(buf_text(&out), '\n') + 1;
    EXPECT(strncmp(buf_text(&out), "{\"commitInfo\":", 14) == 0);
    EXPECT_TEXT(metadata, buf_text(&after));
    struct slice line = {(const uint8_t *)metadata, strlen(metadata) - 1};
    EXPECT(delta_action_parse(&action, &arena, line, &err) == 0);
    EXPECT(delta_table_check(&protocol, &action.metadata, &schema, &evolve, &err) == 0 && !evolve);
    buf_free(&before);
    buf_free(&after);
    buf_free(&out);
    arena_free(&arena);
}

/* Without any column that has bounds, the list of them is empty, and that is enough. */
TEST(delta_table_without_bounds_is_complete)
{
    static const struct column_spec columns[] = {{.name = "n", .type = COLUMN_INT64}};
    static const struct schema schema = {"s", columns, 1};
    struct buf out = {0};
    struct err err = {0};
    struct delta_snapshot s = {0};
    bool evolve;
    delta_table_create(&out, &schema, "ID", "varve/0", 0);
    EXPECT(strstr(buf_text(&out), "\"delta.dataSkippingStatsColumns\":\"\"") != NULL);
    EXPECT(delta_snapshot_apply_entry(&s, 0, buf_slice(&out), &err) == 0);
    EXPECT(delta_table_check(&s.protocol, &s.metadata, &schema, &evolve, &err) == 0 && !evolve);
    delta_snapshot_free(&s);
    buf_free(&out);
}

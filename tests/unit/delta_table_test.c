/* SPDX-License-Identifier: MIT */
#include "delta/table.h"

#include "store_fixture.h"

static const char expected[] =
    "{\"commitInfo\":{\"timestamp\":1795536000500,\"operation\":\"CREATE TABLE\","
    "\"operationParameters\":{},\"engineInfo\":\"varve/0\"}}\n"
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
    "\"configuration\":{\"delta.appendOnly\":\"true\"}}}\n";

TEST(store_table_is_written_for_any_reader)
{
    struct buf out = {0};
    struct err err = {0};
    store_table_write(&out, &fixture_schema, "ID", "varve/0", INT64_C(1795536000500000000));
    EXPECT_TEXT(buf_text(&out), expected);
    EXPECT(store_table_check(buf_slice(&out), &fixture_schema, &err) == 0);
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
    EXPECT(store_table_check(buf_slice(&text), &fixture_schema, &err) ==
           (code == ERR_NONE ? 0 : -1));
    EXPECT(err.code == code);
    if (strstr(err.text, message) == NULL)
        EXPECT_TEXT(err.text, message);
    buf_free(&text);
}

TEST(store_table_of_others_is_checked)
{
    expect_check("\"ID\"", "\"X\",\"name\":null", ERR_NONE, "");
    expect_check("}\n{\"metaData\"", "}\n\n{\"metaData\"", ERR_NONE, "");
    expect_check("\\\"fields\\\":[",
                 "\\\"fields\\\":[{\\\"name\\\":\\\"more\\\",\\\"type\\\":{\\\"type\\\":"
                 "\\\"array\\\"}},",
                 ERR_NONE, "");
    expect_check("\"partitionColumns\":[]", "\"partitionColumns\":[\"dt\"]", ERR_UNSUPPORTED,
                 "partition columns");
    expect_check("Version\":2", "Version\":7", ERR_UNSUPPORTED, "writer 7");
    expect_check("Version\":1", "Version\":3", ERR_UNSUPPORTED, "reader 3");
    expect_check("Version\":1", "Version\":\"1\"", ERR_FORMAT, "no versions");
    expect_check("stream_seq", "stream_sex", ERR_UNSUPPORTED, "no column stream_seq");
    expect_check("binary", "string", ERR_UNSUPPORTED, "event_payload is not of type binary");
    expect_check("fields", "field", ERR_FORMAT, "no fields");
    expect_check("schemaString", "schema", ERR_FORMAT, "no schemaString");
    expect_check("metaData", "metadata", ERR_FORMAT, "no protocol or no metaData");
    expect_check("{\"protocol\"", "{\"protocols\"", ERR_FORMAT, "no protocol or no metaData");
    expect_check("{\"protocol\"", "\"protocol\"", ERR_FORMAT, "JSON");
}

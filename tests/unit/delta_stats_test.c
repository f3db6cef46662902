/* SPDX-License-Identifier: MIT */
#include "delta/stats.h"

#include "store_fixture.h"

static void expect_stats(const struct store_column_stats *columns, size_t count,
                         const char *expected)
{
    struct buf out = {0};
    store_stats_write(&out, &fixture_schema, 1000, columns, count);
    EXPECT_TEXT(buf_text(&out), expected);
    buf_free(&out);
}

TEST(store_stats_have_the_form_of_delta)
{
    struct store_column_stats columns[] = {
        {.column = 0, .bounded = true, .min = INT64_MIN, .max = INT64_MAX},
        {.column = 1,
         .bounded = true,
         .text_min = slice_of("a\"b"),
         .text_max = slice_of("z\xc3\xa9"),
         .nulls = 7},
        {.column = 2, .bounded = true, .text_min = slice_of("raw"), .text_max = slice_of("raw")},
        {.column = 4, .bounded = true, .min = -1, .max = INT64_C(1795536000999999)},
    };
    expect_stats(
        columns, 4,
        "{\"numRecords\":1000,"
        "\"minValues\":{\"timestamp_ns\":-9223372036854775808,\"simulation_id\":\"a\\\"b\","
        "\"stream_time\":\"1969-12-31T23:59:59.999Z\"},"
        "\"maxValues\":{\"timestamp_ns\":9223372036854775807,"
        "\"simulation_id\":\"z\xc3\xa9\",\"stream_time\":\"2026-11-24T16:00:01.000Z\"},"
        "\"nullCount\":{\"timestamp_ns\":0,\"simulation_id\":7,\"event_payload\":0,"
        "\"stream_time\":0}}");
    expect_stats(NULL, 0, "{\"numRecords\":1000}");
}

TEST(store_stats_leave_out_what_would_lie)
{
    char text[STORE_STATS_TEXT_MAX + 1];
    memset(text, 'x', sizeof(text));
    struct slice too_long = {(const uint8_t *)text, sizeof(text)};
    /* One column without bounds would be taken for nulls by some readers: rather none at all. */
    const char *none = "{\"numRecords\":1000}";
    struct store_column_stats columns[] = {
        {.column = 0, .bounded = true, .min = 1, .max = 2},
        {.column = 1, .bounded = true, .text_min = slice_of("a"), .text_max = too_long}};
    expect_stats(columns, 2, none);
    columns[1].text_max = slice_of("\xff");
    expect_stats(columns, 2, none);
    columns[1].text_max = slice_of("b");
    columns[1].bounded = false;
    expect_stats(columns, 2, none);
    columns[1].nulls = 1000;
    expect_stats(columns, 2,
                 "{\"numRecords\":1000,\"minValues\":{\"timestamp_ns\":1},\"maxValues\":"
                 "{\"timestamp_ns\":2},\"nullCount\":{\"timestamp_ns\":0,\"simulation_id\":1000}}");
}

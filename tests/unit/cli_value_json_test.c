/* SPDX-License-Identifier: MIT */
#include "cli/value_json.h"

#include "parquet_fixture.h"

static struct buf out;

static const char *json(const struct parquet_leaf *leaf, const char *hex)
{
    buf_reset(&out);
    value_json_append(&out, leaf, fixture_hex(hex));
    return buf_text(&out);
}

static struct parquet_leaf leaf(enum parquet_meaning meaning, enum parquet_type type,
                                uint32_t width)
{
    return (struct parquet_leaf){.meaning = meaning, .type = {type, width}};
}

TEST(cli_value_json_null)
{
    struct parquet_leaf l = leaf(PARQUET_MEANING_SIGNED, PARQUET_TYPE_INT64, 8);
    value_json_append(&out, &l, (struct slice){0});
    EXPECT_TEXT(buf_text(&out), "null");
}

TEST(cli_value_json_integers)
{
    struct parquet_leaf l = leaf(PARQUET_MEANING_SIGNED, PARQUET_TYPE_INT64, 8);
    EXPECT_TEXT(json(&l, "0000000000000080"), "-9223372036854775808");
    EXPECT_TEXT(json(&l, "ffffffffffffff7f"), "9223372036854775807");
    l.meaning = PARQUET_MEANING_UNSIGNED;
    EXPECT_TEXT(json(&l, "ffffffffffffffff"), "18446744073709551615");
    l = leaf(PARQUET_MEANING_SIGNED, PARQUET_TYPE_INT32, 4);
    EXPECT_TEXT(json(&l, "ffffffff"), "-1");
    l.meaning = PARQUET_MEANING_UNSIGNED;
    EXPECT_TEXT(json(&l, "ffffffff"), "4294967295");
    l = leaf(PARQUET_MEANING_BOOLEAN, PARQUET_TYPE_BOOLEAN, 1);
    EXPECT_TEXT(json(&l, "01"), "true");
    EXPECT_TEXT(json(&l, "00"), "false");
}

TEST(cli_value_json_text_and_bytes)
{
    struct parquet_leaf l = leaf(PARQUET_MEANING_TEXT, PARQUET_TYPE_BYTE_ARRAY, 0);
    EXPECT_TEXT(json(&l, "61 22 0a e29883"), "\"a\\\"\\n\xe2\x98\x83\"");
    EXPECT_TEXT(json(&l, "61 ff"), "\"Yf8=\""); /* not UTF-8 */
    value_json_append(&out, &l, (struct slice){(const uint8_t *)"", 0});
    EXPECT_TEXT(buf_text(&out), "\"Yf8=\"\"\"");
    l.meaning = PARQUET_MEANING_BYTES;
    EXPECT_TEXT(json(&l, "61 62"), "\"YWI=\"");
    l = leaf(PARQUET_MEANING_UUID, PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY, 16);
    EXPECT_TEXT(json(&l, "00112233445566778899aabbccddeeff"),
                "\"00112233-4455-6677-8899-aabbccddeeff\"");
}

/* Dates and times: computed with Python's datetime. */
TEST(cli_value_json_dates)
{
    struct parquet_leaf l = leaf(PARQUET_MEANING_DATE, PARQUET_TYPE_INT32, 4);
    EXPECT_TEXT(json(&l, "00000000"), "\"1970-01-01\"");
    EXPECT_TEXT(json(&l, "ffffffff"), "\"1969-12-31\"");
    EXPECT_TEXT(json(&l, "072b0000"), "\"2000-02-28\""); /* 11015 */
    EXPECT_TEXT(json(&l, "082b0000"), "\"2000-02-29\"");
    EXPECT_TEXT(json(&l, "092b0000"), "\"2000-03-01\"");
    EXPECT_TEXT(json(&l, "c0b5f5ff"), "\"0123-08-24\""); /* -674368 */
    EXPECT_TEXT(json(&l, "a0c02c00"), "\"9999-12-31\""); /* 2932896 */
    EXPECT_TEXT(json(&l, "a1c02c00"), "2932897");        /* RFC 3339 can't say it */
    EXPECT_TEXT(json(&l, "00000080"), "-2147483648");
}

TEST(cli_value_json_timestamps)
{
    struct parquet_leaf l = leaf(PARQUET_MEANING_TIMESTAMP, PARQUET_TYPE_INT64, 8);
    l.unit = PARQUET_UNIT_MICROS;
    l.utc = true;
    EXPECT_TEXT(json(&l, "ffffffffffffffff"), "\"1969-12-31T23:59:59.999999Z\"");
    EXPECT_TEXT(json(&l, "0020f23304550600"), "\"2026-06-24T18:40:00.000000Z\"");
    l.utc = false;
    l.unit = PARQUET_UNIT_MILLIS;
    EXPECT_TEXT(json(&l, "0100000000000000"), "\"1970-01-01T00:00:00.001\"");
    EXPECT_TEXT(json(&l, "ffffffffffffff7f"), "9223372036854775807");
    l.unit = PARQUET_UNIT_NANOS;
    EXPECT_TEXT(json(&l, "ffffffffffffff7f"), "\"2262-04-11T23:47:16.854775807\"");
    EXPECT_TEXT(json(&l, "0000000000000080"), "\"1677-09-21T00:12:43.145224192\"");
    l.meaning = PARQUET_MEANING_TIME;
    l.unit = PARQUET_UNIT_MICROS;
    EXPECT_TEXT(json(&l, "ff5fd71d14000000"), "\"23:59:59.999999\""); /* 86399999999 */
    EXPECT_TEXT(json(&l, "0060d71d14000000"), "86400000000");         /* no time of a day */
    EXPECT_TEXT(json(&l, "ffffffffffffffff"), "-1");
    l = leaf(PARQUET_MEANING_INT96, PARQUET_TYPE_INT96, 12);
    EXPECT_TEXT(json(&l, "0100000000000000 8c3d2500"), "\"1970-01-01T00:00:00.000000001\"");
}

TEST(cli_value_json_reals)
{
    struct parquet_leaf l = leaf(PARQUET_MEANING_DOUBLE, PARQUET_TYPE_DOUBLE, 8);
    EXPECT_TEXT(json(&l, "9a9999999999b93f"), "0.1");
    EXPECT_TEXT(json(&l, "333333333333d33f"), "0.3"); /* 0.1 + 0.2 is one more: */
    EXPECT_TEXT(json(&l, "343333333333d33f"), "0.30000000000000004");
    EXPECT_TEXT(json(&l, "000000000000f87f"), "\"NaN\"");
    EXPECT_TEXT(json(&l, "000000000000f0ff"), "\"-Infinity\"");
    EXPECT_TEXT(json(&l, "000000000000f07f"), "\"Infinity\"");
    EXPECT_TEXT(json(&l, "0000000000000080"), "-0");
    l = leaf(PARQUET_MEANING_FLOAT, PARQUET_TYPE_FLOAT, 4);
    EXPECT_TEXT(json(&l, "cdcccc3d"), "0.1");
}

TEST(cli_value_json_decimals)
{
    struct parquet_leaf l = leaf(PARQUET_MEANING_DECIMAL, PARQUET_TYPE_INT32, 4);
    l.scale = 2;
    EXPECT_TEXT(json(&l, "7b000000"), "\"1.23\"");
    EXPECT_TEXT(json(&l, "fbffffff"), "\"-0.05\"");
    EXPECT_TEXT(json(&l, "00000000"), "\"0.00\"");
    EXPECT_TEXT(json(&l, "00000080"), "\"-21474836.48\"");
    l = leaf(PARQUET_MEANING_DECIMAL, PARQUET_TYPE_BYTE_ARRAY, 0);
    EXPECT_TEXT(json(&l, "00"), "\"0\"");
    EXPECT_TEXT(json(&l, "80"), "\"-128\"");
    EXPECT_TEXT(json(&l, "ff80"), "\"-128\"");
    value_json_append(&out, &l, (struct slice){(const uint8_t *)"", 0});
    EXPECT_TEXT(buf_text(&out), "\"-128\"\"0\"");
    /* 10^38 - 1 */
    EXPECT_TEXT(json(&l, "4b3b4ca85a86c47a098a223fffffffff"),
                "\"99999999999999999999999999999999999999\"");
    l.scale = PARQUET_SCALE_MAX;
    EXPECT_U64(strlen(json(&l, "01")), 2 + 2 + PARQUET_SCALE_MAX);
    struct buf hex = {0};
    for (int i = 0; i < 64; i++)
        buf_append_text(&hex, "ff");
    l.scale = 0;
    EXPECT_TEXT(json(&l, buf_text(&hex)), "\"-1\"");
    buf_append_text(&hex, "ff"); /* longer than any decimal */
    EXPECT(strncmp(json(&l, buf_text(&hex)), "\"/////", 6) == 0);
    buf_free(&hex);
}

/* SPDX-License-Identifier: MIT */
#include "parquet/read/values.h"

#include "parquet_fixture.h"

static void expect(const char *hex, const int64_t *values, size_t count)
{
    struct err err = {0};
    struct delta_reader d;
    int64_t got[200];
    size_t len = 0;
    struct slice bytes = fixture_hex(hex);
    EXPECT(delta_reader_init(&d, bytes, count, &err) == 0);
    EXPECT(delta_read(&d, got, count, &err) == 0);
    for (size_t i = 0; i < count; i++)
        EXPECT_I64(got[i], values[i]);
    EXPECT_U64(d.left, 0);
    EXPECT_U64(d.at, bytes.len);
    EXPECT(delta_measure(bytes, count, &len, &err) == 0);
    EXPECT_U64(len, bytes.len);
}

TEST(parquet_delta_read_goldens)
{
    static const int64_t five[] = {1, 2, 3, 4, 5}, seven[] = {7};
    expect("80 01 04 05 02 02 00 00 00 00", five, 5);
    expect("80 01 04 00 00", five, 0);
    expect("80 01 04 01 0e", seven, 1);
}

TEST(parquet_delta_read_example)
{
    /* Encodings.md: 7 5 3 1 2 3 4 5; deltas -2 -2 -2 1 1 1 1, least -2, 2 bits each: 0 0 0 3 3 3 3.
     * The miniblock is padded to 32 values. */
    static const int64_t values[] = {7, 5, 3, 1, 2, 3, 4, 5};
    expect("80 01 04 08 0e 03 02 00 00 00 c0 3f 00 00 00 00 00 00", values, 8);
}

TEST(parquet_delta_read_wraps)
{
    /* INT64_MIN, INT64_MAX: the delta is 2^64 - 1 = -1, as least delta. */
    static const int64_t values[] = {INT64_MIN, INT64_MAX};
    expect("80 01 04 02 ff ff ff ff ff ff ff ff ff 01 01 00 00 00 00", values, 2);
}

TEST(parquet_delta_read_64_bits)
{
    /* 0, 0, -1: deltas 0 and -1; with least delta 0 the second needs all 64 bits. */
    static const int64_t values[] = {0, 0, -1};
    struct buf hex = {0};
    buf_append_text(&hex, "80 01 04 03 00 00 40 00 00 00 0000000000000000 ffffffffffffffff");
    for (int i = 0; i < 30; i++)
        buf_append_text(&hex, "0000000000000000");
    expect(buf_text(&hex), values, 3);
    buf_free(&hex);
}

TEST(parquet_delta_read_across_blocks)
{
    struct err err = {0};
    struct delta_reader d;
    int64_t value = 0;
    /* 130 values 0, 1, 2, ...: after the first a block of 128 deltas, then one of 1 */
    struct slice bytes = fixture_hex("80 01 04 82 01 00 02 00 00 00 00 02 00 00 00 00");
    EXPECT(delta_reader_init(&d, bytes, 130, &err) == 0);
    for (int64_t i = 0; i < 130; i++) {
        EXPECT(delta_read(&d, &value, 1, &err) == 0);
        EXPECT_I64(value, i);
    }
    EXPECT_U64(d.at, bytes.len);
}

static void refused(const char *hex, uint64_t count)
{
    struct err err = {0};
    struct delta_reader d;
    int64_t values[200];
    size_t len = 0;
    bool read = delta_reader_init(&d, fixture_hex(hex), count, &err) == 0 &&
                delta_read(&d, values, (size_t)count, &err) == 0;
    EXPECT(!read && err.code == ERR_FORMAT);
    err_clear(&err);
    EXPECT(delta_measure(fixture_hex(hex), count, &len, &err) == -1);
}

TEST(parquet_delta_read_too_wide)
{
    struct buf hex = {0};
    buf_append_text(&hex,
                    "80 01 04 05 02 02 41 00 00 00"); /* 65 bits, and all the bytes they need */
    for (int i = 0; i < 32 * 65 / 8; i++)
        buf_append_text(&hex, "00");
    refused(buf_text(&hex), 5);
    buf_free(&hex);
}

TEST(parquet_delta_read_hostile)
{
    refused("", 0);
    refused("80 01 04 05", 5);
    refused("80 01 04 05 02 02 00 00 00 00", 6); /* other than the page has */
    refused("80 01 04 ff ff ff ff ff ff ff ff ff 01 02", 5);
    refused("00 04 05 02 02 00 00 00 00", 5);                /* blocks of 0 */
    refused("81 01 01 05 02 02 00", 5);                      /* of 129 */
    refused("80 01 00 05 02 02 00 00 00 00", 5);             /* in 0 parts */
    refused("80 01 08 05 02 02 00 00 00 00 00 00 00 00", 5); /* of 16 values */
    refused("80 01 03 05 02 02 00 00 00", 5);                /* 128 / 3 */
    refused("80 80 80 80 10 04 05 02 02 00 00 00 00", 5);    /* blocks of 2^32 */
    refused("80 01 04 05 02 02 41 00 00 00", 5);             /* 65 bits */
    refused("80 01 04 05 02 02 01 00 00 00 ff ff ff", 5);    /* a miniblock that is cut */
    refused("80 01 04 05 02 02 00 00", 5);                   /* widths that are cut */
    refused("80 01 04 05 02", 5);                            /* no block */
}

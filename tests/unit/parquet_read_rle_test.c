/* SPDX-License-Identifier: MIT */
#include "parquet/read/rle.h"

#include "parquet_fixture.h"

static struct rle_reader reader(const char *hex, unsigned width)
{
    struct rle_reader r;
    rle_reader_init(&r, fixture_hex(hex), width);
    return r;
}

TEST(parquet_rle_read_goldens)
{
    struct err err = {0};
    uint32_t values[1000];
    struct rle_reader r = reader("03 e4 e4", 2);
    EXPECT(rle_read(&r, values, 8, &err) == 0 && rle_reader_done(&r));
    for (uint32_t i = 0; i < 8; i++)
        EXPECT_U64(values[i], i % 4);
    r = reader("c8 01 05", 3);
    EXPECT(rle_read(&r, values, 100, &err) == 0 && rle_reader_done(&r));
    for (uint32_t i = 0; i < 100; i++)
        EXPECT_U64(values[i], 5);
    r = reader("d0 0f 01", 1);
    EXPECT(rle_read(&r, values, 1000, &err) == 0 && rle_reader_done(&r));
    EXPECT(values[0] == 1 && values[999] == 1);
}

TEST(parquet_rle_read_in_pieces)
{
    struct err err = {0};
    uint32_t value = 0;
    /* 3 x 7, then 0..7 packed in 3 bits (the example of Encodings.md), then 2 x 1 */
    struct rle_reader r = reader("06 07 03 88 c6 fa 04 01", 3);
    static const uint32_t expected[] = {7, 7, 7, 0, 1, 2, 3, 4, 5, 6, 7, 1, 1};
    for (size_t i = 0; i < 13; i++) {
        EXPECT(!rle_reader_done(&r));
        EXPECT(rle_read(&r, &value, 1, &err) == 0);
        EXPECT_U64(value, expected[i]);
    }
    EXPECT(rle_reader_done(&r));
    EXPECT(rle_read(&r, &value, 1, &err) == -1);
}

TEST(parquet_rle_read_widths)
{
    struct err err = {0};
    uint32_t v[16];
    struct rle_reader r = reader("04 ff ff ff ff", 32);
    EXPECT(rle_read(&r, v, 2, &err) == 0 && v[1] == UINT32_MAX && rle_reader_done(&r));
    r = reader("05", 0); /* width 0: two packed groups of nothing */
    EXPECT(rle_read(&r, v, 16, &err) == 0 && v[15] == 0 && rle_reader_done(&r));
    r = reader("20", 0); /* a run of nothing */
    EXPECT(rle_read(&r, v, 16, &err) == 0 && v[15] == 0 && rle_reader_done(&r));
    /* 25 bits, so that values begin at every bit of a byte */
    static const uint32_t wide[] = {0x1,      0x1ffffff, 0x0, 0x1234567,
                                    0xabcdef, 0x1000000, 0x3, 0x1fffffe};
    r = reader("03 01 00 00 fe ff ff 03 00 00 38 2b 1a f9 de bc 0a 00 00 e0 00 00 00 ff ff ff", 25);
    EXPECT(rle_read(&r, v, 8, &err) == 0 && rle_reader_done(&r));
    for (size_t i = 0; i < 8; i++)
        EXPECT_U64(v[i], wide[i]);
}

static void refused(const char *hex, unsigned width, size_t count)
{
    struct err err = {0};
    uint32_t values[64];
    struct rle_reader r = reader(hex, width);
    EXPECT(rle_read(&r, values, count, &err) == -1);
    EXPECT_I64(err.code, ERR_FORMAT);
}

TEST(parquet_rle_read_hostile)
{
    refused("", 1, 1);
    refused("80", 1, 1);                               /* a header that does not end */
    refused("00 01", 1, 1);                            /* a run of none */
    refused("01", 1, 1);                               /* no groups */
    refused("02", 1, 1);                               /* a run without its value */
    refused("03", 1, 1);                               /* a group without its bits */
    refused("03 e4", 2, 8);                            /* half a group */
    refused("02 02", 1, 1);                            /* 2 in one bit */
    refused("ff ff ff ff ff ff ff ff ff 01 00", 8, 1); /* 2^63 groups */
    refused("fe ff ff ff ff ff ff ff ff 01 00", 8, 1);
    refused("ff ff ff ff 0f ff", 32, 1); /* 2^31 - 1 groups of 32 bytes each */
    refused("03 e4 e4", 2, 9);           /* more values than there are */
}

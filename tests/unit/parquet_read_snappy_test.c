/* SPDX-License-Identifier: MIT */
#include "parquet/read/page.h"

#include "parquet_fixture.h"

/* Blocks made by hand after format_description.txt. */
static const char *unpack(const char *hex, size_t len, struct buf *out)
{
    static struct err err;
    err_clear(&err);
    buf_reset(out);
    buf_append_text(out, ">");
    if (snappy_decompress(fixture_hex(hex), len, out, &err) != 0) {
        EXPECT(err.code == ERR_FORMAT);
        EXPECT_TEXT(buf_text(out), ">");
        return err.text;
    }
    return buf_text(out);
}

TEST(snappy_elements)
{
    struct buf out = {0};
    EXPECT_TEXT(unpack("00", 0, &out), ">");
    EXPECT_TEXT(unpack("03 08 616263", 3, &out), ">abc");
    /* a copy of 5 from 2 back repeats what it makes itself */
    EXPECT_TEXT(unpack("07 04 6162 05 02", 7, &out), ">abababa");
    /* copies with offsets of 2 and 4 bytes, as long as they can be short: 1 */
    EXPECT_TEXT(unpack("05 08 616263 02 0300 03 03000000", 5, &out), ">abcab");
    /* a literal whose length is in one byte, and in three */
    EXPECT_TEXT(unpack("02 f0 01 7a7a", 2, &out), ">zz");
    EXPECT_TEXT(unpack("02 f8 010000 7a7a", 2, &out), ">zz");
    buf_free(&out);
}

/* The offset of a short copy has 11 bits, three of them beside its length. */
TEST(snappy_offset_of_eleven_bits)
{
    struct buf block = {0}, out = {0};
    struct err err = {0};
    buf_append(&block, "\x84\x10\xf4\xff\x07", 5); /* 2052 bytes; a literal of 2048 */
    for (int i = 0; i < 2048; i++)
        buf_append_byte(&block, (uint8_t)(i % 251));
    buf_append(&block, "\xe1\xff", 2); /* 4 bytes from 2047 back */
    EXPECT(snappy_decompress(buf_slice(&block), 2052, &out, &err) == 0);
    EXPECT_BYTES(out.data + 2048, 4, "\1\2\3\4", 4);
    buf_free(&block);
    buf_free(&out);
}

TEST(snappy_hostile)
{
    struct buf out = {0};
    EXPECT_TEXT(unpack("", 0, &out), "snappy: the block has no length");
    EXPECT_TEXT(unpack("ff", 3, &out), "snappy: the block has no length");
    EXPECT_TEXT(unpack("04 08 616263", 3, &out), "snappy: 4 bytes where 3 were announced");
    EXPECT_TEXT(unpack("03 04 6162", 3, &out), "snappy: the block ends after 2 of 3 bytes");
    EXPECT_TEXT(unpack("03 08 6162", 3, &out), "snappy: the block is damaged at its byte 1");
    EXPECT_TEXT(unpack("01 04 6162", 1, &out), "snappy: the block is damaged at its byte 1");
    EXPECT_TEXT(unpack("07 04 6162 05 03", 7, &out), "snappy: the block is damaged at its byte 4");
    EXPECT_TEXT(unpack("07 04 6162 05 00", 7, &out), "snappy: the block is damaged at its byte 4");
    EXPECT_TEXT(unpack("05 04 6162 05 02", 5, &out), "snappy: the block is damaged at its byte 4");
    EXPECT_TEXT(unpack("07 04 6162 05", 7, &out), "snappy: the block is damaged at its byte 4");
    EXPECT_TEXT(unpack("03 fc ffffff", 3, &out), "snappy: the block is damaged at its byte 1");
    EXPECT_TEXT(unpack("03 fc ffffffff 61", 3, &out), "snappy: the block is damaged at its byte 1");
    buf_free(&out);
}

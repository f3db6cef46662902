/* SPDX-License-Identifier: MIT */
#include "parquet/write/page.h"

#include <stdlib.h>

#include "test.h"

/* The CRC is zlib.crc32 of the body as Python has it, as a zigzag varint; the rest of the headers
 * is written down by hand. */
TEST(page_data_page)
{
    struct buf out = {0};
    size_t len;
    const uint8_t *expected = test_hex("15 00 15 d0 0f 15 12 15 b3 9b de c0 06"
                                       "1c 15 06 15 10 15 06 15 06 00 00"
                                       "31 32 33 34 35 36 37 38 39",
                                       &len);

    buf_append_text(&out, "PAR1");
    size_t body = page_begin(&out);
    EXPECT_U64(body, 4 + PAGE_HEADER_ROOM);
    buf_append_text(&out, "123456789"); /* CRC cbf43926 */
    struct page_extent extent =
        page_seal_data(&out, body, PARQUET_ENCODING_RLE_DICTIONARY, 3, 1000);
    EXPECT_U64(extent.gap, 0);
    EXPECT_U64(extent.size, len);
    EXPECT_BYTES(out.data, 4, "PAR1", 4);
    EXPECT_BYTES(out.data + 4, out.len - 4, expected, len);
    buf_free(&out);
}

TEST(page_dictionary_page)
{
    struct buf out = {0};
    size_t len;
    const uint8_t *expected = test_hex("15 04 15 12 15 12 15 b3 9b de c0 06 3c 15 02 15 00 00 00"
                                       "31 32 33 34 35 36 37 38 39",
                                       &len);

    size_t body = page_begin(&out);
    buf_append_text(&out, "123456789");
    struct page_extent extent = page_seal_dictionary(&out, body, 1, 9);
    EXPECT_U64(extent.size, len);
    EXPECT_BYTES(out.data, out.len, expected, len);
    buf_free(&out);
}

/* A large body is not moved: the header stands right in front of it, behind a gap. */
TEST(page_large_body_stays)
{
    struct buf out = {0};
    size_t body = page_begin(&out);
    uint8_t *bytes = calloc(1, 20000);

    buf_append(&out, bytes, 20000);
    struct page_extent extent = page_seal_data(&out, body, PARQUET_ENCODING_PLAIN, 1, 20000);
    EXPECT(extent.gap > 0);
    EXPECT_U64(extent.gap + extent.size, out.len);
    EXPECT_BYTES(out.data + extent.gap, 2, "\x15\x00", 2);
    EXPECT_U64(out.len, PAGE_HEADER_ROOM + 20000);
    free(bytes);
    buf_free(&out);
}

TEST(page_largest_header_fits_the_room)
{
    struct buf out = {0};
    size_t body = page_begin(&out);
    uint8_t *bytes = calloc(1, 1 << 20);

    for (int i = 0; i < 64; i++)
        buf_append(&out, bytes, 1 << 20);
    struct page_extent extent = page_seal_data(&out, body, PARQUET_ENCODING_DELTA_BYTE_ARRAY,
                                               INT32_MAX, PARQUET_PAGE_BYTES_MAX);
    EXPECT(extent.size - (64u << 20) <= 36);
    free(bytes);
    buf_free(&out);
}

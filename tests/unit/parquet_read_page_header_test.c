/* SPDX-License-Identifier: MIT */
#include "parquet/read/metadata.h"

#include "parquet_fixture.h"

static struct parquet_page_header header(const char *hex, size_t expected_len)
{
    struct parquet_page_header h;
    struct err err = {0};
    struct slice bytes = fixture_hex(hex);
    size_t used = 0;
    EXPECT(parquet_page_header_read(bytes, &h, &used, &err) == 0);
    EXPECT_U64(used, expected_len);
    return h;
}

TEST(parquet_page_header_read_v1)
{
    struct parquet_page_header h =
        header("15 00 15 c0 0c 15 d8 04 15 03 1c 15 c8 01 15 10 15 06 15 06 00 00 ff ff", 22);
    EXPECT_I64(h.type, PARQUET_PAGE_DATA);
    EXPECT_I64(h.uncompressed_page_size, 800);
    EXPECT_I64(h.compressed_page_size, 300);
    EXPECT(h.has_crc && h.crc == (uint32_t)-2);
    EXPECT_I64(h.num_values, 100);
    EXPECT_I64(h.encoding, PARQUET_ENCODING_RLE_DICTIONARY);
    EXPECT_I64(h.definition_level_encoding, PARQUET_ENCODING_RLE);
    EXPECT_I64(h.repetition_level_encoding, PARQUET_ENCODING_RLE);
}

TEST(parquet_page_header_read_dictionary)
{
    struct parquet_page_header h = header("15 04 15 78 15 64 4c 15 18 15 00 00 00", 13);
    EXPECT_I64(h.type, PARQUET_PAGE_DICTIONARY);
    EXPECT(h.uncompressed_page_size == 60 && h.compressed_page_size == 50 && !h.has_crc);
    EXPECT(h.num_values == 12 && h.encoding == PARQUET_ENCODING_PLAIN);
}

TEST(parquet_page_header_read_v2)
{
    struct parquet_page_header h =
        header("15 06 15 c0 0c 15 d8 04 5c 15 c8 01 15 0a 15 c8 01 15 10 15 08 15 00 11 00 00", 26);
    EXPECT_I64(h.type, PARQUET_PAGE_DATA_V2);
    EXPECT(h.num_values == 100 && h.num_nulls == 5 && h.num_rows == 100);
    EXPECT(h.definition_levels_byte_length == 4 && h.repetition_levels_byte_length == 0);
    EXPECT(h.is_compressed && h.encoding == PARQUET_ENCODING_RLE_DICTIONARY);
    h = header("15 06 15 c0 0c 15 d8 04 5c 15 c8 01 15 0a 15 c8 01 15 10 15 08 15 00 12 00 00", 26);
    EXPECT(!h.is_compressed);
    h = header("15 06 15 c0 0c 15 d8 04 5c 15 c8 01 15 0a 15 c8 01 15 10 15 08 15 00 00 00", 25);
    EXPECT(h.is_compressed); /* the default */
}

TEST(parquet_page_header_read_statistics_are_passed_over)
{
    /* field 5 of the data page header: max "b", min "a" */
    struct parquet_page_header h =
        header("15 00 15 02 15 02 2c 15 02 15 00 15 06 15 06 1c 58 01 62 18 01 61 00 00 00", 25);
    EXPECT_I64(h.num_values, 1);
}

static void refused(const char *hex)
{
    struct parquet_page_header h;
    struct err err = {0};
    size_t used = 0;
    EXPECT(parquet_page_header_read(fixture_hex(hex), &h, &used, &err) == -1);
    EXPECT_I64(err.code, ERR_FORMAT);
}

TEST(parquet_page_header_read_hostile)
{
    refused("");
    refused("00");
    refused("15 00 15 c0 0c 15 d8 04 00");                               /* no data header */
    refused("15 04 15 78 15 64 2c 15 18 15 00 15 06 15 06 00 00");       /* of another type */
    refused("15 00 15 01 15 d8 04 2c 15 c8 01 15 10 15 06 15 06 00 00"); /* raw size -1 */
    refused("15 00 15 c0 0c 15 01 2c 15 c8 01 15 10 15 06 15 06 00 00"); /* stored size -1 */
    refused("15 00 15 c0 0c 15 d8 04 2c 15 01 15 10 15 06 15 06 00 00"); /* -1 values */
    refused("15 06 15 c0 0c 15 d8 04 5c 15 c8 01 15 0a 15 c8 01 15 10 15 07 15 00 11 00 00");
    refused("15 00 15 c0 0c 15 d8 04 2c 15 c8 01 15 10 15 06 15 06 00"); /* no end */
}

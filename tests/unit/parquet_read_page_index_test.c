/* SPDX-License-Identifier: MIT */
#include "parquet/read/metadata.h"

#include "parquet_fixture.h"

TEST(parquet_page_index_read_offsets)
{
    struct arena arena = {0};
    struct err err = {0};
    struct parquet_offset_index x;
    /* (4, 100, 0), (104, 50, 20480); then [7, 9] */
    struct slice bytes = fixture_hex("19 2c 16 08 15 c8 01 16 00 00 16 d0 01 15 64 16 80 c0 02 00"
                                     "19 26 0e 12 00");
    EXPECT(parquet_offset_index_read(bytes, &arena, &x, &err) == 0);
    EXPECT_U64(x.count, 2);
    EXPECT_I64(x.page_locations[0].offset, 4);
    EXPECT_I64(x.page_locations[0].compressed_page_size, 100);
    EXPECT_I64(x.page_locations[0].first_row_index, 0);
    EXPECT_I64(x.page_locations[1].offset, 104);
    EXPECT_I64(x.page_locations[1].compressed_page_size, 50);
    EXPECT_I64(x.page_locations[1].first_row_index, 20480);
    EXPECT_I64(x.unencoded_byte_array_data_bytes[1], 9);
    arena_free(&arena);
}

TEST(parquet_page_index_read_column)
{
    struct arena arena = {0};
    struct err err = {0};
    struct parquet_column_index x;
    struct slice bytes =
        fixture_hex("19 21 01 02 19 28 00 01 61 19 28 00 01 62 15 02 19 26 06 00 00");
    EXPECT(parquet_column_index_read(bytes, &arena, &x, &err) == 0);
    EXPECT_U64(x.count, 2);
    EXPECT(x.null_pages[0] && !x.null_pages[1]);
    EXPECT_U64(x.min_values[0].len, 0);
    EXPECT(slice_is(x.min_values[1], "a") && slice_is(x.max_values[1], "b"));
    EXPECT_I64(x.boundary_order, PARQUET_BOUNDARY_ASCENDING);
    EXPECT(x.null_counts[0] == 3 && x.null_counts[1] == 0);
    arena_free(&arena);
}

static void refused(const char *hex, bool column)
{
    struct arena arena = {0};
    struct err err = {0};
    struct parquet_offset_index offsets;
    struct parquet_column_index bounds;
    EXPECT((column ? parquet_column_index_read(fixture_hex(hex), &arena, &bounds, &err)
                   : parquet_offset_index_read(fixture_hex(hex), &arena, &offsets, &err)) == -1);
    EXPECT_I64(err.code, ERR_FORMAT);
    arena_free(&arena);
}

TEST(parquet_page_index_read_hostile)
{
    refused("", false);
    refused("00", false);
    refused("19 fc ff ff ff ff 07 00", false);                   /* 2^31 - 1 locations */
    refused("19 1c 16 07 15 02 16 00 00 00", false);             /* offset -4 */
    refused("19 1c 16 08 15 02 16 00 00 19 26 02 02 00", false); /* sizes of two pages for one */
    refused("00", true);
    refused("19 21 01 02 19 18 00 19 28 00 01 62 15 02 00", true); /* one minimum for two pages */
    refused("19 21 01 02 19 28 00 01 61 19 28 00 01 62 15 02 19 16 06 00", true);
    refused("19 21 01 02 19 28 00 01 61 19 28 00 01 62 15 02 00 00", true); /* a byte more */
    refused("19 f1 ff ff ff ff 07 00", true);
}

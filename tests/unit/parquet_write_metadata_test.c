/* SPDX-License-Identifier: MIT */
#include "parquet/write/metadata.h"

#include "base/crc32.h"
#include "test.h"

/*
 * The expected bytes were made by another program from parquet.thrift, and files made of them were
 * read by DuckDB, arrow-rs, Polars and hyparquet.
 */
static void expect_hex(const struct buf *out, const char *hex)
{
    size_t len;
    const uint8_t *expected = test_hex(hex, &len);

    EXPECT_BYTES(out->data, out->len, expected, len);
}

TEST(metadata_write_data_page_header)
{
    struct buf out = {0};
    struct parquet_page_header header = {
        .type = PARQUET_PAGE_DATA,
        .uncompressed_page_size = 800,
        .compressed_page_size = 300,
        .has_crc = true,
        .crc = UINT32_MAX - 1, /* -2 as i32 */
        .num_values = 100,
        .encoding = PARQUET_ENCODING_RLE_DICTIONARY,
        .definition_level_encoding = PARQUET_ENCODING_RLE,
        .repetition_level_encoding = PARQUET_ENCODING_RLE,
    };

    parquet_write_page_header(&out, &header);
    expect_hex(&out, "15 00 15 c0 0c 15 d8 04 15 03 1c 15 c8 01 15 10 15 06 15 06 00 00");
    buf_free(&out);
}

TEST(metadata_write_dictionary_page_header)
{
    struct buf out = {0};
    struct parquet_page_header header = {
        .type = PARQUET_PAGE_DICTIONARY,
        .uncompressed_page_size = 60,
        .compressed_page_size = 50,
        .num_values = 12,
        .encoding = PARQUET_ENCODING_PLAIN,
    };

    parquet_write_page_header(&out, &header);
    expect_hex(&out, "15 04 15 78 15 64 4c 15 18 15 00 00 00");
    buf_free(&out);
}

TEST(metadata_write_column_index)
{
    struct buf out = {0};
    struct parquet_column_index index = {
        .count = 2,
        .null_pages = (const bool[]){true, false},
        .min_values = (const struct slice[]){slice_of(""), slice_of("a")},
        .max_values = (const struct slice[]){slice_of(""), slice_of("b")},
        .boundary_order = PARQUET_BOUNDARY_ASCENDING,
        .null_counts = (const int64_t[]){3, 0},
    };

    parquet_write_column_index(&out, &index);
    expect_hex(&out, "19 21 01 02 19 28 00 01 61 19 28 00 01 62 15 02 19 26 06 00 00");
    buf_free(&out);
}

TEST(metadata_write_offset_index)
{
    struct buf out = {0};
    struct parquet_offset_index index = {
        .page_locations = (const struct parquet_page_location[]){{4, 100, 0}},
        .count = 1,
    };

    parquet_write_offset_index(&out, &index);
    expect_hex(&out, "19 1c 16 08 15 c8 01 16 00 00 00");
    buf_reset(&out);
    index.unencoded_byte_array_data_bytes = (const int64_t[]){-1};
    parquet_write_offset_index(&out, &index);
    expect_hex(&out, "19 1c 16 08 15 c8 01 16 00 00 19 16 01 00");
    buf_free(&out);
}

/* A footer whose only leaf has this annotation; the bytes of it up to the annotation are fixed. */
static void expect_annotation(struct parquet_logical_type logical, const char *hex)
{
    struct buf out = {0}, expected = {0};
    struct parquet_schema_element root = {
        .name = slice_of("v"), .converted_type = PARQUET_CONVERTED_NONE, .logical = logical};
    struct parquet_file_metadata metadata = {.version = 1, .schema = &root, .schema_count = 1};
    size_t len;

    buf_append(&expected, test_hex("15 02 19 1c 48 01 76 6c", &len), 8);
    const uint8_t *bytes = test_hex(hex, &len);
    buf_append(&expected, bytes, len);
    bytes = test_hex("00 16 00 19 0c 00", &len);
    buf_append(&expected, bytes, len);
    parquet_write_file_metadata(&out, &metadata);
    EXPECT_BYTES(out.data, out.len, expected.data, expected.len);
    buf_free(&out);
    buf_free(&expected);
}

TEST(metadata_write_logical_types)
{
    expect_annotation((struct parquet_logical_type){.kind = PARQUET_LOGICAL_STRING}, "1c 00 00");
    expect_annotation((struct parquet_logical_type){.kind = PARQUET_LOGICAL_UUID}, "ec 00 00");
    expect_annotation((struct parquet_logical_type){.kind = PARQUET_LOGICAL_TIMESTAMP,
                                                    .utc = true,
                                                    .unit = PARQUET_UNIT_MICROS},
                      "8c 11 1c 2c 00 00 00 00");
    expect_annotation((struct parquet_logical_type){.kind = PARQUET_LOGICAL_TIMESTAMP,
                                                    .utc = true,
                                                    .unit = PARQUET_UNIT_NANOS},
                      "8c 11 1c 3c 00 00 00 00");
    expect_annotation(
        (struct parquet_logical_type){.kind = PARQUET_LOGICAL_INTEGER, .bit_width = 64},
        "ac 13 40 12 00 00");
    expect_annotation(
        (struct parquet_logical_type){.kind = PARQUET_LOGICAL_DECIMAL, .scale = 2, .precision = 9},
        "5c 15 04 15 12 00 00");
}

static const struct parquet_schema_element schema_v[] = {
    {.name = {(const uint8_t *)"schema", 6},
     .num_children = 1,
     .converted_type = PARQUET_CONVERTED_NONE},
    {.has_type = true,
     .type = PARQUET_TYPE_INT64,
     .has_repetition = true,
     .repetition = PARQUET_REPETITION_REQUIRED,
     .name = {(const uint8_t *)"v", 1},
     .converted_type = PARQUET_CONVERTED_NONE},
};

static void append_footer(struct buf *out, const struct parquet_file_metadata *metadata)
{
    size_t before = out->len;

    parquet_write_file_metadata(out, metadata);
    buf_append_u32le(out, (uint32_t)(out->len - before));
    buf_append_text(out, PARQUET_MAGIC);
}

TEST(metadata_write_file_of_three_rows)
{
    struct buf out = {0}, values = {0};

    buf_append_text(&out, PARQUET_MAGIC);
    buf_append_u64le(&values, 1);
    buf_append_u64le(&values, (uint64_t)-2);
    buf_append_u64le(&values, 3);
    struct parquet_page_header header = {
        .type = PARQUET_PAGE_DATA,
        .uncompressed_page_size = 24,
        .compressed_page_size = 24,
        .has_crc = true,
        .crc = crc32_update(0, values.data, values.len),
        .num_values = 3,
        .encoding = PARQUET_ENCODING_PLAIN,
        .definition_level_encoding = PARQUET_ENCODING_RLE,
        .repetition_level_encoding = PARQUET_ENCODING_RLE,
    };
    parquet_write_page_header(&out, &header);
    buf_append_slice(&out, buf_slice(&values));

    struct slice name = slice_of("v");
    struct parquet_column_chunk chunk = {
        .type = PARQUET_TYPE_INT64,
        .encodings = (const enum parquet_encoding[]){PARQUET_ENCODING_PLAIN, PARQUET_ENCODING_RLE},
        .encodings_count = 2,
        .path = &name,
        .path_count = 1,
        .codec = PARQUET_COMPRESSION_UNCOMPRESSED,
        .num_values = 3,
        .total_uncompressed_size = (int64_t)out.len - 4,
        .total_compressed_size = (int64_t)out.len - 4,
        .data_page_offset = 4,
        .has_statistics = true,
        .statistics = {.has_null_count = true,
                       .has_max = true,
                       .max = {values.data + 16, 8},
                       .has_min = true,
                       .min = {values.data + 8, 8},
                       .max_exact = PARQUET_EXACT_YES,
                       .min_exact = PARQUET_EXACT_YES},
    };
    struct parquet_row_group group = {
        .columns = &chunk,
        .columns_count = 1,
        .total_byte_size = chunk.total_uncompressed_size,
        .num_rows = 3,
        .has_file_offset = true,
        .file_offset = 4,
        .has_total_compressed_size = true,
        .total_compressed_size = chunk.total_compressed_size,
        .has_ordinal = true,
    };
    struct parquet_file_metadata metadata = {
        .version = 1,
        .schema = schema_v,
        .schema_count = 2,
        .num_rows = 3,
        .row_groups = &group,
        .row_groups_count = 1,
        .has_created_by = true,
        .created_by = slice_of("varve version 0.1.0 (build abc123)"),
        .column_orders_count = 1,
    };
    append_footer(&out, &metadata);
    expect_hex(&out, "5041523115001530153015e1ae92a90d1c150615001506150600000100000000000000"
                     "feffffffffffffff03000000000000001502192c4806736368656d61150200150425001801"
                     "76001606191c191c26001c1504192500061918017615001606165e165e26083c36002808"
                     "03000000000000001808feffffffffffffff1111000000165e16062608165e14000028227661"
                     "7276652076657273696f6e20302e312e3020286275696c642061626331323329191c1c000000"
                     "8500000050415231");
    EXPECT_U64(out.len, 192);
    buf_free(&out);
    buf_free(&values);
}

TEST(metadata_write_file_without_rows)
{
    struct buf out = {0};
    struct parquet_file_metadata metadata = {
        .version = 1,
        .schema = schema_v,
        .schema_count = 2,
        .has_created_by = true,
        .created_by = slice_of("varve version 0.1.0 (build abc123)"),
        .column_orders_count = 1,
    };

    buf_append_text(&out, PARQUET_MAGIC);
    append_footer(&out, &metadata);
    expect_hex(&out, "504152311502192c4806736368656d6115020015042500180176001600190c28227661727665"
                     "2076657273696f6e20302e312e3020286275696c642061626331323329191c1c0000004500"
                     "000050415231");
    EXPECT_U64(out.len, 81);
    buf_free(&out);
}

TEST(metadata_write_optional_fields)
{
    struct buf out = {0};
    struct slice name = slice_of("c");
    struct parquet_column_chunk chunk = {
        .type = PARQUET_TYPE_BYTE_ARRAY,
        .encodings = (const enum parquet_encoding[]){PARQUET_ENCODING_RLE_DICTIONARY},
        .encodings_count = 1,
        .path = &name,
        .path_count = 1,
        .codec = PARQUET_COMPRESSION_ZSTD,
        .num_values = 2,
        .total_uncompressed_size = 10,
        .total_compressed_size = 9,
        .data_page_offset = 20,
        .dictionary_page_offset = 4,
        .encoding_stats =
            &(const struct parquet_encoding_stats){PARQUET_PAGE_DATA,
                                                   PARQUET_ENCODING_RLE_DICTIONARY, 3},
        .encoding_stats_count = 1,
        .has_size_statistics = true,
        .unencoded_byte_array_data_bytes = 5,
        .offset_index_offset = 200,
        .offset_index_length = 11,
        .column_index_offset = 150,
        .column_index_length = 12,
    };
    struct parquet_row_group group = {
        .columns = &chunk,
        .columns_count = 1,
        .num_rows = 2,
        .sorting_columns = &(const struct parquet_sorting_column){8, false, false},
        .sorting_columns_count = 1,
    };
    struct parquet_key_value pairs[] = {
        {slice_of("k"), true, slice_of("v")},
        {.key = slice_of("n")},
    };
    struct parquet_schema_element leaf = {
        .has_type = true,
        .type = PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY,
        .type_length = 16,
        .name = slice_of("c"),
        .converted_type = PARQUET_CONVERTED_UTF8,
        .field_id = 7,
    };
    struct parquet_file_metadata metadata = {
        .version = 1,
        .schema = &leaf,
        .schema_count = 1,
        .row_groups = &group,
        .row_groups_count = 1,
        .key_values = pairs,
        .key_values_count = 2,
    };

    parquet_write_file_metadata(&out, &metadata);
    expect_hex(&out, "15 02 19 1c 15 0e 15 20 28 01 63 25 00 35 0e 00 16 00"
                     "19 1c 19 1c 26 00 1c"
                     "15 0c 19 15 10 19 18 01 63 15 0c 16 04 16 14 16 12 26 28 26 08"
                     "29 1c 15 00 15 10 15 06 00 3c 16 0a 00 00"
                     "16 9003 15 16 16 ac02 15 18 00"
                     "16 00 16 04 19 1c 15 10 12 12 00 00"
                     "19 2c 18 01 6b 18 01 76 00 18 01 6e 00 00");
    buf_free(&out);
}

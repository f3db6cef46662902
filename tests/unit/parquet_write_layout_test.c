/* SPDX-License-Identifier: MIT */
#include "parquet/write/layout.h"

#include "test.h"

static const struct column_spec columns[] = {
    {.name = "raw", .type = COLUMN_INT64},
    {.name = "time", .type = COLUMN_INT64, .meaning = COLUMN_TIME_MICROS},
    {.name = "text", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .optional = true},
    {.name = "bytes", .type = COLUMN_BYTES},
};
static const struct schema schema = {"test", columns, 4};

/* P3, P5, P6, P7, P32: what readers can't take is not there unless it was asked for. */
TEST(layout_schema_by_default)
{
    struct parquet_options options = parquet_options_default();
    struct arena arena = {0};
    const struct parquet_schema_element *e = layout_describe_schema(&schema, &options, &arena);

    EXPECT(!e[0].has_type && !e[0].has_repetition && e[0].num_children == 4);
    EXPECT(slice_is(e[0].name, "schema"));
    for (int i = 1; i <= 4; i++) {
        EXPECT(e[i].has_type && e[i].has_repetition && e[i].num_children == 0);
        EXPECT(slice_is(e[i].name, columns[i - 1].name));
        EXPECT_I64(e[i].field_id, i);
        EXPECT(e[i].repetition ==
               (i == 3 ? PARQUET_REPETITION_OPTIONAL : PARQUET_REPETITION_REQUIRED));
    }
    EXPECT(e[1].type == PARQUET_TYPE_INT64 && e[1].logical.kind == PARQUET_LOGICAL_NONE &&
           e[1].converted_type == PARQUET_CONVERTED_NONE);
    EXPECT(e[2].type == PARQUET_TYPE_INT64 && e[2].logical.kind == PARQUET_LOGICAL_TIMESTAMP &&
           e[2].logical.utc && e[2].logical.unit == PARQUET_UNIT_MICROS &&
           e[2].converted_type == PARQUET_CONVERTED_TIMESTAMP_MICROS);
    EXPECT(e[3].type == PARQUET_TYPE_BYTE_ARRAY && e[3].logical.kind == PARQUET_LOGICAL_STRING &&
           e[3].converted_type == PARQUET_CONVERTED_UTF8);
    EXPECT(e[4].type == PARQUET_TYPE_BYTE_ARRAY && e[4].logical.kind == PARQUET_LOGICAL_NONE &&
           e[4].converted_type == PARQUET_CONVERTED_NONE);
    arena_free(&arena);
}

TEST(layout_schema_with_options)
{
    struct parquet_options options = parquet_options_default();
    struct arena arena = {0};

    options.nanos_column = "raw";
    options.uuid_column = "text";
    layout_check_options(&schema, &options);
    const struct parquet_schema_element *e = layout_describe_schema(&schema, &options, &arena);
    EXPECT(e[1].logical.kind == PARQUET_LOGICAL_TIMESTAMP && e[1].logical.utc &&
           e[1].logical.unit == PARQUET_UNIT_NANOS &&
           e[1].converted_type == PARQUET_CONVERTED_NONE);
    EXPECT(e[3].type == PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY && e[3].type_length == 16 &&
           e[3].logical.kind == PARQUET_LOGICAL_UUID &&
           e[3].converted_type == PARQUET_CONVERTED_NONE);
    arena_free(&arena);
}

/* P28: encodings that some readers lack are in the delta profile only. */
TEST(layout_encodings_of_the_profiles)
{
    struct parquet_options options = parquet_options_default();

    for (int i = 0; i < 4; i++)
        EXPECT(layout_of_column(&options, &columns[i]).encoding == PARQUET_ENCODING_PLAIN);
    options.delta = true;
    options.uuid_column = "text";
    EXPECT(layout_of_column(&options, &columns[0]).encoding ==
           PARQUET_ENCODING_DELTA_BINARY_PACKED);
    EXPECT(layout_of_column(&options, &columns[2]).encoding == PARQUET_ENCODING_PLAIN);
    EXPECT(layout_of_column(&options, &columns[3]).encoding ==
           PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY);
}

TEST(layout_bloom_columns_are_named)
{
    struct parquet_options options = parquet_options_default();
    static const char *const names[] = {"text"};

    options.bloom_columns = names;
    options.bloom_columns_count = 1;
    EXPECT(layout_of_column(&options, &columns[2]).bloom);
    EXPECT(!layout_of_column(&options, &columns[3]).bloom);
}

TEST(layout_pages_grow_in_files_that_have_many)
{
    struct parquet_options options = parquet_options_default();

    options.page_bytes = 4096;
    EXPECT_U64(layout_page_bytes(&options, 0), 4096);
    EXPECT_U64(layout_page_bytes(&options, 49999), 4096);
    EXPECT_U64(layout_page_bytes(&options, 50000), 8192);
    EXPECT_U64(layout_page_bytes(&options, 100000), 16384);
    EXPECT_U64(layout_page_bytes(&options, 499999), 4096 << 9);
    options.page_bytes = 32 * 1024 * 1024;
    EXPECT_U64(layout_page_bytes(&options, 499999), 32 * 1024 * 1024);
    options.page_bytes = 20 * 1024 * 1024;
    EXPECT_U64(layout_page_bytes(&options, 50000), 32 * 1024 * 1024);
}

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

/* P3, P5, P6, P7, P32: what readers can't take is not there. */
TEST(layout_schema_by_default)
{
    struct parquet_options options = parquet_options_default();
    struct arena arena = {0};
    struct layout layout;

    layout_make(&layout, &schema, &options, &arena);
    const struct parquet_schema_element *e = layout.elements;
    EXPECT_U64(layout.elements_count, 5);
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

/* P28: encodings that some readers lack are in the delta profile only. */
TEST(layout_encodings_of_the_profiles)
{
    struct parquet_options options = parquet_options_default();
    struct arena arena = {0};
    struct layout layout;

    layout_make(&layout, &schema, &options, &arena);
    for (int i = 0; i < 4; i++)
        EXPECT(layout.leaves[i].encoding == PARQUET_ENCODING_PLAIN);
    options.delta = true;
    layout_make(&layout, &schema, &options, &arena);
    EXPECT(layout.leaves[0].encoding == PARQUET_ENCODING_DELTA_BINARY_PACKED);
    EXPECT(layout.leaves[3].encoding == PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY);
    arena_free(&arena);
}

static const struct column_spec nested[] = {
    {.name = "at", .type = COLUMN_STRUCT, .children = 2, .optional = true},
    {.name = "x", .type = COLUMN_DOUBLE},
    {.name = "tags", .type = COLUMN_LIST, .optional = true},
    {.name = "", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .optional = true},
    {.name = "labels", .type = COLUMN_MAP},
    {.name = "", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT},
    {.name = "", .type = COLUMN_INT32, .meaning = COLUMN_DATE, .optional = true},
    {.name = "cents", .type = COLUMN_INT64, .meaning = COLUMN_DECIMAL, .precision = 12, .scale = 2},
};

/* LogicalTypes.md, Lists and Maps: three levels, and both annotations. */
TEST(layout_nested_schema)
{
    static const struct schema tree = {"nested", nested, 8};
    static const char *const names[] = {"schema", "at",        "x",   "tags",  "list", "element",
                                        "labels", "key_value", "key", "value", "cents"};
    static const int32_t children[] = {3, 2, 0, 1, 1, 0, 1, 2, 0, 0, 0};
    static const int repetitions[] = {0, 1, 0, 1, 2, 1, 0, 2, 0, 1, 0};
    struct parquet_options options = parquet_options_default();
    struct arena arena = {0};
    struct layout layout;

    layout_make(&layout, &tree, &options, &arena);
    const struct parquet_schema_element *e = layout.elements;
    EXPECT_U64(layout.elements_count, 11);
    for (int i = 0; i < 11; i++) {
        EXPECT(slice_is(e[i].name, names[i]));
        EXPECT_I64(e[i].num_children, children[i]);
        EXPECT_I64(e[i].repetition, repetitions[i]);
        EXPECT(e[i].has_type == (children[i] == 0));
    }
    EXPECT(e[3].logical.kind == PARQUET_LOGICAL_LIST &&
           e[3].converted_type == PARQUET_CONVERTED_LIST);
    EXPECT(e[6].logical.kind == PARQUET_LOGICAL_MAP &&
           e[6].converted_type == PARQUET_CONVERTED_MAP);
    EXPECT(e[4].logical.kind == PARQUET_LOGICAL_NONE && e[7].logical.kind == PARQUET_LOGICAL_NONE);
    EXPECT(e[9].logical.kind == PARQUET_LOGICAL_DATE && e[9].type == PARQUET_TYPE_INT32);
    EXPECT(e[10].logical.kind == PARQUET_LOGICAL_DECIMAL && e[10].scale == 2 &&
           e[10].precision == 12 && e[10].converted_type == PARQUET_CONVERTED_DECIMAL);
    EXPECT_U64(layout.leaves_count, 5);
    EXPECT_U64(layout.leaf_of[3], 1);
    EXPECT_U64(layout.leaves[1].path_count, 4);
    EXPECT(slice_is(layout.leaves[1].path[2], "list"));
    EXPECT(layout.leaves[1].leaf.definition == 4 && layout.leaves[1].leaf.repetition == 1);
    arena_free(&arena);
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

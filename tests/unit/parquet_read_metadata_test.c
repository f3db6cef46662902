/* SPDX-License-Identifier: MIT */
#include "parquet/read/metadata.h"

#include "parquet_fixture.h"

static struct slice footer(const char *file)
{
    struct slice s = fixture_hex(file);
    size_t start = s.len == GOLDEN_ROWS_LEN ? GOLDEN_BODY_END : 4;
    return (struct slice){s.data + start, s.len - 8 - start};
}

TEST(parquet_metadata_read_golden)
{
    struct arena arena = {0};
    struct err err = {0};
    struct parquet_file_metadata m;
    EXPECT(parquet_metadata_read(footer(GOLDEN_ROWS), &arena, &m, &err) == 0);
    EXPECT_I64(m.version, 1);
    EXPECT_U64(m.schema_count, 2);
    EXPECT(slice_is(m.schema[0].name, "schema") && m.schema[0].num_children == 1);
    EXPECT(slice_is(m.schema[1].name, "v") && m.schema[1].type == PARQUET_TYPE_INT64);
    EXPECT(m.schema[1].repetition == PARQUET_REPETITION_REQUIRED);
    EXPECT_I64(m.num_rows, 3);
    EXPECT_U64(m.row_groups_count, 1);
    EXPECT_U64(m.column_orders_count, 1);
    EXPECT_U64(m.column_orders[0], 1);
    EXPECT(m.has_created_by && slice_is(m.created_by, "varve version 0.1.0 (build abc123)"));

    const struct parquet_row_group *g = &m.row_groups[0];
    EXPECT_I64(g->num_rows, 3);
    EXPECT_I64(g->total_byte_size, 47);
    EXPECT(g->has_file_offset && g->file_offset == 4);
    EXPECT(g->has_total_compressed_size && g->total_compressed_size == 47);
    EXPECT(g->has_ordinal && g->ordinal == 0);
    EXPECT_U64(g->columns_count, 1);

    const struct parquet_column_chunk *c = &g->columns[0];
    EXPECT_I64(c->type, PARQUET_TYPE_INT64);
    EXPECT_U64(c->encodings_count, 2);
    EXPECT(c->encodings[0] == PARQUET_ENCODING_PLAIN && c->encodings[1] == PARQUET_ENCODING_RLE);
    EXPECT(c->path_count == 1 && slice_is(c->path[0], "v"));
    EXPECT_I64(c->codec, PARQUET_COMPRESSION_UNCOMPRESSED);
    EXPECT_I64(c->num_values, 3);
    EXPECT_I64(c->total_uncompressed_size, 47);
    EXPECT_I64(c->total_compressed_size, 47);
    EXPECT_I64(c->data_page_offset, 4);
    const struct parquet_statistics *s = &c->statistics;
    EXPECT(c->has_statistics && s->has_null_count && s->null_count == 0);
    EXPECT_BYTES(s->max.data, s->max.len, "\3\0\0\0\0\0\0\0", 8);
    EXPECT_BYTES(s->min.data, s->min.len, "\xfe\xff\xff\xff\xff\xff\xff\xff", 8);
    EXPECT(s->max_exact == PARQUET_EXACT_YES && s->min_exact == PARQUET_EXACT_YES);
    arena_free(&arena);
}

TEST(parquet_metadata_read_empty)
{
    struct arena arena = {0};
    struct err err = {0};
    struct parquet_file_metadata m;
    EXPECT(parquet_metadata_read(footer(GOLDEN_EMPTY), &arena, &m, &err) == 0);
    EXPECT_U64(m.row_groups_count, 0);
    EXPECT_I64(m.num_rows, 0);
    arena_free(&arena);
}

TEST(parquet_metadata_read_every_cut)
{
    struct slice whole = footer(GOLDEN_ROWS);
    for (size_t len = 0; len < whole.len; len++) {
        struct arena arena = {0};
        struct err err = {0};
        struct parquet_file_metadata m;
        EXPECT(parquet_metadata_read((struct slice){whole.data, len}, &arena, &m, &err) == -1);
        EXPECT_I64(err.code, ERR_FORMAT);
        arena_free(&arena);
    }
}

static enum err_code code_of(const char *hex)
{
    struct arena arena = {0};
    struct err err = {0};
    struct parquet_file_metadata m;
    EXPECT(parquet_metadata_read(fixture_hex(hex), &arena, &m, &err) == -1);
    arena_free(&arena);
    return err.code;
}

TEST(parquet_metadata_read_refuses)
{
    EXPECT_I64(code_of("00"), ERR_FORMAT); /* nothing required is there */
    EXPECT_I64(code_of("15 02 19 1c 48 01 72 00 16 00 19 0c 00 00"), ERR_FORMAT); /* a byte more */
    EXPECT_I64(code_of("15 02 19 1c 48 01 72 00 16 01 19 0c 00"), ERR_FORMAT);    /* -1 rows */
    EXPECT_I64(code_of("15 02 19 fc ff ff ff ff 07 48 01 72 00 16 00 19 0c 00"), ERR_FORMAT);
    /* field 8, encryption_algorithm */
    EXPECT_I64(code_of("15 02 19 1c 48 01 72 00 16 00 19 0c 4c 00 00"), ERR_UNSUPPORTED);
}

/* fastparquet wrote values of entries as whatever they were in Python: 1: i32 7, true, none.
 * Optional fields of a type that they must not have are as if they were not there, required ones
 * missing. */
TEST(parquet_metadata_read_fields_of_other_types)
{
    struct arena arena = {0};
    struct err err = {0};
    struct parquet_file_metadata m;
    /* a schema element with type, name and converted type, the numbers as i64 */
    struct slice bytes =
        fixture_hex("15 02 19 1c 16 00 38 01 72 26 00 00 16 00 19 0c"
                    "19 3c 18 01 6b 15 0e 00 18 01 6c 11 00 18 01 6e 00 15 0e 15 02 00");
    EXPECT(parquet_metadata_read(bytes, &arena, &m, &err) == 0);
    EXPECT(slice_is(m.schema[0].name, "r") && !m.schema[0].has_type);
    EXPECT_I64(m.schema[0].converted_type, PARQUET_CONVERTED_NONE); /* and not 0, which is UTF8 */
    EXPECT_U64(m.key_values_count, 3);
    EXPECT(slice_is(m.key_values[0].key, "k") && !m.key_values[0].has_value);
    EXPECT(slice_is(m.key_values[1].key, "l") && !m.key_values[1].has_value);
    EXPECT(!m.has_created_by);
    /* num_rows as an i32, a name that is a number */
    EXPECT_I64(code_of("15 02 19 1c 48 01 72 00 15 00 19 0c 00"), ERR_FORMAT);
    EXPECT_I64(code_of("15 02 19 1c 45 02 00 16 00 19 0c 00"), ERR_FORMAT);
    arena_free(&arena);
}

TEST(parquet_metadata_read_key_values)
{
    struct arena arena = {0};
    struct err err = {0};
    struct parquet_file_metadata m;
    /* version, one schema element, no rows, no groups, {k: v}, {w} */
    struct slice bytes =
        fixture_hex("15 02 19 1c 48 01 72 00 16 00 19 0c 19 2c 18 01 6b 18 01 76 00"
                    "18 01 77 00 00");
    EXPECT(parquet_metadata_read(bytes, &arena, &m, &err) == 0);
    EXPECT_U64(m.key_values_count, 2);
    EXPECT(slice_is(m.key_values[0].key, "k") && slice_is(m.key_values[0].value, "v"));
    EXPECT(slice_is(m.key_values[1].key, "w") && !m.key_values[1].has_value);
    EXPECT(!m.has_created_by);
    arena_free(&arena);
}

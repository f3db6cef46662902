/* SPDX-License-Identifier: MIT */
#include "parquet/write/footer.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/crc32.h"
#include "base/version.h"
#include "test.h"

static struct parquet_schema_element elements[] = {
    {.name = {(const uint8_t *)"schema", 6},
     .num_children = 1,
     .converted_type = PARQUET_CONVERTED_NONE},
    {.has_type = true,
     .type = PARQUET_TYPE_INT64,
     .has_repetition = true,
     .name = {(const uint8_t *)"v", 1},
     .converted_type = PARQUET_CONVERTED_NONE},
};

static const struct layout schema = {.elements = elements, .elements_count = 2, .leaves_count = 1};

static void expect_part(const struct buf *out, size_t at, const char *hex)
{
    size_t len;
    const uint8_t *expected = test_hex(hex, &len);

    EXPECT(at + len <= out->len);
    EXPECT_BYTES(out->data + at, len, expected, len);
}

/* The beginning and the end are those of a file that four other readers read (see
 * parquet_write_metadata_test.c); in between are the checksum and created_by, which changes with
 * each build. */
TEST(footer_of_a_file_without_rows)
{
    struct footer f = {0};
    struct buf out = {0};
    char created_by[100], checksum[9];

    buf_append_text(&out, "before");
    footer_write(&f, &schema, 4, 0, &out);
    expect_part(&out, 6, "1502192c4806736368656d6115020015042500180176001600190c");
    expect_part(&out, 33, "191c180b 76617276652e6372633332 1808"); /* varve.crc32 */
    expect_part(&out, 58, "0018");
    int len = snprintf(created_by, sizeof(created_by), "varve version %s (build %s)", varve_version,
                       varve_build);
    EXPECT_U64(out.data[60], len);
    EXPECT_BYTES(out.data + 61, (size_t)len, created_by, (size_t)len);
    expect_part(&out, 61 + (size_t)len, "191c1c000000");
    EXPECT_U64(load_u32le(out.data + out.len - 8), out.len - 8 - 6);
    EXPECT_BYTES(out.data + out.len - 4, 4, "PAR1", 4);
    /* with zeros for the digits, and the length */
    uint32_t crc = crc32_update(0, out.data + 6, 44);
    crc = crc32_update(crc, "00000000", 8);
    crc = crc32_update(crc, out.data + 58, out.len - 58 - 4);
    (void)snprintf(checksum, sizeof(checksum), "%08x", crc);
    EXPECT_BYTES(out.data + 50, 8, checksum, 8);
    footer_free(&f);
    buf_free(&out);
}

static const struct column_spec spec = {.name = "v", .type = COLUMN_INT64, .bounds = true};

/* Two chunks, without data: what counts is where their indexes are said to be. */
TEST(footer_places_column_indexes_then_offset_indexes)
{
    struct chunk_layout layout = {.spec = &spec,
                                  .type = PARQUET_TYPE_INT64,
                                  .encoding = PARQUET_ENCODING_PLAIN,
                                  .ceiling = 1};
    struct footer f = {0};
    struct arena scratch = {0};
    struct buf out = {0};
    struct chunk c = {0};
    struct parquet_column_chunk *chunks[2];

    chunk_begin_file(&c, &layout);
    for (int i = 0; i < 2; i++) {
        chunks[i] = arena_calloc(&f.arena, 1, sizeof(*chunks[i]));
        chunks[i]->path_count = 0;
        footer_add_indexes(&f, &c, &scratch, chunks[i]);
        struct parquet_row_group group = {
            .columns = chunks[i], .columns_count = 1, .num_rows = 5 + i};
        footer_add_row_group(&f, &group);
    }
    EXPECT_U64(footer_row_groups(&f), 2);
    EXPECT_U64(f.rows, 11);
    uint64_t column = f.column_indexes.len / 2, offset = f.offset_indexes.len / 2;
    footer_write(&f, &schema, 1000, 0, &out);
    for (uint64_t i = 0; i < 2; i++) {
        EXPECT_U64(chunks[i]->column_index_offset, 1000 + i * column);
        EXPECT_U64(chunks[i]->column_index_length, column);
        EXPECT_U64(chunks[i]->offset_index_offset, 1000 + 2 * column + i * offset);
        EXPECT_U64(chunks[i]->offset_index_length, offset);
    }
    chunk_free(&c);
    arena_free(&scratch);
    footer_free(&f);
    buf_free(&out);
}

TEST(footer_reset_forgets_all)
{
    struct parquet_row_group group = {.num_rows = 3};
    struct footer f = {0};
    struct buf first = {0}, second = {0};

    footer_write(&f, &schema, 4, 0, &first);
    footer_add_key_value(&f, "k", slice_of("v"));
    footer_add_row_group(&f, &group);
    footer_reset(&f);
    footer_write(&f, &schema, 4, 0, &second);
    EXPECT_BYTES(second.data, second.len, first.data, first.len);
    footer_free(&f);
    buf_free(&first);
    buf_free(&second);
}

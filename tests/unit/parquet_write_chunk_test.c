/* SPDX-License-Identifier: MIT */
#include "parquet/write/chunk.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "test.h"

static const struct column_spec number = {.name = "n", .type = COLUMN_INT64, .bounds = true};
static const struct column_spec text = {
    .name = "t", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .dictionary = true, .bounds = true};
static const struct column_spec payload = {.name = "p", .type = COLUMN_BYTES};

struct fixture {
    struct parquet_codec *codec;
    struct chunk chunk;
    struct buf values, definitions;
    struct cut_column column;
};

static void set_up(struct fixture *f, const struct column_spec *spec, enum parquet_type type)
{
    struct chunk_layout layout = {
        .spec = spec, .type = type, .encoding = PARQUET_ENCODING_PLAIN, .ceiling = 1};

    *f = (struct fixture){.codec = parquet_codec_new(NULL)};
    chunk_begin_file(&f->chunk, &layout);
}

static void tear_down(struct fixture *f)
{
    chunk_free(&f->chunk);
    parquet_codec_free(f->codec);
    buf_free(&f->values);
    buf_free(&f->definitions);
}

static void add(struct fixture *f, const char *value)
{
    f->column.rows++;
    f->column.entries++;
    if (value == NULL)
        f->column.nulls++;
    else {
        buf_append_u32le(&f->values, (uint32_t)strlen(value));
        buf_append_text(&f->values, value);
    }
    buf_append_byte(&f->definitions, value != NULL);
}

static void append(struct fixture *f, bool optional)
{
    f->column.values = buf_slice(&f->values);
    f->column.definition = optional;
    if (optional)
        f->column.definitions = buf_slice(&f->definitions);
    chunk_append(&f->chunk, &f->column, f->codec);
    f->column = (struct cut_column){0};
    buf_reset(&f->values);
    buf_reset(&f->definitions);
}

/* The body of page `index` as it is stored. */
static struct slice body_of(const struct fixture *f, uint32_t index)
{
    size_t at = 0;

    for (uint32_t i = 0; i <= index; i++) {
        struct page_extent extent = chunk_page(&f->chunk, i)->extent;
        at += extent.gap + extent.size;
    }
    uint32_t size = chunk_page(&f->chunk, index)->stored_size;
    return (struct slice){f->chunk.stored.data + at - size, size};
}

static void expect_body(const struct fixture *f, uint32_t index, const char *hex)
{
    size_t len;
    const uint8_t *expected = test_hex(hex, &len);
    struct slice body = body_of(f, index);

    EXPECT_BYTES(body.data, body.len, expected, len);
}

/* P10, P23: width 1 for one entry, no length in front of indexes. */
TEST(chunk_dictionary_of_one_entry)
{
    struct fixture f;

    set_up(&f, &text, PARQUET_TYPE_BYTE_ARRAY);
    for (int i = 0; i < 9; i++)
        add(&f, "only");
    append(&f, false);
    EXPECT(chunk_page(&f.chunk, 0)->encoding == PARQUET_ENCODING_RLE_DICTIONARY);
    expect_body(&f, 0, "01  12 00");
    tear_down(&f);
}

/* P22, P23: length, levels, then only the values that are there. */
TEST(chunk_levels_and_values_of_an_optional_column)
{
    struct fixture f;

    set_up(&f, &payload, PARQUET_TYPE_BYTE_ARRAY);
    add(&f, "a");
    add(&f, NULL);
    add(&f, "bc");
    append(&f, true);
    expect_body(&f, 0, "02 00 00 00  03 05  01 00 00 00 61  02 00 00 00 62 63");
    EXPECT_U64(chunk_page(&f.chunk, 0)->nulls, 1);
    EXPECT_U64(chunk_page(&f.chunk, 0)->text_bytes, 3);
    tear_down(&f);
}

/* P8, P9: nulls before the first value are PLAIN, later ones have their width byte; without any
 * value there is no dictionary page. */
TEST(chunk_pages_of_nulls)
{
    struct fixture f;
    struct buf out = {0};

    set_up(&f, &text, PARQUET_TYPE_BYTE_ARRAY);
    for (int i = 0; i < 10; i++)
        add(&f, NULL);
    append(&f, true);
    EXPECT(chunk_page(&f.chunk, 0)->encoding == PARQUET_ENCODING_PLAIN);
    expect_body(&f, 0, "02 00 00 00  14 00");
    EXPECT_U64(chunk_write_dictionary(&f.chunk, f.codec, &out).extent.size, 0);
    EXPECT_U64(out.len, 0);

    for (int i = 0; i < 10; i++)
        add(&f, i == 5 ? NULL : "x");
    append(&f, true);
    for (int i = 0; i < 10; i++)
        add(&f, NULL);
    append(&f, true);
    EXPECT(chunk_page(&f.chunk, 1)->encoding == PARQUET_ENCODING_RLE_DICTIONARY);
    EXPECT(chunk_page(&f.chunk, 2)->encoding == PARQUET_ENCODING_RLE_DICTIONARY);
    expect_body(&f, 2, "02 00 00 00  14 00  01");
    EXPECT(chunk_write_dictionary(&f.chunk, f.codec, &out).extent.size > 0);
    EXPECT_U64(f.chunk.nulls, 21);
    buf_free(&out);
    tear_down(&f);
}

/* P12: the width follows the largest index, not the number of entries. */
TEST(chunk_index_width_grows_from_page_to_page)
{
    static const unsigned entries[] = {1, 2, 3, 4, 5, 8, 9, 16, 17, 128, 129, 255, 256, 257};
    static const unsigned widths[] = {1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 8, 8, 9};
    struct fixture f;
    char value[32];

    set_up(&f, &text, PARQUET_TYPE_BYTE_ARRAY);
    for (uint32_t page = 0; page < 14; page++) {
        for (unsigned i = 0; i < 3 * entries[page] + 20; i++) {
            snprintf(value, sizeof(value), "entry-%u", i % entries[page]);
            add(&f, value);
        }
        append(&f, false);
        EXPECT(chunk_page(&f.chunk, page)->encoding == PARQUET_ENCODING_RLE_DICTIONARY);
        if (f.chunk.compression != CHUNK_COMPRESSED)
            EXPECT_U64(body_of(&f, page).data[0], widths[page]);
        EXPECT_U64(f.chunk.dictionary.entries, entries[page]);
    }
    tear_down(&f);
}

static void add_distinct(struct fixture *f, unsigned first, unsigned count)
{
    char value[64];

    for (unsigned i = first; i < first + count; i++) {
        snprintf(value, sizeof(value), "value-that-does-not-come-again-%u", i);
        add(f, value);
    }
}

TEST(chunk_gives_up_its_dictionary_in_the_first_page)
{
    struct fixture f;
    struct buf out = {0};

    set_up(&f, &text, PARQUET_TYPE_BYTE_ARRAY);
    add_distinct(&f, 0, 50);
    append(&f, false);
    EXPECT_U64(chunk_page_count(&f.chunk), 1);
    EXPECT(chunk_page(&f.chunk, 0)->encoding == PARQUET_ENCODING_PLAIN);
    EXPECT_U64(chunk_write_dictionary(&f.chunk, f.codec, &out).extent.size, 0);
    /* the next one is tried 16 row groups later */
    for (int group = 1; group < 40; group++) {
        chunk_begin_row_group(&f.chunk);
        EXPECT(f.chunk.use_dictionary == (group % 16 == 0));
        if (group % 16 == 0) {
            add_distinct(&f, 0, 50);
            append(&f, false);
        }
    }
    buf_free(&out);
    tear_down(&f);
}

TEST(chunk_gives_up_its_dictionary_in_the_middle)
{
    struct fixture f;
    struct buf out = {0};

    set_up(&f, &text, PARQUET_TYPE_BYTE_ARRAY);
    for (int i = 0; i < 60; i++)
        add(&f, i % 2 ? "a" : "b");
    append(&f, false);
    add_distinct(&f, 0, 90);
    append(&f, false);
    for (int i = 0; i < 60; i++)
        add(&f, "a");
    append(&f, false);
    EXPECT(chunk_page(&f.chunk, 0)->encoding == PARQUET_ENCODING_RLE_DICTIONARY);
    EXPECT(chunk_page(&f.chunk, 1)->encoding == PARQUET_ENCODING_PLAIN);
    EXPECT(chunk_page(&f.chunk, 2)->encoding == PARQUET_ENCODING_PLAIN);
    /* the dictionary page holds what the first page needs, and no value of the second */
    struct chunk_page page = chunk_write_dictionary(&f.chunk, f.codec, &out);
    EXPECT_U64(page.raw_size, 10);
    /* bounds go on over both */
    EXPECT(slice_is(bounds_min(&f.chunk.bytes), "a"));
    EXPECT(slice_is(bounds_max(&f.chunk.bytes), "value-that-does-not-come-again-9"));
    buf_free(&out);
    tear_down(&f);
}

TEST(chunk_ends_pages_at_the_cuts)
{
    static const struct cut cuts[] = {{2, 2, 16}, {3, 3, 24}};
    struct fixture f;

    set_up(&f, &number, PARQUET_TYPE_INT64);
    for (uint64_t i = 0; i < 5; i++)
        buf_append_u64le(&f.values, i * 3);
    f.column =
        (struct cut_column){.rows = 5, .entries = 5, .width = 8, .cuts = cuts, .cuts_count = 2};
    append(&f, false);
    EXPECT_U64(chunk_page_count(&f.chunk), 3);
    static const uint32_t rows[] = {2, 1, 2};
    static const int64_t mins[] = {0, 6, 9}, maxs[] = {3, 6, 12};
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_U64(chunk_page(&f.chunk, i)->rows, rows[i]);
        EXPECT_I64(chunk_page(&f.chunk, i)->numbers.min, mins[i]);
        EXPECT_I64(chunk_page(&f.chunk, i)->numbers.max, maxs[i]);
    }
    EXPECT(f.chunk.ascending);
    EXPECT_U64(f.chunk.rows, 5);
    tear_down(&f);
}

/* Where nulls belong in an order is for nobody to guess. */
TEST(chunk_with_a_null_is_in_no_order)
{
    static const struct column_spec optional = {
        .name = "n", .type = COLUMN_INT64, .bounds = true, .optional = true, .ordered = true};
    struct fixture f;

    set_up(&f, &optional, PARQUET_TYPE_INT64);
    for (int null = 0; null < 2; null++) {
        buf_append_u64le(&f.values, 1);
        buf_append(&f.definitions, "\1\0", 2);
        f.column = (struct cut_column){.rows = 1 + (uint32_t)null,
                                       .entries = 1 + (uint32_t)null,
                                       .nulls = (uint32_t)null,
                                       .width = 8};
        append(&f, true);
        EXPECT(f.chunk.ascending == (null == 0));
    }
    tear_down(&f);
}

TEST(chunk_ends_pages_with_nulls_at_the_cuts)
{
    static const struct cut cuts[] = {{2, 2, 6}};
    struct fixture f;

    set_up(&f, &payload, PARQUET_TYPE_BYTE_ARRAY);
    add(&f, "ab");
    add(&f, NULL);
    add(&f, NULL);
    add(&f, "c");
    add(&f, NULL);
    f.column.cuts = cuts;
    f.column.cuts_count = 1;
    append(&f, true);
    expect_body(&f, 0, "02 00 00 00  03 01  02 00 00 00 61 62");
    expect_body(&f, 1, "02 00 00 00  03 02  01 00 00 00 63");
    EXPECT_U64(chunk_page(&f.chunk, 0)->nulls, 1);
    EXPECT_U64(chunk_page(&f.chunk, 1)->nulls, 2);
    tear_down(&f);
}

/* A batch has no levels of the values behind the last null, or has them. */
TEST(chunk_takes_entries_without_a_level_for_values)
{
    static const struct cut cuts[] = {{2, 2, 6}, {4, 4, 11}};
    for (size_t levels = 3; levels <= 6; levels++) {
        struct fixture f;
        set_up(&f, &payload, PARQUET_TYPE_BYTE_ARRAY);
        add(&f, "ab");
        add(&f, NULL);
        add(&f, NULL);
        add(&f, "c");
        add(&f, "d");
        add(&f, "e");
        f.definitions.len = levels;
        f.column.cuts = cuts;
        f.column.cuts_count = 2;
        append(&f, true);
        expect_body(&f, 0, "02 00 00 00  03 01  02 00 00 00 61 62");
        expect_body(&f, 1, "02 00 00 00  03 02  01 00 00 00 63");
        expect_body(&f, 2, "02 00 00 00  04 01  01 00 00 00 64  01 00 00 00 65");
        EXPECT_U64(chunk_page(&f.chunk, 1)->nulls, 1);
        EXPECT_U64(chunk_page(&f.chunk, 2)->nulls, 0);
        tear_down(&f);
    }
}

TEST(chunk_numbers_have_no_dictionary)
{
    static const struct column_spec wanted = {
        .name = "n", .type = COLUMN_INT64, .dictionary = true, .bounds = true};
    struct fixture f;

    set_up(&f, &wanted, PARQUET_TYPE_INT64);
    for (int i = 0; i < 100; i++)
        buf_append_u64le(&f.values, 1);
    f.column.rows = f.column.entries = 100;
    append(&f, false);
    EXPECT(chunk_page(&f.chunk, 0)->encoding == PARQUET_ENCODING_PLAIN);
    EXPECT_U64(chunk_page(&f.chunk, 0)->raw_size, 800);
    tear_down(&f);
}

TEST(chunk_bounds_of_a_dictionary_page_are_those_of_its_values)
{
    struct fixture f;

    set_up(&f, &text, PARQUET_TYPE_BYTE_ARRAY);
    for (int i = 0; i < 30; i++)
        add(&f, i % 2 ? "m" : "z");
    append(&f, false);
    for (int i = 0; i < 30; i++)
        add(&f, i % 2 ? "m" : "n");
    append(&f, false);
    const struct bounds_bytes *second = chunk_page_bytes(&f.chunk, chunk_page(&f.chunk, 1));
    EXPECT(slice_is(bounds_min(second), "m") && slice_is(bounds_max(second), "n"));
    EXPECT(slice_is(bounds_max(&f.chunk.bytes), "z"));
    tear_down(&f);
}

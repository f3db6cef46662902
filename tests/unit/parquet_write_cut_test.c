/* SPDX-License-Identifier: MIT */
#include "parquet/write/cut.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "test.h"

static const struct column_spec columns[] = {
    {.name = "n", .type = COLUMN_INT64},
    {.name = "a", .type = COLUMN_BYTES},
    {.name = "b", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .optional = true},
};
static const struct schema schema = {"test", columns, 3};
static const struct cut_leaf leaves[] = {{0, 0, 0}, {1, 0, 0}, {2, 1, 0}};

static void put(struct batch *b, size_t a, size_t text)
{
    static const char letters[200000];

    batch_put_int64(b, 0, 7);
    batch_put_bytes(b, 1, (struct slice){(const uint8_t *)letters, a});
    if (text == SIZE_MAX)
        batch_put_null(b, 2);
    else
        batch_put_bytes(b, 2, (struct slice){(const uint8_t *)letters, text});
    batch_end_row(b);
}

static void prepare(struct cut_batch *s, const struct batch *b, uint32_t page_bytes)
{
    struct err err = {0};

    EXPECT_I64(cut_batch(s, b, leaves, 3, page_bytes, &err), 0);
}

TEST(cut_columns_are_views_of_the_batch)
{
    struct cut_batch s = {0};
    struct batch *b = batch_new(&schema, NULL);

    put(b, 3, 0);
    put(b, 0, SIZE_MAX);
    prepare(&s, b, 4096);
    EXPECT_U64(s.columns.list[0].width, 8);
    EXPECT_U64(s.columns.list[1].width, 0);
    EXPECT_U64(s.columns.list[1].definitions.len, 0);
    EXPECT_BYTES(s.columns.list[2].definitions.data, s.columns.list[2].definitions.len, "\1\0", 2);
    EXPECT_U64(s.columns.list[2].nulls, 1);
    EXPECT_U64(s.columns.list[1].values.len, 11);
    for (int i = 0; i < 3; i++) {
        EXPECT_U64(s.columns.list[i].rows, 2);
        EXPECT_U64(s.columns.list[i].cuts_count, 0);
    }
    cut_free(&s);
    batch_free(b);
}

static void expect_cuts(const struct cut_column *column, const struct cut *expected, uint32_t count)
{
    EXPECT_U64(column->cuts_count, count);
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_U64(column->cuts[i].row, expected[i].row);
        EXPECT_U64(column->cuts[i].entry, expected[i].entry);
        EXPECT_U64(column->cuts[i].offset, expected[i].offset);
    }
}

/* A page is as full as it can be; what is larger than a page has one of its own. */
TEST(cut_cuts_between_values)
{
    struct cut_batch s = {0};
    struct batch *b = batch_new(&schema, NULL);

    for (int i = 0; i < 41; i++)
        put(b, 96, 0); /* 100 bytes each: 40 fit 4096 */
    put(b, 10000, 0);
    put(b, 0, 0);
    prepare(&s, b, 4096);
    expect_cuts(&s.columns.list[1],
                (const struct cut[]){{40, 40, 4000}, {41, 41, 4100}, {42, 42, 14104}}, 3);
    expect_cuts(&s.columns.list[0], NULL, 0);
    expect_cuts(&s.columns.list[2], NULL, 0);
    cut_free(&s);
    batch_free(b);
}

TEST(cut_that_just_fits_is_not_cut)
{
    struct cut_batch s = {0};
    struct batch *b = batch_new(&schema, NULL);

    for (int i = 0; i < 4; i++)
        put(b, 1020, 1020);
    prepare(&s, b, 4096);
    EXPECT_U64(s.columns.list[1].cuts_count, 0);
    batch_reset(b);
    for (int i = 0; i < 4; i++)
        put(b, 1020 + (i == 3), 1020);
    prepare(&s, b, 4096);
    expect_cuts(&s.columns.list[1], (const struct cut[]){{3, 3, 3072}}, 1);
    batch_reset(b);
    for (int i = 0; i < 8; i++) /* two pages that are full to the byte */
        put(b, 1020, 0);
    prepare(&s, b, 4096);
    expect_cuts(&s.columns.list[1], (const struct cut[]){{4, 4, 4096}}, 1);
    EXPECT_U64(s.columns.list[2].cuts_count, 0);
    cut_free(&s);
    batch_free(b);
}

/* P30: two columns of different sizes end their pages at the same rows. */
TEST(cut_cuts_wide_columns_at_the_same_rows)
{
    struct cut_batch s = {0};
    struct batch *b = batch_new(&schema, NULL);

    for (int i = 0; i < 6; i++)
        put(b, 1996, i == 2 ? SIZE_MAX : 996); /* 2000 and 1000 bytes: 2 and 4 fit */
    for (int i = 0; i < 6; i++)
        put(b, 0, 1996); /* 4 and 2000 bytes */
    prepare(&s, b, 4096);
    expect_cuts(&s.columns.list[1],
                (const struct cut[]){
                    {2, 2, 4000}, {4, 4, 8000}, {7, 7, 12004}, {9, 9, 12012}, {11, 11, 12020}},
                5);
    expect_cuts(&s.columns.list[2],
                (const struct cut[]){
                    {2, 2, 2000}, {4, 4, 3000}, {7, 7, 7000}, {9, 9, 11000}, {11, 11, 15000}},
                5);
    cut_free(&s);
    batch_free(b);
}

TEST(cut_cuts_leave_no_page_too_large)
{
    struct cut_batch s = {0};
    struct batch *b = batch_new(&schema, NULL);

    for (int round = 0; round < 200; round++) {
        uint32_t rows = 1 + (uint32_t)(test_random() % 3000);
        size_t largest = 1 + test_random() % (round % 10 == 0 ? 20000 : 300);
        batch_reset(b);
        for (uint32_t i = 0; i < rows; i++)
            put(b, test_random() % largest,
                test_random() % 3 == 0 ? SIZE_MAX : test_random() % largest);
        prepare(&s, b, 4096);
        for (int c = 0; c < 3; c++) {
            const struct cut_column *column = &s.columns.list[c];
            size_t start = 0;
            uint32_t row = 0;
            for (uint32_t i = 0; i <= column->cuts_count; i++) {
                bool last = i == column->cuts_count;
                size_t end = last ? column->values.len : column->cuts[i].offset;
                uint32_t end_row = last ? rows : column->cuts[i].row;
                EXPECT(end_row > row);
                if (end - start > 4096) /* then it is one value */
                    EXPECT_U64(end - start, 4 + load_u32le(column->values.data + start));
                start = end;
                row = end_row;
            }
        }
    }
    cut_free(&s);
    batch_free(b);
}

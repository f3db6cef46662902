/* SPDX-License-Identifier: MIT */
#include "parquet/read/rows.h"

#include <stdio.h>

#include "base/bytes.h"
#include "batch/batch.h"
#include "parquet/write/writer.h"
#include "parquet_fixture.h"

static const struct column_spec columns[] = {
    {.name = "n", .type = COLUMN_INT64, .bounds = true},
    {.name = "few", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .dictionary = true},
    {.name = "maybe", .type = COLUMN_BYTES, .optional = true},
};
static const struct schema schema = {"test", columns, 3};

enum { ROWS = 5000, GROUP_ROWS = 2000, BATCH_ROWS = 1000 };

static int append(void *context, const void *data, size_t len, struct err *err)
{
    (void)err; /* memory can't fail */
    buf_append(context, data, len);
    return 0;
}

static void write_file(struct buf *out, struct parquet_codec *codec)
{
    struct parquet_options options = parquet_options_default();
    struct parquet_sink sink = {.write = append, .context = out};
    struct err err = {0};
    char text[16];
    options.row_group_rows = GROUP_ROWS;
    struct parquet_writer *w = parquet_writer_new(&schema, &options, codec);
    struct batch *b = batch_new(&schema, NULL);
    for (int i = 0; i < ROWS; i++) {
        batch_put_int64(b, 0, (int64_t)i * i);
        batch_put_bytes(b, 1, slice_of(i % 3 == 0 ? "three" : "none"));
        int len = snprintf(text, sizeof(text), "row %d", i);
        if (i % 7 < 3)
            batch_put_null(b, 2);
        else
            batch_put_bytes(b, 2, (struct slice){(const uint8_t *)text, (size_t)len});
        batch_end_row(b);
        if (b->rows == BATCH_ROWS) {
            EXPECT(parquet_writer_append(w, b, sink, &err) == 0);
            batch_reset(b);
        }
    }
    EXPECT(parquet_writer_finish(w, sink, &err) == 0);
    parquet_writer_free(w);
    batch_free(b);
}

TEST(parquet_rows_read_what_was_written)
{
    static const uint32_t chosen[] = {2, 0, 1};
    struct buf bytes = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    write_file(&bytes, codec);
    struct slice slice = buf_slice(&bytes);
    struct parquet_source source = fixture_source(&slice);
    struct parquet_file file;
    struct err err = {0};
    EXPECT(parquet_file_open(&file, &source, &err) == 0);
    EXPECT(file.metadata.row_groups_count == 3 && file.metadata.num_rows == ROWS);
    struct parquet_rows *rows = parquet_rows_new(&file, chosen, 3, codec);
    struct slice row[3];
    char text[16];
    for (int i = 0; i < ROWS; i++) {
        EXPECT(parquet_rows_next(rows, row, &err) == 1);
        (void)snprintf(text, sizeof(text), "row %d", i);
        EXPECT(i % 7 < 3 ? row[0].data == NULL : slice_is(row[0], text));
        EXPECT(row[1].len == 8 && (int64_t)load_u64le(row[1].data) == (int64_t)i * i);
        EXPECT(slice_is(row[2], i % 3 == 0 ? "three" : "none"));
    }
    EXPECT(parquet_rows_next(rows, row, &err) == 0);
    EXPECT(parquet_rows_next(rows, row, &err) == 0);
    parquet_rows_free(rows);

    /* Without columns there are still rows. */
    rows = parquet_rows_new(&file, NULL, 0, codec);
    int count = 0;
    while (parquet_rows_next(rows, row, &err) == 1)
        count++;
    EXPECT_I64(count, ROWS);
    parquet_rows_free(rows);
    parquet_file_close(&file);
    parquet_codec_free(codec);
    buf_free(&bytes);
}

TEST(parquet_rows_are_skipped)
{
    static const uint32_t chosen[] = {0, 2};
    struct buf bytes = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    write_file(&bytes, codec);
    struct slice slice = buf_slice(&bytes);
    struct parquet_source source = fixture_source(&slice);
    struct parquet_file file;
    struct err err = {0};
    EXPECT(parquet_file_open(&file, &source, &err) == 0);
    /* Within a page, over pages, over row groups, to a row group's edge, and beyond the end. */
    static const uint64_t steps[] = {0, 1, 256, 300, 1000, 439, 0, 1999, 3, 3990, 5001, UINT64_MAX};
    for (size_t first = 0; first < sizeof(steps) / sizeof(steps[0]); first++) {
        struct parquet_rows *rows = parquet_rows_new(&file, chosen, 2, codec);
        uint64_t at = 0;
        for (size_t i = first; i < sizeof(steps) / sizeof(steps[0]); i++) {
            struct slice row[2];
            EXPECT(parquet_rows_skip(rows, steps[i], &err) == 0);
            at = steps[i] > ROWS - at ? ROWS : at + steps[i];
            EXPECT(parquet_rows_next(rows, row, &err) == (at < ROWS));
            if (at == ROWS)
                continue;
            EXPECT_U64(load_u64le(row[0].data), at * at);
            EXPECT((row[1].data == NULL) == (at % 7 < 3));
            at++;
        }
        parquet_rows_free(rows);
    }
    parquet_file_close(&file);
    parquet_codec_free(codec);
    buf_free(&bytes);
}

TEST(parquet_rows_read_names_the_place)
{
    static const uint32_t chosen[] = {0};
    struct slice slice = fixture_hex(GOLDEN_ROWS);
    uint8_t *damaged = (uint8_t *)(uintptr_t)slice.data; /* the test's own memory */
    damaged[GOLDEN_BODY] ^= 1;
    struct parquet_source source = fixture_source(&slice);
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_file file;
    struct slice row[1];
    struct err err = {0};
    EXPECT(parquet_file_open(&file, &source, &err) == 0);
    struct parquet_rows *rows = parquet_rows_new(&file, chosen, 1, codec);
    EXPECT(parquet_rows_next(rows, row, &err) == -1);
    EXPECT(strstr(err.text, "row group 0, column v, page at 4: the page is damaged") != NULL);
    parquet_rows_free(rows);
    parquet_file_close(&file);
    parquet_codec_free(codec);
}

TEST(parquet_rows_read_column_is_too_short)
{
    static const uint32_t chosen[] = {0};
    struct slice slice = fixture_hex(GOLDEN_ROWS);
    struct parquet_source source = fixture_source(&slice);
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_file file;
    struct slice row[1];
    struct err err = {0};
    EXPECT(parquet_file_open(&file, &source, &err) == 0);
    struct parquet_row_group group = file.metadata.row_groups[0];
    group.num_rows = 4;
    file.metadata.row_groups = &group;
    struct parquet_rows *rows = parquet_rows_new(&file, chosen, 1, codec);
    for (int i = 0; i < 3; i++)
        EXPECT(parquet_rows_next(rows, row, &err) == 1);
    EXPECT(parquet_rows_next(rows, row, &err) == -1);
    EXPECT(strstr(err.text, "ends before its last row") != NULL);
    parquet_rows_free(rows);
    parquet_file_close(&file);
    parquet_codec_free(codec);
}

/* SPDX-License-Identifier: MIT */
#include "parquet/write/writer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "test.h"

static const struct column_spec columns[] = {
    {.name = "number", .type = COLUMN_INT64, .bounds = true, .ordered = true},
    {.name = "text",
     .type = COLUMN_BYTES,
     .meaning = COLUMN_TEXT,
     .optional = true,
     .dictionary = true,
     .bounds = true},
    {.name = "bytes", .type = COLUMN_BYTES},
};
static const struct schema schema = {"test", columns, 3};

/* A file in memory; fails when `room` bytes are written. */
struct file {
    struct buf bytes;
    size_t room;
    unsigned writes;
};

static int put(void *context, const void *data, size_t len, struct err *err)
{
    struct file *file = context;

    file->writes++;
    if (file->bytes.len + len > file->room)
        return err_set(err, ERR_SYSTEM, "no room");
    buf_append(&file->bytes, data, len);
    return 0;
}

struct fixture {
    struct parquet_codec *codec;
    struct parquet_writer *writer;
    struct batch *batch;
    struct file file;
    struct parquet_sink sink;
    struct err err;
};

static void set_up(struct fixture *f, const struct parquet_options *options)
{
    *f = (struct fixture){.file.room = SIZE_MAX};
    f->codec = parquet_codec_new(NULL);
    f->writer = parquet_writer_new(&schema, options, f->codec);
    f->batch = batch_new(&schema, NULL);
    f->sink = (struct parquet_sink){.write = put, .context = &f->file};
}

static void tear_down(struct fixture *f)
{
    parquet_writer_free(f->writer);
    parquet_codec_free(f->codec);
    batch_free(f->batch);
    buf_free(&f->file.bytes);
}

/* `rows` rows that count up from `first`; every third text is null. */
static void fill(struct fixture *f, int64_t first, uint32_t rows)
{
    char text[32];

    batch_reset(f->batch);
    for (int64_t i = first; i < first + rows; i++) {
        batch_put_int64(f->batch, 0, i);
        snprintf(text, sizeof(text), "text-%d", (int)(i % 5));
        if (i % 3 == 0)
            batch_put_null(f->batch, 1);
        else
            batch_put_bytes(f->batch, 1, slice_of(text));
        snprintf(text, sizeof(text), "payload %lld", (long long)i * 7919);
        batch_put_bytes(f->batch, 2, slice_of(text));
        batch_end_row(f->batch);
    }
}

static void append(struct fixture *f, int64_t first, uint32_t rows)
{
    fill(f, first, rows);
    EXPECT_I64(parquet_writer_append(f->writer, f->batch, f->sink, &f->err), 0);
}

static void finish(struct fixture *f)
{
    EXPECT_I64(parquet_writer_finish(f->writer, f->sink, &f->err), 0);
    EXPECT_U64(parquet_writer_bytes_written(f->writer), f->file.bytes.len);
    EXPECT_BYTES(f->file.bytes.data, 4, "PAR1", 4);
    EXPECT_BYTES(f->file.bytes.data + f->file.bytes.len - 4, 4, "PAR1", 4);
}

TEST(writer_file_without_rows)
{
    struct parquet_options options = parquet_options_default();
    struct fixture f;

    set_up(&f, &options);
    finish(&f);
    EXPECT_U64(parquet_writer_rows(f.writer), 0);
    /* magic, footer, its length, magic: no row group */
    EXPECT_U64(load_u32le(f.file.bytes.data + f.file.bytes.len - 8), f.file.bytes.len - 12);
    tear_down(&f);
}

TEST(writer_batch_without_rows_does_nothing)
{
    struct parquet_options options = parquet_options_default();
    struct fixture f;

    set_up(&f, &options);
    append(&f, 0, 0);
    EXPECT_U64(f.file.writes, 0);
    EXPECT_I64(parquet_writer_flush(f.writer, f.sink, &f.err), 0);
    EXPECT_U64(f.file.writes, 0);
    tear_down(&f);
}

TEST(writer_same_rows_make_the_same_bytes)
{
    struct parquet_options options = parquet_options_default();
    struct fixture f, g;

    options.row_group_rows = 1000;
    set_up(&f, &options);
    set_up(&g, &options);
    /* The same file before, which only one of them has finished. */
    append(&f, 5, 700);
    finish(&f);
    append(&g, 5, 700);
    parquet_writer_reset(f.writer);
    parquet_writer_reset(g.writer);
    buf_reset(&f.file.bytes);
    buf_reset(&g.file.bytes);
    for (int i = 0; i < 5; i++) {
        append(&f, i * 300, 300);
        append(&g, i * 300, 300);
    }
    parquet_writer_metadata(f.writer, "key", slice_of("value"));
    parquet_writer_metadata(g.writer, "key", slice_of("value"));
    finish(&f);
    finish(&g);
    EXPECT_BYTES(f.file.bytes.data, f.file.bytes.len, g.file.bytes.data, g.file.bytes.len);
    tear_down(&f);
    tear_down(&g);
}

/* Nothing goes out before a row group is complete, and a group never has more rows than allowed. */
TEST(writer_row_groups_keep_their_limits)
{
    struct parquet_options options = parquet_options_default();
    struct fixture f;

    options.row_group_rows = 1000;
    set_up(&f, &options);
    append(&f, 0, 600);
    EXPECT_U64(f.file.bytes.len, 0);
    EXPECT(parquet_writer_buffered(f.writer) > 0);
    append(&f, 600, 600); /* would be 1200 */
    size_t first = f.file.bytes.len;
    EXPECT(first > 0);
    append(&f, 1200, 400); /* 1000: full */
    EXPECT(f.file.bytes.len > first);
    EXPECT_U64(parquet_writer_rows(f.writer), 1600);
    EXPECT_U64(parquet_writer_buffered(f.writer) > 0, true); /* the indexes */
    finish(&f);
    EXPECT_U64(parquet_writer_rows(f.writer), 1600);
    tear_down(&f);
}

TEST(writer_row_group_limit_is_exact)
{
    struct parquet_options options = parquet_options_default();
    struct fixture f;

    options.row_group_rows = 1000;
    set_up(&f, &options);
    append(&f, 0, 600);
    append(&f, 600, 401); /* 1001 */
    EXPECT(f.file.bytes.len > 0);
    tear_down(&f);
    set_up(&f, &options);
    append(&f, 0, 600);
    append(&f, 600, 399);
    EXPECT_U64(f.file.bytes.len, 0);
    append(&f, 999, 1);
    EXPECT(f.file.bytes.len > 0);
    tear_down(&f);
}

TEST(writer_row_groups_are_limited_in_bytes)
{
    struct parquet_options options = parquet_options_default();
    struct fixture f;

    options.row_group_bytes = 20000;
    set_up(&f, &options);
    append(&f, 0, 100);
    EXPECT_U64(f.file.bytes.len, 0);
    append(&f, 100, 600);
    EXPECT(f.file.bytes.len > 0);
    tear_down(&f);
}

TEST(writer_metadata_is_valid_utf8)
{
    struct parquet_options options = parquet_options_default();
    struct fixture f;
    static const char replaced[] = "\xc3\xa4\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd";

    set_up(&f, &options);
    parquet_writer_metadata(f.writer, "varve.stream", slice_of("\xc3\xa4\xffz\xed\xa0"));
    finish(&f);
    EXPECT(memmem(f.file.bytes.data, f.file.bytes.len, replaced, sizeof(replaced) - 1) != NULL);
    EXPECT(memchr(f.file.bytes.data, 0xff, f.file.bytes.len) == NULL);
    tear_down(&f);
}

TEST(writer_created_by_has_the_form_that_readers_parse)
{
    struct parquet_options options = parquet_options_default();
    struct fixture f;

    set_up(&f, &options);
    finish(&f);
    /* P1: "(.*?)\s+version\s*(?:([^(]*?)\s*(?:\(\s*build\s*([^)]*?)\s*\))?)?" in parquet-java */
    const char *text = memmem(f.file.bytes.data, f.file.bytes.len, "varve version ", 14);
    EXPECT(text != NULL);
    unsigned major, minor, patch;
    char build[64];
    EXPECT_I64(
        sscanf(text, "varve version %u.%u.%u (build %63[^)])", &major, &minor, &patch, build), 4);
    tear_down(&f);
}

TEST(writer_bounds_of_the_file)
{
    struct parquet_options options = parquet_options_default();
    struct parquet_bounds bounds;
    struct fixture f;

    options.row_group_rows = 300;
    set_up(&f, &options);
    parquet_writer_bounds(f.writer, 0, &bounds);
    EXPECT(!bounds.int64.has);
    append(&f, 100, 250);
    append(&f, -20, 150); /* the first row group is closed, this one open */
    parquet_writer_bounds(f.writer, 0, &bounds);
    EXPECT_U64(bounds.values, 400);
    EXPECT_U64(bounds.nulls, 0);
    EXPECT(bounds.int64.has && !bounds.bytes.has);
    EXPECT_I64(bounds.int64.min, -20);
    EXPECT_I64(bounds.int64.max, 349);
    parquet_writer_bounds(f.writer, 1, &bounds);
    /* multiples of 3 in 100..349 and -20..129: 83 and 50 */
    EXPECT_U64(bounds.nulls, 133);
    EXPECT_U64(bounds.values, 267);
    EXPECT(slice_is(bounds_min(&bounds.bytes), "text--1"));
    EXPECT(slice_is(bounds_max(&bounds.bytes), "text-4"));
    finish(&f);
    parquet_writer_bounds(f.writer, 0, &bounds);
    EXPECT_I64(bounds.int64.max, 349);
    parquet_writer_bounds(f.writer, 2, &bounds);
    EXPECT(!bounds.bytes.has && bounds.values == 400);
    tear_down(&f);
}

/* Whatever write fails, the caller hears of it, and after a reset all is as new. */
TEST(writer_passes_on_failures_of_the_sink)
{
    struct parquet_options options = parquet_options_default();
    struct fixture f;

    options.row_group_rows = 100;
    set_up(&f, &options);
    append(&f, 0, 100);
    append(&f, 100, 100);
    finish(&f);
    size_t whole = f.file.bytes.len;
    uint8_t *expected = malloc(whole);
    memcpy(expected, f.file.bytes.data, whole);
    for (size_t room = 0; room < whole; room += 1 + room / 20) {
        parquet_writer_reset(f.writer);
        buf_reset(&f.file.bytes);
        err_clear(&f.err);
        f.file.room = room;
        int status = 0;
        for (int i = 0; i < 2 && status == 0; i++) {
            fill(&f, i * 100, 100);
            status = parquet_writer_append(f.writer, f.batch, f.sink, &f.err);
        }
        if (status == 0)
            status = parquet_writer_finish(f.writer, f.sink, &f.err);
        EXPECT_I64(status, -1);
        EXPECT(f.err.code == ERR_SYSTEM);
    }
    parquet_writer_reset(f.writer);
    buf_reset(&f.file.bytes);
    err_clear(&f.err);
    f.file.room = SIZE_MAX;
    append(&f, 0, 100);
    append(&f, 100, 100);
    finish(&f);
    EXPECT_BYTES(f.file.bytes.data, f.file.bytes.len, expected, whole);
    free(expected);
    tear_down(&f);
}

static const struct column_spec one_text[] = {
    {.name = "id", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .bounds = true},
};
static const struct schema id_schema = {"id", one_text, 1};

/* Large pages are not moved in memory; in the file nothing lies between them all the same. */
TEST(writer_leaves_no_gaps_between_pages)
{
    struct parquet_options options = parquet_options_default();
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct batch *batch = batch_new(&id_schema, NULL);
    struct file file = {.room = SIZE_MAX};
    struct parquet_sink sink = {.write = put, .context = &file};
    struct err err = {0};
    enum { VALUES = 4, SIZE = 20000, HEADER_MAX = 36 };
    uint8_t *noise = malloc(VALUES * SIZE);

    options.page_bytes = PARQUET_PAGE_BYTES_LOWEST;
    struct parquet_writer *w = parquet_writer_new(&id_schema, &options, codec);
    for (size_t i = 0; i < VALUES * SIZE; i++)
        noise[i] = (uint8_t)test_random();
    for (size_t i = 0; i < VALUES; i++) {
        batch_put_bytes(batch, 0, (struct slice){noise + i * SIZE, SIZE});
        batch_end_row(batch);
    }
    EXPECT_I64(parquet_writer_append(w, batch, sink, &err), 0);
    EXPECT_I64(parquet_writer_finish(w, sink, &err), 0);
    size_t end = 4;
    for (size_t i = 0; i < VALUES; i++) {
        const uint8_t *found = memmem(file.bytes.data, file.bytes.len, noise + i * SIZE, SIZE);
        EXPECT(found != NULL);
        size_t at = (size_t)(found - file.bytes.data);
        EXPECT(at - 4 > end && at - 4 - end <= HEADER_MAX);
        end = at + SIZE;
    }
    free(noise);
    parquet_writer_free(w);
    parquet_codec_free(codec);
    batch_free(batch);
    buf_free(&file.bytes);
}

TEST(writer_refuses_a_value_that_no_page_can_hold)
{
    struct parquet_options options = parquet_options_default();
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_writer *w = parquet_writer_new(&id_schema, &options, codec);
    struct batch *batch = batch_new(&id_schema, NULL);
    struct file file = {.room = SIZE_MAX};
    struct parquet_sink sink = {.write = put, .context = &file};
    struct err err = {0};

    /* batch_put_bytes ASSERTs the size, so the batch is made by hand */
    struct buf *values = &batch->columns[0].values;
    buf_append_u32le(values, BATCH_VALUE_MAX + 1);
    buf_reserve_exact(values, BATCH_VALUE_MAX + 1);
    memset(values->data + 4, 'x', BATCH_VALUE_MAX + 1);
    values->len += BATCH_VALUE_MAX + 1;
    batch->rows = 1;
    EXPECT_I64(parquet_writer_append(w, batch, sink, &err), -1);
    EXPECT(err.code == ERR_LIMIT);
    EXPECT_U64(parquet_writer_rows(w), 0);

    /* one byte less goes */
    err_clear(&err);
    store_u32le(values->data, BATCH_VALUE_MAX);
    values->len--;
    EXPECT_I64(parquet_writer_append(w, batch, sink, &err), 0);
    EXPECT_I64(parquet_writer_finish(w, sink, &err), 0);
    parquet_writer_free(w);
    parquet_codec_free(codec);
    batch_free(batch);
    buf_free(&file.bytes);
}

TEST(writer_stops_before_there_are_too_many_row_groups)
{
    struct parquet_options options = parquet_options_default();
    struct fixture f;
    uint32_t groups = 0;
    bool full = false;

    options.row_group_rows = 1;
    set_up(&f, &options);
    for (;; groups++) {
        fill(&f, groups, 1);
        full = full || parquet_writer_full(f.writer);
        if (parquet_writer_append(f.writer, f.batch, f.sink, &f.err) != 0)
            break;
    }
    EXPECT(full);
    EXPECT(f.err.code == ERR_LIMIT);
    EXPECT(groups <= 10000 && groups > 9000);
    err_clear(&f.err);
    finish(&f);
    EXPECT_U64(parquet_writer_rows(f.writer), groups);
    tear_down(&f);
}

/* The more columns, the fewer row groups: while the writer says that there is room, there is. */
TEST(writer_of_many_columns_says_when_it_is_full)
{
    static struct column_spec specs[SCHEMA_COLUMNS_MAX];
    static const uint32_t counts[] = {1, 24, 25, 300, SCHEMA_COLUMNS_MAX};
    struct parquet_options options = parquet_options_default();
    struct parquet_codec *codec = parquet_codec_new(NULL);

    options.row_group_rows = 1;
    for (uint32_t i = 0; i < SCHEMA_COLUMNS_MAX; i++)
        specs[i] = (struct column_spec){.name = "n", .type = COLUMN_BOOLEAN};
    for (size_t n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
        struct schema many = {"many", specs, counts[n]};
        struct parquet_writer *w = parquet_writer_new(&many, &options, codec);
        struct batch *row = batch_new(&many, NULL);
        struct file file = {.room = SIZE_MAX};
        struct parquet_sink sink = {.write = put, .context = &file};
        struct err err = {0};
        uint64_t rows = 0;
        for (uint32_t i = 0; i < counts[n]; i++)
            batch_put_boolean(row, i, true);
        batch_end_row(row);
        for (; !parquet_writer_full(w); rows++)
            EXPECT_I64(parquet_writer_append(w, row, sink, &err), 0);
        EXPECT(rows > 50);
        EXPECT_I64(parquet_writer_finish(w, sink, &err), 0);
        EXPECT_U64(parquet_writer_rows(w), rows);
        parquet_writer_free(w);
        batch_free(row);
        buf_free(&file.bytes);
    }
    parquet_codec_free(codec);
}

TEST(writer_stops_before_there_are_too_many_pages)
{
    static const struct column_spec spec = {.name = "n", .type = COLUMN_INT64};
    static const struct schema numbers = {"numbers", &spec, 1};
    struct parquet_options options = parquet_options_default();
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_writer *w = parquet_writer_new(&numbers, &options, codec);
    struct batch *row = batch_new(&numbers, NULL);
    struct file file = {.room = SIZE_MAX};
    struct parquet_sink sink = {.write = put, .context = &file};
    struct err err = {0};
    uint32_t rows = 0;

    batch_put_int64(row, 0, 1);
    batch_end_row(row);
    for (; rows <= 1000000; rows++) { /* one page each */
        EXPECT(parquet_writer_full(w) == (rows > 250000));
        if (parquet_writer_append(w, row, sink, &err) != 0)
            break;
    }
    EXPECT_U64(rows, 500000);
    EXPECT(err.code == ERR_LIMIT);
    err_clear(&err);
    EXPECT_I64(parquet_writer_finish(w, sink, &err), 0);
    parquet_writer_free(w);
    parquet_codec_free(codec);
    batch_free(row);
    buf_free(&file.bytes);
}

TEST(writer_memory_counts_what_is_held)
{
    struct parquet_options options = parquet_options_default();
    struct fixture f;

    set_up(&f, &options);
    uint64_t before = parquet_writer_memory(f.writer);
    append(&f, 0, 20000);
    EXPECT(parquet_writer_memory(f.writer) >= before + parquet_writer_buffered(f.writer));
    finish(&f);
    parquet_writer_reset(f.writer);
    EXPECT_U64(parquet_writer_buffered(f.writer), 0);
    EXPECT_U64(parquet_writer_bytes_written(f.writer), 0);
    tear_down(&f);
}

static int note_piece(void *context, const void *data, size_t len, struct err *err)
{
    struct file *file = context;

    if (len > file->room) { /* the value, from where it is */
        EXPECT(file->writes++ == 0);
        EXPECT_U64(load_u32le(data), len - 4);
    }
    buf_append(&file->bytes, data, len);
    (void)err;
    return 0;
}

/* A value that is not copied makes the bytes that it would have made; zstd can't shrink it. */
TEST(writer_of_a_value_outside_of_the_batch)
{
    enum { LEN = 3 * 1024 * 1024 };
    struct parquet_options options = parquet_options_default();
    struct fixture copied, outside;
    uint8_t *value = calloc(1, LEN + 4);
    uint32_t random = 1;

    for (size_t i = 0; i < LEN; i++)
        value[4 + i] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
    store_u32le(value, LEN);
    set_up(&copied, &options);
    set_up(&outside, &options);
    append(&copied, 1, 10);
    append(&outside, 1, 10);
    EXPECT_I64(parquet_writer_flush(copied.writer, copied.sink, &copied.err), 0);
    for (int i = 0; i < 2; i++) {
        struct batch *b = i == 0 ? copied.batch : outside.batch;
        batch_reset(b);
        batch_put_int64(b, 0, 11);
        batch_put_null(b, 1);
        batch_put_bytes(b, 2, i == 0 ? (struct slice){value + 4, LEN} : (struct slice){0});
        batch_end_row(b);
    }
    EXPECT_I64(parquet_writer_append(copied.writer, copied.batch, copied.sink, &copied.err), 0);
    outside.sink.write = note_piece;
    outside.file.room = LEN - 1;
    EXPECT_I64(parquet_writer_append_outside(outside.writer, outside.batch, 2,
                                             (struct slice){value, LEN + 4}, outside.sink,
                                             &outside.err),
               0);
    EXPECT_I64(parquet_writer_finish(copied.writer, copied.sink, &copied.err), 0);
    EXPECT_I64(parquet_writer_finish(outside.writer, outside.sink, &outside.err), 0);
    EXPECT_U64(outside.file.writes, 1);
    EXPECT_U64(parquet_writer_rows(outside.writer), 11);
    EXPECT_BYTES(outside.file.bytes.data, outside.file.bytes.len, copied.file.bytes.data,
                 copied.file.bytes.len);
    free(value);
    tear_down(&copied);
    tear_down(&outside);
}

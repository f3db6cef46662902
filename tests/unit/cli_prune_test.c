/* SPDX-License-Identifier: MIT */
#include "cli/prune.h"

#include "base/bytes.h"
#include "batch/batch.h"
#include "parquet/read/records.h"
#include "parquet/read/rows.h"
#include "parquet/write/writer.h"
#include "parquet_fixture.h"

static const struct column_spec columns[] = {
    {.name = "n", .type = COLUMN_INT64, .bounds = true},
    {.name = "noise", .type = COLUMN_BYTES},
    {.name = "few", .type = COLUMN_BYTES, .dictionary = true, .optional = true, .bounds = true},
};
static const struct schema schema = {"test", columns, 3};

/* 20 pages of 200 rows in each column, in two row groups. */
enum { ROWS = 4000, GROUP_ROWS = 2000, PAGE_ROWS = 200, NOISE = 100 };

static int append(void *context, const void *data, size_t len, struct err *err)
{
    (void)err; /* memory can't fail */
    buf_append(context, data, len);
    return 0;
}

static void put_row(struct batch *b, int i)
{
    uint8_t noise[NOISE];
    for (int k = 0; k < NOISE; k++)
        noise[k] = (uint8_t)test_random();
    store_u32le(noise, (uint32_t)i);
    batch_put_int64(b, 0, i);
    batch_put_bytes(b, 1, (struct slice){noise, NOISE});
    if (i / PAGE_ROWS == 3)
        batch_put_null(b, 2);
    else
        batch_put_bytes(b, 2, slice_of(i < 1000 ? "first" : "later"));
    batch_end_row(b);
}

static void write_file(struct buf *out, struct parquet_codec *codec)
{
    struct parquet_options options = parquet_options_default();
    struct parquet_sink sink = {.write = append, .context = out};
    struct err err = {0};
    options.row_group_rows = GROUP_ROWS;
    struct parquet_writer *w = parquet_writer_new(&schema, &options, codec);
    struct batch *b = batch_new(&schema, NULL);
    for (int i = 0; i < ROWS; i++) {
        put_row(b, i);
        if (b->rows == PAGE_ROWS) {
            EXPECT(parquet_writer_append(w, b, sink, &err) == 0);
            batch_reset(b);
        }
    }
    EXPECT(parquet_writer_finish(w, sink, &err) == 0);
    parquet_writer_free(w);
    batch_free(b);
}

/* A source that counts what is read of it. */
struct counted {
    struct slice bytes;
    uint64_t read;
};

static int read_counted(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    struct counted *c = context;
    c->read += len;
    return fixture_read(&c->bytes, offset, data, len, err);
}

/* Numbers of rows that a condition leaves. */
struct found {
    uint32_t list[ROWS];
    uint32_t count;
    uint64_t read; /* bytes, without the footer */
    struct prune_result pruned;
};

static void take(struct found *f, const struct filter_test *test, const struct slice *row,
                 uint32_t compared)
{
    /* Columns must stay in step. */
    EXPECT(load_u64le(row[0].data) == load_u32le(row[1].data) && row[1].len == NOISE);
    if (filter_passes(test, row[compared]))
        f->list[f->count++] = (uint32_t)load_u64le(row[0].data);
}

static void read_rows(const struct parquet_file *file, const struct filter_test *test,
                      uint32_t compared, struct parquet_codec *codec, struct found *f)
{
    static const uint32_t all[] = {0, 1, 2};
    struct err err = {0};
    struct slice row[3];
    struct parquet_rows *rows = parquet_rows_new(file, all, 3, codec);
    while (parquet_rows_next(rows, row, &err) == 1)
        take(f, test, row, compared);
    EXPECT(err.code == ERR_NONE);
    parquet_rows_free(rows);
}

static void read_records(const struct parquet_file *file, const struct filter_test *test,
                         uint32_t compared, struct parquet_codec *codec, struct found *f)
{
    struct err err = {0};
    const struct parquet_value *row = NULL;
    struct parquet_records *records = parquet_records_new(file, NULL, 0, codec);
    while (parquet_records_next(records, &row, &err) == 1) {
        struct slice values[3];
        uint32_t i = 0;
        for (const struct parquet_value *v = row->first; v != NULL; v = v->next)
            values[i++] = v->null ? (struct slice){0} : v->bytes;
        take(f, test, values, compared);
    }
    EXPECT(err.code == ERR_NONE);
    parquet_records_free(records);
}

/* Read the rows for which `where` holds; `harm` may change the file before it is pruned, and NULL
 * reads all of it. */
static void find(struct slice bytes, const char *where, bool records,
                 void (*harm)(struct parquet_file *file, uint32_t step), uint32_t step,
                 struct found *f)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct counted counted = {bytes, 0};
    struct parquet_source source = {read_counted, &counted, bytes.len};
    struct parquet_file file;
    struct filter filter = {0};
    struct filter_test test;
    struct err err = {0};
    *f = (struct found){0};
    EXPECT(parquet_file_open(&file, &source, &err) == 0 && filter_add(&filter, where, &err) == 0);
    uint32_t compared = (uint32_t)parquet_file_leaf(&file, filter.terms.list[0].column);
    EXPECT(filter_bind(filter.terms.list, &file.leaves[compared], &test, &err) == 0);
    counted.read = 0;
    if (harm != NULL) {
        harm(&file, step);
        f->pruned = prune_file(&filter, &file);
    }
    (records ? read_records : read_rows)(&file, &test, compared, codec, f);
    f->read = counted.read;
    filter_free(&filter);
    parquet_file_close(&file);
    parquet_codec_free(codec);
}

static void leave(struct parquet_file *file, uint32_t step)
{
    (void)file;
    (void)step;
}

static void expect_same(const struct found *a, const struct found *b)
{
    EXPECT_U64(a->count, b->count);
    EXPECT(memcmp(a->list, b->list, a->count * sizeof(a->list[0])) == 0);
}

TEST(prune_reads_the_pages_that_may_have_rows_and_no_others)
{
    static const struct {
        const char *where;
        uint32_t rows, groups_skipped, pages, pages_skipped;
    } cases[] = {
        {"n >= 0", 4000, 0, 20, 0},     {"n = 4000", 0, 2, 0, 0},
        {"n = 1999", 1, 1, 10, 9},      {"n = 0", 1, 1, 10, 9},
        {"n >= 3801", 199, 1, 10, 9},   {"n > 1799", 2200, 0, 20, 9},
        {"n < 1", 1, 1, 10, 9},         {"n != 7", 3999, 0, 20, 0},
        {"few = null", 200, 1, 10, 9},  {"few != null", 3800, 0, 20, 1},
        {"few = first", 800, 1, 10, 6}, {"few > first", 3000, 0, 20, 5},
        {"noise = x", 0, 0, 0, 0}, /* without bounds, nothing can be said */
    };
    struct buf bytes = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct found all, pruned;
    write_file(&bytes, codec);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int records = 0; records < 2; records++) {
            find(buf_slice(&bytes), cases[i].where, records == 1, NULL, 0, &all);
            find(buf_slice(&bytes), cases[i].where, records == 1, leave, 0, &pruned);
            expect_same(&all, &pruned);
            EXPECT_U64(pruned.count, cases[i].rows);
            EXPECT_U64(pruned.pruned.groups, 2);
            EXPECT_U64(pruned.pruned.groups_skipped, cases[i].groups_skipped);
            EXPECT_U64(pruned.pruned.pages, cases[i].pages);
            EXPECT_U64(pruned.pruned.pages_skipped, cases[i].pages_skipped);
            /* One page of twenty, and the headers and indexes of the others. */
            if (pruned.count == 1)
                EXPECT(pruned.read < bytes.len / 10 && all.read > bytes.len * 9 / 10);
        }
    }
    parquet_codec_free(codec);
    buf_free(&bytes);
}

/* Something that is not so in the metadata of the column index, a step at a time. */
static void harm_place(struct parquet_file *file, uint32_t step)
{
    const int64_t far = INT64_MAX;
    for (uint32_t g = 0; g < file->metadata.row_groups_count; g++) {
        const struct parquet_row_group *group = &file->metadata.row_groups[g];
        struct parquet_column_chunk *c = arena_calloc(&file->arena, 3, sizeof(*c));
        memcpy(c, group->columns, 3 * sizeof(*c));
        ((struct parquet_row_group *)group)->columns = c;
        const int64_t offsets[] = {0,
                                   4,
                                   far,
                                   (int64_t)file->footer_offset,
                                   c[2].column_index_offset,
                                   c[0].offset_index_offset};
        const int32_t lengths[] = {0,
                                   1,
                                   INT32_MAX,
                                   c[0].column_index_length - 1,
                                   c[0].column_index_length + 1,
                                   c[2].column_index_length};
        c[0].column_index_offset = offsets[step / 6];
        c[0].column_index_length = lengths[step % 6];
        c[0].offset_index_offset = offsets[step % 6];
        c[0].offset_index_length = lengths[step / 6];
    }
}

TEST(prune_uses_no_index_that_is_not_where_it_should_be)
{
    struct buf bytes = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct found all, pruned;
    write_file(&bytes, codec);
    find(buf_slice(&bytes), "n = 1234", false, NULL, 0, &all);
    EXPECT_U64(all.count, 1);
    for (uint32_t step = 0; step < 36; step++) {
        /* The index of another column has as many pages, but no bounds of eight bytes. */
        find(buf_slice(&bytes), "n = 1234", step % 2 == 0, harm_place, step, &pruned);
        expect_same(&all, &pruned);
    }
    parquet_codec_free(codec);
    buf_free(&bytes);
}

/* Any bits in the indexes: no row comes that should not, columns stay in step, and as long as it is
 * the offset index alone, no row is missing. */
TEST(prune_survives_any_index)
{
    struct buf bytes = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct found all, pruned;
    struct parquet_file file;
    struct err err = {0};
    write_file(&bytes, codec);
    struct slice slice = buf_slice(&bytes);
    struct parquet_source source = fixture_source(&slice);
    EXPECT(parquet_file_open(&file, &source, &err) == 0);
    const struct parquet_column_chunk *c = &file.metadata.row_groups[0].columns[0];
    find(slice, "n < 300", false, NULL, 0, &all);
    EXPECT_U64(all.count, 300);
    for (int round = 0; round < 600; round++) {
        bool offsets = round % 2 == 0;
        int64_t start = offsets ? c->offset_index_offset : c->column_index_offset;
        int32_t len = offsets ? c->offset_index_length : c->column_index_length;
        uint8_t *at = bytes.data + start + test_random() % (uint64_t)len;
        uint8_t before = *at;
        *at = (uint8_t)test_random();
        find(slice, "n < 300", false, leave, 0, &pruned);
        if (offsets)
            expect_same(&all, &pruned);
        for (uint32_t i = 0; i < pruned.count; i++)
            EXPECT(pruned.list[i] < 300 && (i == 0 || pruned.list[i] > pruned.list[i - 1]));
        *at = before;
    }
    parquet_file_close(&file);
    parquet_codec_free(codec);
    buf_free(&bytes);
}

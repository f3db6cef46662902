/* SPDX-License-Identifier: MIT */
#include "parquet/write/writer.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/crc32.h"
#include "parquet/read/column.h"
#include "parquet/write/chunk.h"
#include "parquet/write/chunk_metadata.h"
#include "parquet/write/copy.h"
#include "parquet/write/footer.h"
#include "parquet/write/layout.h"
#include "parquet/write/cut.h"

enum { TAKEN_BYTES = 256 * 1024 }; /* less is as well copied as taken */

struct parquet_writer {
    struct account account;
    const struct schema *schema;
    struct parquet_options options;
    struct parquet_codec *codec;
    struct layout layout;
    struct cut_leaf *leaves;
    struct arena layout_arena;

    struct chunk *chunks; /* the row group that is open: one a leaf */
    uint64_t group_rows;
    uint64_t group_bytes; /* before compression */
    struct arena group_arena;

    struct column_total *totals; /* one a leaf, over the row groups that are written */
    struct footer footer;
    uint64_t pages;  /* of the file */
    uint64_t offset; /* bytes given to the sink */
    uint32_t crc;    /* of the headers of all pages that were: see checksum.h */

    struct buf bytes;     /* scratch: a dictionary page, the footer */
    struct cut_batch cut; /* scratch */
};

struct parquet_writer *parquet_writer_new(const struct schema *schema,
                                          const struct parquet_options *options,
                                          struct parquet_codec *codec)
{
    struct parquet_writer *w = account_alloc(options->account, 1, sizeof(*w));
    w->account.parent = options->account;
    w->layout_arena.account = &w->account;
    w->group_arena.account = &w->account;
    w->bytes.account = &w->account;
    w->cut.columns.account = &w->account;
    w->cut.cuts.account = &w->account;
    footer_set_account(&w->footer, &w->account);
    w->schema = schema;
    w->options = *options;
    w->codec = codec;
    layout_make(&w->layout, schema, options, &w->layout_arena);
    uint32_t leaves = w->layout.leaves_count;
    ASSERT(leaves > 0); /* each group has some */
    w->leaves = arena_calloc(&w->layout_arena, leaves, sizeof(*w->leaves));
    for (uint32_t i = 0; i < leaves; i++)
        w->leaves[i] = w->layout.leaves[i].leaf;
    w->chunks = account_alloc(&w->account, leaves, sizeof(*w->chunks));
    w->totals = account_alloc(&w->account, leaves, sizeof(*w->totals));
    for (uint32_t i = 0; i < leaves; i++)
        chunk_set_account(&w->chunks[i], &w->account);
    parquet_writer_reset(w);
    return w;
}

void parquet_writer_reset(struct parquet_writer *w)
{
    for (uint32_t i = 0; i < w->layout.leaves_count; i++) {
        chunk_begin_file(&w->chunks[i], &w->layout.leaves[i]);
        w->totals[i] = (struct column_total){0};
    }
    arena_reset(&w->group_arena);
    footer_reset(&w->footer);
    w->group_rows = 0;
    w->group_bytes = 0;
    w->pages = 0;
    w->offset = 0;
    w->crc = 0;
}

void parquet_writer_free(struct parquet_writer *w)
{
    if (w == NULL)
        return;
    for (uint32_t i = 0; i < w->layout.leaves_count; i++)
        chunk_free(&w->chunks[i]);
    account_free(&w->account, w->chunks, w->layout.leaves_count * sizeof(*w->chunks));
    account_free(&w->account, w->totals, w->layout.leaves_count * sizeof(*w->totals));
    arena_free(&w->group_arena);
    footer_free(&w->footer);
    buf_free(&w->bytes);
    cut_free(&w->cut);
    arena_free(&w->layout_arena);
    account_free(w->account.parent, w, sizeof(*w));
}

static int emit(struct parquet_writer *w, struct parquet_sink sink, struct slice bytes,
                struct err *err)
{
    if (bytes.len == 0)
        return 0;
    if (sink.write(sink.context, bytes.data, bytes.len, err) != 0)
        return -1;
    w->offset += bytes.len;
    return 0;
}

static int begin_file(struct parquet_writer *w, struct parquet_sink sink, struct err *err)
{
    if (w->offset > 0)
        return 0;
    return emit(w, sink, slice_of(PARQUET_MAGIC), err);
}

static void add_total(struct column_total *total, const struct chunk *c)
{
    struct column_total part = {c->entries - c->nulls, c->nulls, c->numbers, c->bytes};
    column_total_add(total, &part);
}

/* The pages of a chunk, in as few pieces as the gaps in front of large ones allow. */
static int emit_pages(struct parquet_writer *w, struct chunk *c, struct parquet_sink sink,
                      struct err *err)
{
    size_t start = 0, at = 0;

    bool taken = sink.take != NULL && c->stored.len >= TAKEN_BYTES;
    if (taken)
        buf_shrink(&c->stored);
    struct slice stored = buf_slice(&c->stored);
    if (taken)
        sink.take(sink.context, &c->stored);
    for (uint32_t i = 0; i < chunk_page_count(c); i++) {
        struct page_extent extent = chunk_page(c, i)->extent;
        if (extent.gap > 0) {
            if (emit(w, sink, (struct slice){stored.data + start, at - start}, err) != 0)
                return -1;
            start = at + extent.gap;
        }
        at += extent.gap + extent.size;
    }
    if (emit(w, sink, (struct slice){stored.data + start, stored.len - start}, err) != 0)
        return -1;
    return emit(w, sink, c->outside, err);
}

/* The headers of the data pages, which their own CRCs do not cover. */
static void add_headers(struct parquet_writer *w, const struct chunk *c)
{
    size_t at = 0;

    for (uint32_t i = 0; i < chunk_page_count(c); i++) {
        const struct chunk_page *page = chunk_page(c, i);
        at += page->extent.gap;
        w->crc = crc32_update(w->crc, c->stored.data + at, page->extent.size - page->stored_size);
        at += page->extent.size;
    }
}

static int write_chunk(struct parquet_writer *w, struct chunk *c,
                       struct parquet_column_chunk *metadata, struct parquet_sink sink,
                       struct err *err)
{
    ASSERT(c->rows == w->group_rows);
    buf_reset(&w->bytes);
    struct chunk_page dictionary = chunk_write_dictionary(c, w->codec, &w->bytes);
    *metadata = chunk_describe(c, w->offset, &dictionary, &w->footer.arena);
    footer_add_indexes(&w->footer, c, &w->group_arena, metadata);
    struct slice page = {w->bytes.data + dictionary.extent.gap, dictionary.extent.size};
    if (page.len > 0)
        w->crc = crc32_update(w->crc, page.data, page.len - dictionary.stored_size);
    add_headers(w, c);
    if (emit(w, sink, page, err) != 0)
        return -1;
    return emit_pages(w, c, sink, err);
}

/* The column that orders the rows of this row group: checked, not promised. */
static void add_sorting(struct parquet_writer *w, struct parquet_row_group *group)
{
    for (uint32_t i = 0; i < w->layout.leaves_count; i++) {
        const struct chunk *c = &w->chunks[i];
        if (!c->layout.spec->ordered || c->layout.type != PARQUET_TYPE_INT64 ||
            c->layout.leaf.repetition > 0 || !c->numbers.has || !c->ascending)
            continue;
        struct parquet_sorting_column *sorting =
            arena_calloc(&w->footer.arena, 1, sizeof(*sorting));
        sorting->column_idx = (int32_t)i;
        group->sorting_columns = sorting;
        group->sorting_columns_count = 1;
        return;
    }
}

int parquet_writer_flush(struct parquet_writer *w, struct parquet_sink sink, struct err *err)
{
    if (w->group_rows == 0)
        return 0;
    if (begin_file(w, sink, err) != 0)
        return -1;

    struct parquet_column_chunk *columns =
        arena_calloc(&w->footer.arena, w->layout.leaves_count, sizeof(*columns));
    struct parquet_row_group group = {
        .columns = columns,
        .columns_count = w->layout.leaves_count,
        .num_rows = (int64_t)w->group_rows,
        .has_file_offset = true,
        .file_offset = (int64_t)w->offset,
        .has_total_compressed_size = true,
        .has_ordinal = true,
        .ordinal = (int16_t)footer_row_groups(&w->footer),
    };
    add_sorting(w, &group);
    for (uint32_t i = 0; i < w->layout.leaves_count; i++) {
        if (write_chunk(w, &w->chunks[i], &columns[i], sink, err) != 0)
            return -1;
        group.total_byte_size += columns[i].total_uncompressed_size;
        group.total_compressed_size += columns[i].total_compressed_size;
        add_total(&w->totals[i], &w->chunks[i]);
        chunk_begin_row_group(&w->chunks[i]);
    }
    footer_add_row_group(&w->footer, &group);
    w->group_rows = 0;
    w->group_bytes = 0;
    arena_reset(&w->group_arena);
    return 0;
}

bool parquet_writer_can_copy(const struct parquet_writer *w, const struct parquet_file *file,
                             uint32_t row_group)
{
    return !parquet_writer_full(w) && copy_is_possible(&w->layout, file, row_group);
}

/* All pages of a chunk. */
static int copy_pages(struct parquet_writer *w, struct parquet_column_reader *from,
                      struct parquet_sink sink, struct err *err)
{
    const struct parquet_page *page = &from->page;
    int more;

    while ((more = parquet_column_next_page(from, err)) == 1) {
        struct slice bytes = {page->stored.data - page->header_len,
                              page->header_len + page->stored.len};
        if (parquet_page_check_crc(page, err) != 0)
            return -1;
        w->crc = crc32_update(w->crc, bytes.data, page->header_len);
        w->pages++;
        if (emit(w, sink, bytes, err) != 0)
            return -1;
    }
    return more;
}

static void add_copied_total(struct column_total *total, const struct parquet_column_chunk *c)
{
    struct column_total part = {.values = (uint64_t)(c->num_values - c->statistics.null_count),
                                .nulls = (uint64_t)c->statistics.null_count};

    (void)bounds_of_statistics(&c->statistics, c->type, &part.numbers, &part.bytes);
    column_total_add(total, &part);
}

static int copy_row_group(struct parquet_writer *w, const struct parquet_file *file,
                          uint32_t row_group, struct parquet_column_reader *from,
                          struct parquet_sink sink, struct err *err)
{
    const struct parquet_row_group *old = &file->metadata.row_groups[row_group];
    struct arena *arena = &w->footer.arena;
    struct parquet_column_chunk *columns =
        arena_calloc(arena, old->columns_count, sizeof(*columns));
    struct parquet_sorting_column *sorting =
        arena_calloc(arena, old->sorting_columns_count, sizeof(*sorting));
    struct parquet_row_group group = *old;

    group.columns = columns;
    group.sorting_columns = sorting;
    for (uint32_t i = 0; i < group.sorting_columns_count; i++)
        sorting[i] = old->sorting_columns[i];
    group.has_file_offset = group.has_ordinal = true;
    group.file_offset = (int64_t)w->offset;
    group.ordinal = (int16_t)footer_row_groups(&w->footer);
    for (uint32_t i = 0; i < group.columns_count; i++) {
        if (parquet_column_begin(from, file, row_group, i, w->codec, err) != 0 ||
            copy_describe(&w->footer, file, &old->columns[i], w->offset, &w->group_arena,
                          &columns[i], err) != 0 ||
            copy_pages(w, from, sink, err) != 0)
            return -1;
        add_copied_total(&w->totals[i], &old->columns[i]);
    }
    footer_add_row_group(&w->footer, &group);
    arena_reset(&w->group_arena);
    return 0;
}

int parquet_writer_copy(struct parquet_writer *w, const struct parquet_file *file,
                        uint32_t row_group, struct parquet_sink sink, struct err *err)
{
    struct parquet_column_reader *from;
    int result;

    if (begin_file(w, sink, err) != 0 || parquet_writer_flush(w, sink, err) != 0)
        return -1;
    from = account_alloc(&w->account, 1, sizeof(*from));
    result = copy_row_group(w, file, row_group, from, sink, err);
    parquet_column_free(from);
    account_free(&w->account, from, sizeof(*from));
    return result;
}

static uint32_t row_groups_max(const struct parquet_writer *w)
{
    uint32_t most = PARQUET_CHUNKS_MAX / w->layout.leaves_count;

    return most < PARQUET_ROW_GROUPS_MAX ? most : PARQUET_ROW_GROUPS_MAX;
}

/* What can go wrong goes wrong before anything has changed. */
static int check_batch(struct parquet_writer *w, const struct batch *batch, struct err *err)
{
    ASSERT(batch->schema == w->schema && batch->rows <= BATCH_ROWS_MAX);
    if (footer_row_groups(&w->footer) + 2 > row_groups_max(w) || w->pages >= PARQUET_PAGES_MAX)
        return err_set(err, ERR_LIMIT,
                       "a file of these columns has at most %u row groups, %d pages",
                       row_groups_max(w), PARQUET_PAGES_MAX);
    return cut_batch(&w->cut, batch, w->leaves, w->layout.leaves_count,
                     layout_page_bytes(&w->options, w->pages), err);
}

/* The value of leaf `outside`, if there is such a leaf, is appended by the caller. */
static void append_batch(struct parquet_writer *w, uint32_t rows, uint32_t outside)
{
    for (uint32_t i = 0; i < w->layout.leaves_count; i++) {
        const struct cut_column *column = &w->cut.columns.list[i];
        w->group_bytes += column->values.len;
        w->pages += column->cuts_count + 1;
        if (i != outside)
            chunk_append(&w->chunks[i], column, w->codec);
    }
    w->group_rows += rows;
}

int parquet_writer_append(struct parquet_writer *w, const struct batch *batch,
                          struct parquet_sink sink, struct err *err)
{
    if (batch->rows == 0)
        return 0;
    if (check_batch(w, batch, err) != 0)
        return -1;
    if (w->group_rows + batch->rows > w->options.row_group_rows &&
        parquet_writer_flush(w, sink, err) != 0)
        return -1;
    append_batch(w, batch->rows, UINT32_MAX);
    if (w->group_rows >= w->options.row_group_rows || w->group_bytes >= w->options.row_group_bytes)
        return parquet_writer_flush(w, sink, err);
    return 0;
}

int parquet_writer_append_outside(struct parquet_writer *w, const struct batch *batch,
                                  uint32_t column, struct slice value, struct parquet_sink sink,
                                  struct err *err)
{
    uint32_t leaf = w->layout.leaf_of[column];
    ASSERT(batch->rows == 1 && w->layout.leaves[leaf].type == PARQUET_TYPE_BYTE_ARRAY &&
           value.len >= 4 && value.len - 4 <= BATCH_VALUE_MAX);
    if (check_batch(w, batch, err) != 0 || parquet_writer_flush(w, sink, err) != 0)
        return -1;
    append_batch(w, 1, leaf);
    chunk_append_outside(&w->chunks[leaf], value);
    return parquet_writer_flush(w, sink, err);
}

void parquet_writer_metadata(struct parquet_writer *w, const char *key, struct slice value)
{
    footer_add_key_value(&w->footer, key, value);
}

int parquet_writer_finish(struct parquet_writer *w, struct parquet_sink sink, struct err *err)
{
    struct footer *f = &w->footer;

    if (begin_file(w, sink, err) != 0 || parquet_writer_flush(w, sink, err) != 0)
        return -1;
    buf_reset(&w->bytes);
    footer_write(f, &w->layout, w->offset, w->crc, &w->bytes);
    if (emit(w, sink, buf_slice(&f->column_indexes), err) != 0 ||
        emit(w, sink, buf_slice(&f->offset_indexes), err) != 0)
        return -1;
    return emit(w, sink, buf_slice(&w->bytes), err);
}

bool parquet_writer_full(const struct parquet_writer *w)
{
    return footer_row_groups(&w->footer) > row_groups_max(w) / 2 ||
           w->pages > PARQUET_PAGES_MAX / 2;
}

uint64_t parquet_writer_rows(const struct parquet_writer *w)
{
    return w->footer.rows + w->group_rows;
}

uint64_t parquet_writer_bytes_written(const struct parquet_writer *w)
{
    return w->offset;
}

uint64_t parquet_writer_buffered(const struct parquet_writer *w)
{
    const struct footer *f = &w->footer;
    uint64_t bytes = f->column_indexes.len + f->offset_indexes.len;

    for (uint32_t i = 0; i < w->layout.leaves_count; i++)
        bytes += w->chunks[i].stored.len + w->chunks[i].dictionary.bytes;
    return bytes;
}

uint64_t parquet_writer_memory(const struct parquet_writer *w)
{
    return account_bytes(&w->account);
}

void parquet_writer_bounds(const struct parquet_writer *w, uint32_t column,
                           struct parquet_bounds *bounds)
{
    ASSERT(column < w->schema->count && column_is_leaf(&w->schema->columns[column]));
    uint32_t leaf = w->layout.leaf_of[column];
    enum parquet_type type = w->layout.leaves[leaf].type;
    struct column_total total = w->totals[leaf];

    add_total(&total, &w->chunks[leaf]);
    *bounds =
        (struct parquet_bounds){.values = total.values, .nulls = total.nulls, .bytes = total.bytes};
    if (type == PARQUET_TYPE_FLOAT || type == PARQUET_TYPE_DOUBLE)
        bounds->real =
            (struct bounds_real){total.numbers.has, real_of_order(total.numbers.min, type),
                                 real_of_order(total.numbers.max, type)};
    else
        bounds->int64 = total.numbers;
}

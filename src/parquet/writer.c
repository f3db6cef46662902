/* SPDX-License-Identifier: MIT */
#include "parquet/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/utf8.h"
#include "base/version.h"
#include "parquet/bloom.h"
#include "parquet/chunk.h"
#include "parquet/chunk_metadata.h"
#include "parquet/layout.h"
#include "parquet/metadata_write.h"
#include "parquet/stripe.h"

/* A column over the row groups of a file that are written. */
struct column_total {
    uint64_t values;
    uint64_t nulls;
    struct bounds_int64 int64;
    struct bounds_bytes bytes;
};

struct parquet_writer {
    const struct schema *schema;
    struct parquet_options options;
    int uuid_column; /* its number, or -1 */
    struct parquet_codec *codec;

    struct chunk *chunks; /* the row group that is open: one a column */
    uint64_t group_rows;
    uint64_t group_bytes; /* before compression */
    struct arena group_arena;

    struct column_total *totals; /* one a column */
    struct arena file_arena;     /* what row_groups and key_values point to */
    struct buf row_groups;       /* struct parquet_row_group */
    struct buf key_values;       /* struct parquet_key_value */
    struct buf blooms;           /* to be written behind the row groups: filters, ... */
    struct buf column_indexes;   /* ... then these, ... */
    struct buf offset_indexes;   /* ... then these */
    uint64_t rows;               /* of the row groups that are written */
    uint64_t pages;
    uint64_t offset; /* bytes given to the sink */

    struct buf bytes;     /* scratch: a dictionary page, the footer */
    struct stripe stripe; /* scratch */
};

/* ---- begin and end ---- */

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        check_out_of_memory(count * size);
    return memory;
}

struct parquet_writer *parquet_writer_new(const struct schema *schema,
                                          const struct parquet_options *options,
                                          struct parquet_codec *codec)
{
    layout_check_options(schema, options);
    struct parquet_writer *w = allocate(1, sizeof(*w));
    w->schema = schema;
    w->options = *options;
    w->uuid_column = options->uuid_column == NULL ? -1 : schema_find(schema, options->uuid_column);
    w->codec = codec;
    w->chunks = allocate(schema->count, sizeof(*w->chunks));
    w->totals = allocate(schema->count, sizeof(*w->totals));
    parquet_writer_reset(w);
    return w;
}

void parquet_writer_reset(struct parquet_writer *w)
{
    for (uint32_t i = 0; i < w->schema->count; i++) {
        struct chunk_layout layout = layout_of_column(&w->options, &w->schema->columns[i]);
        chunk_begin_file(&w->chunks[i], &layout);
        w->totals[i] = (struct column_total){0};
    }
    arena_reset(&w->group_arena);
    arena_reset(&w->file_arena);
    buf_reset(&w->row_groups);
    buf_reset(&w->key_values);
    buf_reset(&w->blooms);
    buf_reset(&w->column_indexes);
    buf_reset(&w->offset_indexes);
    w->group_rows = 0;
    w->group_bytes = 0;
    w->rows = 0;
    w->pages = 0;
    w->offset = 0;
}

void parquet_writer_free(struct parquet_writer *w)
{
    if (w == NULL)
        return;
    for (uint32_t i = 0; i < w->schema->count; i++)
        chunk_free(&w->chunks[i]);
    free(w->chunks);
    free(w->totals);
    arena_free(&w->group_arena);
    arena_free(&w->file_arena);
    buf_free(&w->row_groups);
    buf_free(&w->key_values);
    buf_free(&w->blooms);
    buf_free(&w->column_indexes);
    buf_free(&w->offset_indexes);
    buf_free(&w->bytes);
    stripe_free(&w->stripe);
    free(w);
}

/* ---- row groups ---- */

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

static uint32_t row_group_count(const struct parquet_writer *w)
{
    return (uint32_t)(w->row_groups.len / sizeof(struct parquet_row_group));
}

static void add_total(struct column_total *total, const struct chunk *c)
{
    total->values += c->rows - c->nulls;
    total->nulls += c->nulls;
    bounds_int64_add(&total->int64, &c->int64);
    bounds_bytes_add(&total->bytes, &c->bytes);
}

/* Indexes and filters are written at the end of the file; until then their offsets count from the
 * beginning of the buffer, plus one, because 0 means that there is none. */
static void add_indexes(struct parquet_writer *w, const struct chunk *c,
                        struct parquet_column_chunk *metadata)
{
    size_t before = w->offset_indexes.len;

    metadata->offset_index_offset = (int64_t)before + 1;
    chunk_write_offset_index(c, (uint64_t)metadata->data_page_offset, &w->group_arena,
                             &w->offset_indexes);
    metadata->offset_index_length = (int32_t)(w->offset_indexes.len - before);

    before = w->column_indexes.len;
    chunk_write_column_index(c, &w->group_arena, &w->column_indexes);
    if (w->column_indexes.len > before) {
        metadata->column_index_offset = (int64_t)before + 1;
        metadata->column_index_length = (int32_t)(w->column_indexes.len - before);
    }
    if (c->layout.bloom) {
        before = w->blooms.len;
        bloom_write(&w->blooms, &c->hashes);
        metadata->bloom_filter_offset = (int64_t)before + 1;
        metadata->bloom_filter_length = (int32_t)(w->blooms.len - before);
    }
}

/* The pages of a chunk, in as few pieces as the gaps in front of large ones allow. */
static int emit_pages(struct parquet_writer *w, const struct chunk *c, struct parquet_sink sink,
                      struct err *err)
{
    size_t start = 0, at = 0;

    for (uint32_t i = 0; i < chunk_page_count(c); i++) {
        struct page_extent extent = chunk_page(c, i)->extent;
        if (extent.gap > 0) {
            if (emit(w, sink, (struct slice){c->stored.data + start, at - start}, err) != 0)
                return -1;
            start = at + extent.gap;
        }
        at += extent.gap + extent.size;
    }
    return emit(w, sink, (struct slice){c->stored.data + start, at - start}, err);
}

static int write_chunk(struct parquet_writer *w, struct chunk *c,
                       struct parquet_column_chunk *metadata, struct parquet_sink sink,
                       struct err *err)
{
    CHECK(c->rows == w->group_rows);
    buf_reset(&w->bytes);
    struct chunk_page dictionary = chunk_write_dictionary(c, w->codec, &w->bytes);
    *metadata = chunk_describe(c, w->offset, &dictionary, &w->file_arena);
    add_indexes(w, c, metadata);
    struct slice page = {w->bytes.data + dictionary.extent.gap, dictionary.extent.size};
    if (emit(w, sink, page, err) != 0)
        return -1;
    return emit_pages(w, c, sink, err);
}

/* The column that orders the rows of this row group: checked, not promised. */
static void add_sorting(struct parquet_writer *w, struct parquet_row_group *group)
{
    for (uint32_t i = 0; i < w->schema->count; i++) {
        const struct chunk *c = &w->chunks[i];
        if (!c->layout.spec->ordered || !c->int64.has || !c->ascending)
            continue;
        struct parquet_sorting_column *sorting = arena_calloc(&w->file_arena, 1, sizeof(*sorting));
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
        arena_calloc(&w->file_arena, w->schema->count, sizeof(*columns));
    struct parquet_row_group group = {
        .columns = columns,
        .columns_count = w->schema->count,
        .num_rows = (int64_t)w->group_rows,
        .has_file_offset = true,
        .file_offset = (int64_t)w->offset,
        .has_total_compressed_size = true,
        .has_ordinal = true,
        .ordinal = (int16_t)row_group_count(w),
    };
    add_sorting(w, &group);
    for (uint32_t i = 0; i < w->schema->count; i++) {
        if (write_chunk(w, &w->chunks[i], &columns[i], sink, err) != 0)
            return -1;
        group.total_byte_size += columns[i].total_uncompressed_size;
        group.total_compressed_size += columns[i].total_compressed_size;
        w->pages += chunk_page_count(&w->chunks[i]);
        add_total(&w->totals[i], &w->chunks[i]);
        chunk_begin_row_group(&w->chunks[i]);
    }
    buf_append(&w->row_groups, &group, sizeof(group));
    w->rows += w->group_rows;
    w->group_rows = 0;
    w->group_bytes = 0;
    arena_reset(&w->group_arena);
    return 0;
}

/* ---- rows ---- */

/* What can go wrong goes wrong before anything has changed. */
static int check_stripe(struct parquet_writer *w, const struct batch *stripe, struct err *err)
{
    CHECK(stripe->schema == w->schema && stripe->rows <= BATCH_ROWS_MAX);
    if (row_group_count(w) + 2 > PARQUET_ROW_GROUPS_MAX || w->pages > PARQUET_PAGES_MAX)
        return err_set(err, ERR_LIMIT, "a file has at most %d row groups and %d pages",
                       PARQUET_ROW_GROUPS_MAX, PARQUET_PAGES_MAX);
    return stripe_prepare(&w->stripe, stripe, w->options.page_bytes, w->uuid_column, err);
}

static void append_stripe(struct parquet_writer *w, uint32_t rows)
{
    for (uint32_t i = 0; i < w->schema->count; i++) {
        w->group_bytes += w->stripe.columns[i].values.len;
        chunk_append(&w->chunks[i], &w->stripe.columns[i], w->codec);
    }
    w->group_rows += rows;
}

int parquet_writer_append(struct parquet_writer *w, const struct batch *stripe,
                          struct parquet_sink sink, struct err *err)
{
    if (stripe->rows == 0)
        return 0;
    if (check_stripe(w, stripe, err) != 0)
        return -1;
    if (w->group_rows + stripe->rows > w->options.row_group_rows &&
        parquet_writer_flush(w, sink, err) != 0)
        return -1;
    append_stripe(w, stripe->rows);
    if (w->group_rows >= w->options.row_group_rows || w->group_bytes >= w->options.row_group_bytes)
        return parquet_writer_flush(w, sink, err);
    return 0;
}

/* ---- the end of the file ---- */

static struct slice copy_utf8(struct arena *arena, struct slice text)
{
    static const uint8_t replacement[] = {0xef, 0xbf, 0xbd}; /* U+FFFD */
    uint8_t *out = arena_alloc(arena, text.len * sizeof(replacement) + 1);
    size_t len = 0;

    for (size_t at = 0; at < text.len;) {
        uint32_t code;
        size_t size = utf8_decode((struct slice){text.data + at, text.len - at}, &code);
        const uint8_t *from = size > 0 ? text.data + at : replacement;
        size_t count = size > 0 ? size : sizeof(replacement);
        memcpy(out + len, from, count);
        len += count;
        at += size > 0 ? size : 1;
    }
    return (struct slice){out, len};
}

void parquet_writer_metadata(struct parquet_writer *w, const char *key, struct slice value)
{
    struct parquet_key_value pair = {
        .key = copy_utf8(&w->file_arena, slice_of(key)),
        .has_value = true,
        .value = copy_utf8(&w->file_arena, value),
    };

    buf_append(&w->key_values, &pair, sizeof(pair));
}

/* Indexes are at `base` now: make their offsets absolute. */
static void place(int64_t *offset, uint64_t base)
{
    if (*offset != 0)
        *offset += (int64_t)base - 1;
}

static void place_indexes(struct parquet_writer *w, uint64_t blooms, uint64_t column_indexes,
                          uint64_t offset_indexes)
{
    struct parquet_row_group *groups = (struct parquet_row_group *)(void *)w->row_groups.data;

    for (uint32_t g = 0; g < row_group_count(w); g++) {
        /* Ours, in the arena. */
        struct parquet_column_chunk *columns = (struct parquet_column_chunk *)groups[g].columns;
        for (uint32_t i = 0; i < groups[g].columns_count; i++) {
            place(&columns[i].bloom_filter_offset, blooms);
            place(&columns[i].column_index_offset, column_indexes);
            place(&columns[i].offset_index_offset, offset_indexes);
        }
    }
}

static void write_footer(struct parquet_writer *w, struct buf *out)
{
    char created_by[128];
    struct parquet_file_metadata metadata = {
        .version = 1,
        .schema = layout_describe_schema(w->schema, &w->options, &w->file_arena),
        .schema_count = w->schema->count + 1,
        .num_rows = (int64_t)w->rows,
        .row_groups = (const struct parquet_row_group *)(const void *)w->row_groups.data,
        .row_groups_count = row_group_count(w),
        .key_values = (const struct parquet_key_value *)(const void *)w->key_values.data,
        .key_values_count = (uint32_t)(w->key_values.len / sizeof(struct parquet_key_value)),
        .has_created_by = true,
        .column_orders_count = w->schema->count,
    };

    /* parquet-java believes no statistics of text in files without exactly this form. */
    snprintf(created_by, sizeof(created_by), "varve version %s (build %s)", varve_version,
             varve_build);
    metadata.created_by = slice_of(created_by);
    parquet_write_file_metadata(out, &metadata);
    buf_append_u32le(out, (uint32_t)out->len);
    buf_append_text(out, PARQUET_MAGIC);
}

int parquet_writer_finish(struct parquet_writer *w, struct parquet_sink sink, struct err *err)
{
    if (begin_file(w, sink, err) != 0 || parquet_writer_flush(w, sink, err) != 0)
        return -1;

    uint64_t blooms = w->offset;
    uint64_t column_indexes = blooms + w->blooms.len;
    uint64_t offset_indexes = column_indexes + w->column_indexes.len;
    place_indexes(w, blooms, column_indexes, offset_indexes);
    buf_reset(&w->bytes);
    write_footer(w, &w->bytes);
    if (emit(w, sink, buf_slice(&w->blooms), err) != 0 ||
        emit(w, sink, buf_slice(&w->column_indexes), err) != 0 ||
        emit(w, sink, buf_slice(&w->offset_indexes), err) != 0)
        return -1;
    return emit(w, sink, buf_slice(&w->bytes), err);
}

/* ---- figures ---- */

bool parquet_writer_full(const struct parquet_writer *w)
{
    return row_group_count(w) > PARQUET_ROW_GROUPS_MAX / 2 || w->pages > PARQUET_PAGES_MAX / 2;
}

uint64_t parquet_writer_rows(const struct parquet_writer *w)
{
    return w->rows + w->group_rows;
}

uint64_t parquet_writer_bytes_written(const struct parquet_writer *w)
{
    return w->offset;
}

uint64_t parquet_writer_buffered(const struct parquet_writer *w)
{
    uint64_t bytes = w->blooms.len + w->column_indexes.len + w->offset_indexes.len;

    for (uint32_t i = 0; i < w->schema->count; i++)
        bytes += w->chunks[i].stored.len + w->chunks[i].dictionary.bytes;
    return bytes;
}

uint64_t parquet_writer_memory(const struct parquet_writer *w)
{
    uint64_t bytes = sizeof(*w) + w->file_arena.used + w->group_arena.used + w->row_groups.cap +
                     w->key_values.cap + w->blooms.cap + w->column_indexes.cap +
                     w->offset_indexes.cap + w->bytes.cap + stripe_memory(&w->stripe);

    for (uint32_t i = 0; i < w->schema->count; i++)
        bytes += sizeof(w->chunks[i]) + sizeof(w->totals[i]) + chunk_memory(&w->chunks[i]);
    return bytes;
}

void parquet_writer_bounds(const struct parquet_writer *w, uint32_t column,
                           struct parquet_bounds *bounds)
{
    CHECK(column < w->schema->count);
    struct column_total total = w->totals[column];

    add_total(&total, &w->chunks[column]);
    *bounds = (struct parquet_bounds){
        .values = total.values,
        .nulls = total.nulls,
        .int64 = total.int64,
        .bytes = total.bytes,
    };
}

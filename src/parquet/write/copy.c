/* SPDX-License-Identifier: MIT */
#include "parquet/write/copy.h"

#include <inttypes.h>

#include "parquet/read/column.h"
#include "parquet/read/metadata.h"
#include "parquet/write/metadata.h"
#include "parquet/write/statistics.h"

static bool is_same_logical(const struct parquet_logical_type *a,
                            const struct parquet_logical_type *b)
{
    return a->kind == b->kind && a->utc == b->utc && a->unit == b->unit &&
           a->bit_width == b->bit_width && a->is_signed == b->is_signed && a->scale == b->scale &&
           a->precision == b->precision;
}

static bool is_same_element(const struct parquet_schema_element *a,
                            const struct parquet_schema_element *b)
{
    return a->has_type == b->has_type && a->type == b->type && a->type_length == b->type_length &&
           a->has_repetition == b->has_repetition && a->repetition == b->repetition &&
           slice_equal(a->name, b->name) && a->num_children == b->num_children &&
           a->converted_type == b->converted_type && a->scale == b->scale &&
           a->precision == b->precision && a->field_id == b->field_id &&
           is_same_logical(&a->logical, &b->logical);
}

static bool is_described(const struct parquet_column_chunk *chunk, const struct column_spec *spec)
{
    struct bounds_int64 numbers = {0};
    struct bounds_bytes bytes = {0};
    const struct parquet_statistics *s = &chunk->statistics;
    bool is_ours = chunk->offset_index_offset > 0 && chunk->has_statistics && s->has_null_count &&
                   s->null_count <= chunk->num_values && chunk->bloom_filter_offset == 0 &&
                   (chunk->codec == PARQUET_COMPRESSION_ZSTD ||
                    chunk->codec == PARQUET_COMPRESSION_UNCOMPRESSED);
    if (!is_ours || !bounds_of_statistics(s, chunk->type, &numbers, &bytes))
        return false;
    /* Numbers that are no numbers have no bounds. */
    bool real = chunk->type == PARQUET_TYPE_FLOAT || chunk->type == PARQUET_TYPE_DOUBLE;
    bool has_values = s->null_count < chunk->num_values;
    return !spec->bounds || !has_values || real || numbers.has || bytes.has;
}

bool copy_is_possible(const struct layout *layout, const struct parquet_file *file,
                      uint32_t row_group)
{
    const struct parquet_file_metadata *m = &file->metadata;
    if (m->schema_count != layout->elements_count)
        return false;
    for (uint32_t i = 1; i < m->schema_count; i++)
        if (!is_same_element(&m->schema[i], &layout->elements[i]))
            return false;
    for (uint32_t i = 0; i < layout->leaves_count; i++)
        if (!is_described(&m->row_groups[row_group].columns[i], layout->leaves[i].spec))
            return false;
    return true;
}

static struct slice copy_bytes(struct arena *arena, struct slice bytes)
{
    return (struct slice){(const uint8_t *)arena_text(arena, bytes.data, bytes.len), bytes.len};
}

/* The metadata of a chunk lasts as long as the file that it is from, which is too short. */
static void keep(struct arena *arena, struct parquet_column_chunk *c)
{
    struct slice *path = arena_calloc(arena, c->path_count, sizeof(*path));
    enum parquet_encoding *encodings = arena_calloc(arena, c->encodings_count, sizeof(*encodings));
    struct parquet_encoding_stats *stats =
        arena_calloc(arena, c->encoding_stats_count, sizeof(*stats));
    for (uint32_t i = 0; i < c->path_count; i++)
        path[i] = copy_bytes(arena, c->path[i]);
    for (uint32_t i = 0; i < c->encodings_count; i++)
        encodings[i] = c->encodings[i];
    for (uint32_t i = 0; i < c->encoding_stats_count; i++)
        stats[i] = c->encoding_stats[i];
    c->path = path;
    c->encodings = encodings;
    c->encoding_stats = stats;
    if (c->statistics.has_min)
        c->statistics.min = copy_bytes(arena, c->statistics.min);
    if (c->statistics.has_max)
        c->statistics.max = copy_bytes(arena, c->statistics.max);
}

static int load(const struct parquet_file *file, int64_t offset, int32_t len, struct arena *arena,
                struct slice *out, struct err *err)
{
    uint8_t *bytes;
    if (len == 0 || (uint64_t)offset > file->footer_offset ||
        (uint64_t)len > file->footer_offset - (uint64_t)offset)
        return err_set(err, ERR_FORMAT, "an index of %d bytes at %" PRId64 " is not in the file",
                       (int)len, offset);
    bytes = arena_alloc(arena, (size_t)len);
    *out = (struct slice){bytes, (size_t)len};
    return file->source.read(file->source.context, (uint64_t)offset, bytes, (size_t)len, err);
}

/* Pages move by `shift` bytes. */
static int move_locations(struct parquet_offset_index *index, const struct parquet_column_chunk *c,
                          int64_t shift, struct arena *arena, struct err *err)
{
    struct parquet_page_location *locations = arena_calloc(arena, index->count, sizeof(*locations));
    uint64_t start = parquet_chunk_start(c);
    for (uint32_t i = 0; i < index->count; i++) {
        locations[i] = index->page_locations[i];
        uint64_t at = (uint64_t)locations[i].offset;
        if (at < start || at - start >= (uint64_t)c->total_compressed_size)
            return err_set(err, ERR_FORMAT,
                           "the offset index has a page at %" PRIu64 ", which is not in its column",
                           at);
        locations[i].offset += shift;
    }
    index->page_locations = locations;
    return 0;
}

int copy_describe(struct footer *footer, const struct parquet_file *file,
                  const struct parquet_column_chunk *from, uint64_t start, struct arena *scratch,
                  struct parquet_column_chunk *to, struct err *err)
{
    struct slice offsets, columns = {0};
    struct parquet_offset_index offset_index;
    struct parquet_column_index column_index;
    int64_t shift = (int64_t)start - (int64_t)parquet_chunk_start(from);
    if (load(file, from->offset_index_offset, from->offset_index_length, scratch, &offsets, err) !=
            0 ||
        parquet_offset_index_read(offsets, scratch, &offset_index, err) != 0 ||
        move_locations(&offset_index, from, shift, scratch, err) != 0)
        return -1;
    if (from->column_index_offset > 0 &&
        (load(file, from->column_index_offset, from->column_index_length, scratch, &columns, err) !=
             0 ||
         parquet_column_index_read(columns, scratch, &column_index, err) != 0))
        return -1;
    *to = *from;
    keep(&footer->arena, to);
    to->data_page_offset += shift;
    if (to->dictionary_page_offset > 0)
        to->dictionary_page_offset += shift;
    footer_add_copied_indexes(footer, &offset_index, columns, to);
    return 0;
}

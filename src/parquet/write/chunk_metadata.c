/* SPDX-License-Identifier: MIT */
#include "parquet/write/chunk_metadata.h"

#include "parquet/write/metadata.h"

static struct slice plain(const struct chunk *c, struct arena *arena, int64_t bound)
{
    uint8_t *bytes = arena_alloc(arena, 8);

    return (struct slice){bytes, bound_plain(bound, c->layout.type, bytes)};
}

static struct slice copy(struct arena *arena, struct slice bytes)
{
    return (struct slice){(const uint8_t *)arena_text(arena, bytes.data, bytes.len), bytes.len};
}

/* Bounds of text may be cut, so they never claim to be exact; and saying that they are not has
 * misled readers as well. */
static struct parquet_statistics describe_statistics(const struct chunk *c, struct arena *arena)
{
    struct parquet_statistics statistics = {.has_null_count = true,
                                            .null_count = (int64_t)c->nulls};

    if (c->numbers.has) {
        statistics.has_min = statistics.has_max = true;
        statistics.min = plain(c, arena, c->numbers.min);
        statistics.max = plain(c, arena, c->numbers.max);
        statistics.min_exact = statistics.max_exact = PARQUET_EXACT_YES;
    } else if (c->bytes.has) {
        statistics.has_min = true;
        statistics.min = copy(arena, bounds_min(&c->bytes));
        statistics.has_max = c->bytes.has_max;
        if (c->bytes.has_max)
            statistics.max = copy(arena, bounds_max(&c->bytes));
    }
    return statistics;
}

static void add_encoding_stats(struct parquet_column_chunk *metadata, struct arena *arena,
                               uint32_t plain_pages, uint32_t index_pages,
                               enum parquet_encoding plain)
{
    struct parquet_encoding_stats *stats = arena_calloc(arena, 3, sizeof(*stats));
    enum parquet_encoding *encodings = arena_calloc(arena, 4, sizeof(*encodings));
    uint32_t n = 0, e = 0;

    if (index_pages > 0) {
        stats[n++] =
            (struct parquet_encoding_stats){PARQUET_PAGE_DICTIONARY, PARQUET_ENCODING_PLAIN, 1};
        stats[n++] = (struct parquet_encoding_stats){
            PARQUET_PAGE_DATA, PARQUET_ENCODING_RLE_DICTIONARY, (int32_t)index_pages};
    }
    if (plain_pages > 0)
        stats[n++] =
            (struct parquet_encoding_stats){PARQUET_PAGE_DATA, plain, (int32_t)plain_pages};
    if (index_pages > 0 || plain == PARQUET_ENCODING_PLAIN)
        encodings[e++] = PARQUET_ENCODING_PLAIN;
    encodings[e++] = PARQUET_ENCODING_RLE;
    if (plain_pages > 0 && plain != PARQUET_ENCODING_PLAIN)
        encodings[e++] = plain;
    if (index_pages > 0)
        encodings[e++] = PARQUET_ENCODING_RLE_DICTIONARY;
    metadata->encoding_stats = stats;
    metadata->encoding_stats_count = n;
    metadata->encodings = encodings;
    metadata->encodings_count = e;
}

/* Headers count in both. */
static void add_sizes(struct parquet_column_chunk *metadata, const struct chunk_page *page)
{
    uint32_t header = page->extent.size - page->stored_size;

    metadata->total_uncompressed_size += (int64_t)header + page->raw_size;
    metadata->total_compressed_size += page->extent.size;
}

struct parquet_column_chunk chunk_describe(const struct chunk *c, uint64_t offset,
                                           const struct chunk_page *dictionary, struct arena *arena)
{
    struct parquet_column_chunk metadata = {
        .type = c->layout.type,
        .path = c->layout.path,
        .path_count = c->layout.path_count,
        .codec = c->compression == CHUNK_COMPRESSED ? PARQUET_COMPRESSION_ZSTD
                                                    : PARQUET_COMPRESSION_UNCOMPRESSED,
        .num_values = (int64_t)c->entries,
        .data_page_offset = (int64_t)(offset + dictionary->extent.size),
        .has_statistics = true,
        .statistics = describe_statistics(c, arena),
        .has_size_statistics = c->layout.type == PARQUET_TYPE_BYTE_ARRAY,
        .unencoded_byte_array_data_bytes = (int64_t)c->text_bytes,
    };
    uint32_t index_pages = 0, pages = chunk_page_count(c);

    if (dictionary->extent.size > 0) {
        metadata.dictionary_page_offset = (int64_t)offset;
        add_sizes(&metadata, dictionary);
    }
    for (uint32_t i = 0; i < pages; i++) {
        add_sizes(&metadata, chunk_page(c, i));
        index_pages += chunk_page(c, i)->encoding == PARQUET_ENCODING_RLE_DICTIONARY;
    }
    add_encoding_stats(&metadata, arena, pages - index_pages, index_pages, c->layout.encoding);
    return metadata;
}

void chunk_write_offset_index(const struct chunk *c, uint64_t offset, struct arena *arena,
                              struct buf *out)
{
    uint32_t count = chunk_page_count(c);
    struct parquet_page_location *locations = arena_calloc(arena, count, sizeof(*locations));
    int64_t *text_bytes = arena_calloc(arena, count, sizeof(*text_bytes));
    int64_t row = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct chunk_page *page = chunk_page(c, i);
        locations[i] =
            (struct parquet_page_location){(int64_t)offset, (int32_t)page->extent.size, row};
        text_bytes[i] = (int64_t)page->text_bytes;
        offset += page->extent.size;
        row += page->rows;
    }
    struct parquet_offset_index index = {
        .page_locations = locations,
        .count = count,
        .unencoded_byte_array_data_bytes =
            c->layout.type == PARQUET_TYPE_BYTE_ARRAY ? text_bytes : NULL,
    };
    parquet_write_offset_index(out, &index);
}

/* The bounds of a page as the index has them. False if they can't be said. */
static bool page_bounds(const struct chunk *c, const struct chunk_page *page, struct arena *arena,
                        struct slice *min, struct slice *max)
{
    if (!page->has_bounds)
        return page->nulls == page->entries;
    if (c->layout.type != PARQUET_TYPE_BYTE_ARRAY) {
        *min = plain(c, arena, page->numbers.min);
        *max = plain(c, arena, page->numbers.max);
        return true;
    }
    const struct bounds_bytes *bounds = chunk_page_bytes(c, page);
    *min = bounds_min(bounds);
    *max = bounds_max(bounds);
    return bounds->has_max;
}

/* Whether the bounds of page `b` are not below those of page `a`, which comes before. */
static bool ascends(const struct chunk *c, const struct parquet_column_index *index, uint32_t a,
                    uint32_t b)
{
    const struct bounds_int64 *x = &chunk_page(c, a)->numbers, *y = &chunk_page(c, b)->numbers;

    if (c->layout.type != PARQUET_TYPE_BYTE_ARRAY)
        return x->min <= y->min && x->max <= y->max;
    return slice_compare(index->min_values[a], index->min_values[b]) <= 0 &&
           slice_compare(index->max_values[a], index->max_values[b]) <= 0;
}

/* Ascending only where it is so: redelivered messages come out of order. Pages of nulls don't
 * count. */
static enum parquet_boundary_order order_of(const struct chunk *c,
                                            const struct parquet_column_index *index)
{
    int64_t previous = -1;

    for (uint32_t i = 0; i < index->count; i++) {
        if (index->null_pages[i])
            continue;
        if (previous >= 0 && !ascends(c, index, (uint32_t)previous, i))
            return PARQUET_BOUNDARY_UNORDERED;
        previous = i;
    }
    return PARQUET_BOUNDARY_ASCENDING;
}

void chunk_write_column_index(const struct chunk *c, struct arena *arena, struct buf *out)
{
    uint32_t count = chunk_page_count(c);
    bool *null_pages = arena_calloc(arena, count, sizeof(*null_pages));
    struct slice *mins = arena_calloc(arena, count, sizeof(*mins));
    struct slice *maxs = arena_calloc(arena, count, sizeof(*maxs));
    int64_t *null_counts = arena_calloc(arena, count, sizeof(*null_counts));

    if (!c->layout.spec->bounds)
        return;
    for (uint32_t i = 0; i < count; i++) {
        const struct chunk_page *page = chunk_page(c, i);
        null_pages[i] = page->nulls == page->entries;
        null_counts[i] = page->nulls;
        if (!page_bounds(c, page, arena, &mins[i], &maxs[i]))
            return;
    }
    struct parquet_column_index index = {
        .count = count,
        .null_pages = null_pages,
        .min_values = mins,
        .max_values = maxs,
        .null_counts = null_counts,
    };
    index.boundary_order = order_of(c, &index);
    parquet_write_column_index(out, &index);
}

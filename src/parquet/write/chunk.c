/* SPDX-License-Identifier: MIT */
#include "parquet/write/chunk.h"

#include "base/bytes.h"
#include "base/assert.h"
#include "parquet/write/bloom.h"
#include "parquet/write/chunk_pages.h"
#include "parquet/write/delta.h"
#include "parquet/write/rle.h"

enum {
    DICTIONARY_RETRY = 16, /* row groups from giving up to the next try */
    /* What a chunk keeps for the pages of the next row group: beyond this they are worth less than
     * the memory, which the file that they went into wants now. */
    STORED_KEPT = 1024 * 1024,
};

/* ---- pages ---- */

static void append_levels(struct buf *body, const uint8_t *present, uint32_t rows,
                          struct parquet_scratch *scratch)
{
    uint32_t *levels = parquet_scratch_numbers(scratch, rows);
    size_t start = body->len;

    for (uint32_t i = 0; i < rows; i++)
        levels[i] = present[i];
    buf_append_u32le(body, 0);
    rle_encode(body, levels, rows, 1);
    store_u32le(body->data + start, (uint32_t)(body->len - start - 4));
}

static void bound_bytes(struct chunk *c, struct chunk_page *page, struct slice min,
                        struct slice max)
{
    bool text = c->layout.spec->meaning == COLUMN_TEXT;
    struct bounds_bytes bounds = bounds_of_range(min, max, text);

    page->has_bounds = true;
    page->bytes_bounds = (uint32_t)(c->bytes_bounds.len / sizeof(bounds));
    buf_append(&c->bytes_bounds, &bounds, sizeof(bounds));
    bounds_bytes_add(&c->bytes, &bounds);
}

/* ---- pages of dictionary indexes ---- */

static void bound_entries(struct chunk *c, struct chunk_page *page, const uint32_t *numbers,
                          uint32_t count, struct parquet_scratch *scratch)
{
    const struct map *map = &c->dictionary.map;
    uint8_t *used = parquet_scratch_used(scratch, map->count);
    struct slice min = map_key(map, numbers[0]), max = min;

    for (uint32_t i = 0; i < count; i++)
        used[numbers[i]] = 1;
    for (uint32_t i = 0; i < map->count; i++) {
        if (!used[i])
            continue;
        struct slice key = map_key(map, i);
        if (slice_compare(key, min) < 0)
            min = key;
        else if (slice_compare(key, max) > 0)
            max = key;
    }
    bound_bytes(c, page, min, max);
}

/* False, and nothing done, if the dictionary does not pay any more. */
static bool append_indexes(struct chunk *c, const struct row_group_column *row_group,
                           struct parquet_codec *codec)
{
    struct parquet_scratch *scratch = parquet_codec_scratch(codec);
    uint32_t count = row_group->rows - row_group->nulls;
    uint32_t known = c->dictionary.entries;
    struct chunk_page page = {.encoding = PARQUET_ENCODING_RLE_DICTIONARY,
                              .rows = row_group->rows,
                              .nulls = row_group->nulls,
                              .text_bytes = row_group->values.len - 4 * (uint64_t)count};

    buf_reset(&scratch->body);
    if (row_group->present != NULL)
        append_levels(&scratch->body, row_group->present, row_group->rows, scratch);
    uint32_t *numbers = parquet_scratch_numbers(scratch, count);
    if (!dictionary_number(&c->dictionary, row_group->values, count, numbers))
        return false;
    unsigned width = rle_width(c->dictionary.entries - 1);
    buf_append_byte(&scratch->body, (uint8_t)width);
    rle_encode(&scratch->body, numbers, count, width);
    if (count > 0 && c->layout.spec->bounds)
        bound_entries(c, &page, numbers, count, scratch);
    for (uint32_t i = known; c->layout.bloom && i < c->dictionary.entries; i++)
        bloom_append_hash(&c->hashes, map_key(&c->dictionary.map, i));
    chunk_append_page(c, page, buf_slice(&scratch->body), codec);
    return true;
}

static void give_up_dictionary(struct chunk *c)
{
    c->use_dictionary = false;
    c->dictionary_rest = DICTIONARY_RETRY;
    /* What was found out about indexes says nothing about values. */
    c->effort_chosen = false;
    if (c->compression == CHUNK_STORED)
        c->compression = CHUNK_UNDECIDED;
}

/* ---- pages of values ---- */

/* Rows of a row_group that become one page. */
struct span {
    uint32_t row; /* the first */
    uint32_t rows;
    uint32_t nulls;
    struct slice values;
};

/* From cut number `index` (0: the beginning) to the next one. */
static struct span span_of(const struct row_group_column *row_group, uint32_t index)
{
    const struct row_group_cut none = {0}, whole = {row_group->rows, row_group->values.len};
    struct row_group_cut from = index == 0 ? none : row_group->cuts[index - 1];
    struct row_group_cut to = index == row_group->cuts_count ? whole : row_group->cuts[index];
    struct span span = {
        .row = from.row,
        .rows = to.row - from.row,
        .values = {row_group->values.data + from.offset, to.offset - from.offset},
    };

    if (row_group->cuts_count == 0)
        span.nulls = row_group->nulls;
    else if (row_group->present != NULL)
        for (uint32_t row = from.row; row < to.row; row++)
            span.nulls += !row_group->present[row];
    return span;
}

/* What has to be known of each single value: its hash, and the smallest and largest. */
static void look_at_bytes(struct chunk *c, struct slice values, uint32_t width,
                          struct chunk_page *page)
{
    struct slice min = {0}, max = {0};

    for (size_t at = 0; at < values.len;) {
        size_t skip = width != 0 ? 0 : 4;
        size_t len = width != 0 ? width : load_u32le(values.data + at);
        struct slice value = {values.data + at + skip, len};
        if (c->layout.bloom)
            bloom_append_hash(&c->hashes, value);
        if (at == 0 || slice_compare(value, min) < 0)
            min = value;
        if (at == 0 || slice_compare(value, max) > 0)
            max = value;
        at += skip + len;
    }
    if (c->layout.spec->bounds)
        bound_bytes(c, page, min, max);
}

static void look_at_int64(struct chunk *c, struct slice values, struct chunk_page *page)
{
    uint32_t count = (uint32_t)(values.len / 8);

    if (c->layout.spec->bounds) {
        page->has_bounds = true;
        page->int64 = bounds_of_int64(values.data, count, &c->last, &c->ascending);
        bounds_int64_add(&c->int64, &page->int64);
    }
    for (uint32_t i = 0; c->layout.bloom && i < count; i++)
        bloom_append_hash(&c->hashes, (struct slice){values.data + (size_t)i * 8, 8});
}

static void look_at_values(struct chunk *c, struct slice values, uint32_t width,
                           struct chunk_page *page)
{
    if (values.len == 0)
        return;
    if (c->layout.type == PARQUET_TYPE_INT64)
        look_at_int64(c, values, page);
    else if (c->layout.bloom || c->layout.spec->bounds)
        look_at_bytes(c, values, width, page);
}

static struct slice encode_values(struct chunk *c, const struct row_group_column *row_group,
                                  const struct span *span, struct parquet_scratch *scratch)
{
    struct buf *body = &scratch->body;
    enum parquet_encoding encoding = c->layout.encoding;
    uint32_t count = span->rows - span->nulls;

    /* The common case needs no copy: the batch holds the page as it is. */
    if (encoding == PARQUET_ENCODING_PLAIN && row_group->present == NULL)
        return span->values;
    buf_reset(body);
    if (row_group->present != NULL)
        append_levels(body, row_group->present + span->row, span->rows, scratch);
    if (encoding == PARQUET_ENCODING_DELTA_BINARY_PACKED)
        delta_encode_int64(body, span->values.data, count);
    else if (encoding == PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY)
        delta_encode_bytes(body, span->values, count, &scratch->numbers);
    else
        buf_append_slice(body, span->values);
    return buf_slice(body);
}

static void append_values(struct chunk *c, const struct row_group_column *row_group,
                          struct parquet_codec *codec)
{
    struct parquet_scratch *scratch = parquet_codec_scratch(codec);

    for (uint32_t i = 0; i <= row_group->cuts_count; i++) {
        struct span span = span_of(row_group, i);
        struct chunk_page page = {
            .encoding = c->layout.encoding, .rows = span.rows, .nulls = span.nulls};
        if (c->layout.type == PARQUET_TYPE_BYTE_ARRAY)
            page.text_bytes = span.values.len - 4 * (uint64_t)(span.rows - span.nulls);
        look_at_values(c, span.values, row_group->width, &page);
        chunk_append_page(c, page, encode_values(c, row_group, &span, scratch), codec);
    }
}

/* ---- the chunk ---- */

void chunk_begin_file(struct chunk *c, const struct chunk_layout *layout)
{
    c->layout = *layout;
    c->dictionary_rest = 0;
    chunk_begin_row_group(c);
}

void chunk_begin_row_group(struct chunk *c)
{
    if (c->dictionary_rest > 0)
        c->dictionary_rest--;
    /* Dictionaries are of byte strings; numbers and UUIDs are as small as an index would be. */
    c->use_dictionary = c->layout.spec->dictionary && c->dictionary_rest == 0 &&
                        c->layout.type == PARQUET_TYPE_BYTE_ARRAY;
    dictionary_reset(&c->dictionary);
    buf_reset(&c->stored);
    buf_trim(&c->stored, STORED_KEPT);
    buf_reset(&c->pages);
    buf_reset(&c->bytes_bounds);
    buf_reset(&c->hashes);
    c->compression = CHUNK_UNDECIDED;
    c->effort_chosen = false;
    c->rows = 0;
    c->nulls = 0;
    c->text_bytes = 0;
    c->ascending = true;
    c->last = INT64_MIN;
    c->int64 = (struct bounds_int64){0};
    c->bytes = (struct bounds_bytes){0};
}

void chunk_append(struct chunk *c, const struct row_group_column *row_group,
                  struct parquet_codec *codec)
{
    /* A chunk without any value must not have a dictionary, and pages of indexes are an error
     * without one: nulls before the first value are PLAIN. */
    bool nothing = row_group->nulls == row_group->rows && c->dictionary.entries == 0;

    if (c->use_dictionary && !nothing) {
        if (append_indexes(c, row_group, codec))
            return;
        give_up_dictionary(c);
    }
    append_values(c, row_group, codec);
}

uint64_t chunk_memory(const struct chunk *c)
{
    return (uint64_t)c->stored.cap + c->pages.cap + c->bytes_bounds.cap + c->hashes.cap +
           map_memory(&c->dictionary.map);
}

void chunk_free(struct chunk *c)
{
    buf_free(&c->stored);
    buf_free(&c->pages);
    buf_free(&c->bytes_bounds);
    buf_free(&c->hashes);
    dictionary_free(&c->dictionary);
}

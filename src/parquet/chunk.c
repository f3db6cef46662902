/* SPDX-License-Identifier: MIT */
#include "parquet/chunk.h"

#include "base/bytes.h"
#include "base/check.h"
#include "parquet/bloom.h"
#include "parquet/delta.h"
#include "parquet/page.h"
#include "parquet/rle.h"

enum {
    DICTIONARY_RETRY = 16,       /* row groups from giving up to the next try */
    TINY_BYTES = 256,            /* a frame of a smaller page costs more than it can save */
    SAVING_PERCENT = 3,          /* less is not worth the time of readers */
    TRIAL_BYTES_MIN = 16 * 1024, /* smaller pages are too few bytes to be worth a trial */
    TRIAL_BYTES_MAX = 64 * 1024, /* part of the first page that is compressed in all ways */
    INDEX_LEVEL = 1,             /* bit-packed numbers don't reward more */
    RANDOM_LEVEL = 1,            /* nor does text of high entropy: level 3 makes it larger */
};

/* ---- compression
 * --------------------------------------------------------------------------------- */

static struct parquet_effort effort_for(struct chunk *c, enum parquet_encoding encoding,
                                        struct slice body, struct parquet_codec *codec)
{
    int limit = c->layout.ceiling;

    if (c->effort_chosen)
        return c->effort;
    if (encoding == PARQUET_ENCODING_RLE_DICTIONARY && limit > INDEX_LEVEL)
        limit = INDEX_LEVEL;
    if (c->layout.spec->random && limit > RANDOM_LEVEL)
        limit = RANDOM_LEVEL;
    if (body.len < TRIAL_BYTES_MIN)
        return parquet_effort_highest(limit);
    if (body.len > TRIAL_BYTES_MAX)
        body.len = TRIAL_BYTES_MAX;
    c->effort = parquet_effort_choose(codec, limit, body);
    c->effort_chosen = true;
    return c->effort;
}

/* The body as one frame, in the scratch memory. */
static struct slice compress(struct chunk *c, enum parquet_encoding encoding, struct slice body,
                             struct parquet_codec *codec)
{
    struct buf *out = &parquet_codec_scratch(codec)->stored;

    buf_reset(out);
    parquet_compress(codec, effort_for(c, encoding, body, codec), body, out);
    return buf_slice(out);
}

static struct chunk_page *pages_of(const struct chunk *c)
{
    return (struct chunk_page *)(void *)c->pages.data;
}

static void append_page(struct chunk *c, struct chunk_page *page, struct slice stored)
{
    size_t before = c->stored.len;

    page_append_data(&c->stored, page->encoding, page->rows, page->raw_size, stored);
    page->stored_size = (uint32_t)stored.len;
    page->size = (uint32_t)(c->stored.len - before);
}

/* All pages of a chunk have the same codec: those that were stored before it was known that
 * compression pays are done again. They are few or tiny. */
static void compress_earlier_pages(struct chunk *c, struct parquet_codec *codec)
{
    struct buf old = c->stored;
    size_t at = 0;

    c->stored = (struct buf){0};
    for (uint32_t i = 0; i < chunk_page_count(c); i++) {
        struct chunk_page *page = &pages_of(c)[i];
        at += page->size;
        struct slice body = {old.data + at - page->stored_size, page->stored_size};
        append_page(c, page, compress(c, page->encoding, body, codec));
    }
    buf_free(&old);
}

/* The body in the form that goes to the file; decides the codec of the chunk if that is open. */
static struct slice stored_form(struct chunk *c, enum parquet_encoding encoding, struct slice body,
                                struct parquet_codec *codec)
{
    if (c->compression == CHUNK_STORED)
        return body;
    if (c->compression == CHUNK_COMPRESSED)
        return compress(c, encoding, body, codec);
    if (body.len < TINY_BYTES)
        return body;

    struct slice frame = compress(c, encoding, body, codec);
    if (frame.len > body.len - body.len * SAVING_PERCENT / 100) {
        c->compression = CHUNK_STORED;
        return body;
    }
    c->compression = CHUNK_COMPRESSED;
    if (chunk_page_count(c) == 0)
        return frame;
    compress_earlier_pages(c, codec);
    return compress(c, encoding, body, codec);
}

/* ---- pages
 * --------------------------------------------------------------------------------------- */

static void finish_page(struct chunk *c, struct chunk_page page, struct slice body,
                        struct parquet_codec *codec)
{
    page.raw_size = (uint32_t)body.len;
    append_page(c, &page, stored_form(c, page.encoding, body, codec));
    buf_append(&c->pages, &page, sizeof(page));
    c->rows += page.rows;
    c->nulls += page.nulls;
    c->text_bytes += page.text_bytes;
    if (page.nulls > 0)
        c->ascending = false;
}

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

/* ---- pages of dictionary indexes
 * ----------------------------------------------------------------- */

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
static bool append_indexes(struct chunk *c, const struct chunk_stripe *stripe,
                           struct parquet_codec *codec)
{
    struct parquet_scratch *scratch = parquet_codec_scratch(codec);
    uint32_t count = stripe->rows - stripe->nulls;
    uint32_t known = c->dictionary.entries;
    struct chunk_page page = {.encoding = PARQUET_ENCODING_RLE_DICTIONARY,
                              .rows = stripe->rows,
                              .nulls = stripe->nulls,
                              .text_bytes = stripe->values.len - 4 * (uint64_t)count};

    buf_reset(&scratch->body);
    if (stripe->present != NULL)
        append_levels(&scratch->body, stripe->present, stripe->rows, scratch);
    uint32_t *numbers = parquet_scratch_numbers(scratch, count);
    if (!dictionary_number(&c->dictionary, stripe->values, count, numbers))
        return false;
    unsigned width = rle_width(c->dictionary.entries - 1);
    buf_append_byte(&scratch->body, (uint8_t)width);
    rle_encode(&scratch->body, numbers, count, width);
    if (count > 0 && c->layout.spec->bounds)
        bound_entries(c, &page, numbers, count, scratch);
    for (uint32_t i = known; c->layout.bloom && i < c->dictionary.entries; i++)
        bloom_append_hash(&c->hashes, map_key(&c->dictionary.map, i));
    finish_page(c, page, buf_slice(&scratch->body), codec);
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

/* ---- pages of values
 * ----------------------------------------------------------------------------- */

/* Rows of a stripe that become one page. */
struct span {
    uint32_t row; /* the first */
    uint32_t rows;
    uint32_t nulls;
    struct slice values;
};

static size_t value_size(const struct chunk *c, const uint8_t *value)
{
    switch (c->layout.type) {
    case PARQUET_TYPE_INT64:
        return 8;
    case PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY:
        return 16;
    case PARQUET_TYPE_BYTE_ARRAY:
    case PARQUET_TYPE_BOOLEAN:
    case PARQUET_TYPE_INT32:
    case PARQUET_TYPE_INT96:
    case PARQUET_TYPE_FLOAT:
    case PARQUET_TYPE_DOUBLE:
        break;
    }
    return 4 + (size_t)load_u32le(value);
}

/* The next page after `span`: as many rows as have at most page_bytes of values, but one value at
 * least. Every stripe ends a page. */
static void next_span(const struct chunk *c, const struct chunk_stripe *stripe, struct span *span)
{
    const uint8_t *end = stripe->values.data + stripe->values.len;
    const uint8_t *start = span->values.data + span->values.len, *at = start;
    uint32_t row = span->row + span->rows, nulls = 0;

    span->row = row;
    for (; row < stripe->rows; row++) {
        if (stripe->present != NULL && !stripe->present[row]) {
            nulls++;
            continue;
        }
        size_t size = value_size(c, at);
        if (at > start && (size_t)(at - start) + size > c->layout.page_bytes)
            break;
        at += size;
    }
    CHECK(at <= end);
    span->rows = row - span->row;
    span->nulls = nulls;
    span->values = (struct slice){start, (size_t)(at - start)};
}

static struct span first_span(const struct chunk *c, const struct chunk_stripe *stripe)
{
    struct span span = {.values = {stripe->values.data, 0}};

    if (stripe->values.len <= c->layout.page_bytes)
        return (struct span){0, stripe->rows, stripe->nulls, stripe->values};
    next_span(c, stripe, &span);
    return span;
}

/* What has to be known of each single value: its hash, and the smallest and largest. */
static void look_at_bytes(struct chunk *c, struct slice values, struct chunk_page *page)
{
    struct slice min = {0}, max = {0};
    bool fixed = c->layout.type == PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY;

    for (size_t at = 0; at < values.len;) {
        size_t size = value_size(c, values.data + at), skip = fixed ? 0 : 4;
        struct slice value = {values.data + at + skip, size - skip};
        if (c->layout.bloom)
            bloom_append_hash(&c->hashes, value);
        if (at == 0 || slice_compare(value, min) < 0)
            min = value;
        if (at == 0 || slice_compare(value, max) > 0)
            max = value;
        at += size;
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

static void look_at_values(struct chunk *c, struct slice values, struct chunk_page *page)
{
    if (values.len == 0)
        return;
    if (c->layout.type == PARQUET_TYPE_INT64)
        look_at_int64(c, values, page);
    else if (c->layout.bloom || c->layout.spec->bounds)
        look_at_bytes(c, values, page);
}

static struct slice encode_values(struct chunk *c, const struct chunk_stripe *stripe,
                                  const struct span *span, struct parquet_scratch *scratch)
{
    struct buf *body = &scratch->body;
    enum parquet_encoding encoding = c->layout.encoding;
    uint32_t count = span->rows - span->nulls;

    /* The common case needs no copy: the batch holds the page as it is. */
    if (encoding == PARQUET_ENCODING_PLAIN && stripe->present == NULL)
        return span->values;
    buf_reset(body);
    if (stripe->present != NULL)
        append_levels(body, stripe->present + span->row, span->rows, scratch);
    if (encoding == PARQUET_ENCODING_DELTA_BINARY_PACKED)
        delta_encode_int64(body, span->values.data, count);
    else if (encoding == PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY)
        delta_encode_bytes(body, span->values, count, &scratch->numbers);
    else
        buf_append_slice(body, span->values);
    return buf_slice(body);
}

static void append_values(struct chunk *c, const struct chunk_stripe *stripe,
                          struct parquet_codec *codec)
{
    struct parquet_scratch *scratch = parquet_codec_scratch(codec);

    for (struct span span = first_span(c, stripe); span.rows > 0; next_span(c, stripe, &span)) {
        struct chunk_page page = {
            .encoding = c->layout.encoding, .rows = span.rows, .nulls = span.nulls};
        if (c->layout.type == PARQUET_TYPE_BYTE_ARRAY)
            page.text_bytes = span.values.len - 4 * (uint64_t)(span.rows - span.nulls);
        look_at_values(c, span.values, &page);
        finish_page(c, page, encode_values(c, stripe, &span, scratch), codec);
    }
}

/* ---- the chunk
 * ----------------------------------------------------------------------------------- */

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
    c->use_dictionary = c->layout.spec->dictionary && c->dictionary_rest == 0;
    dictionary_reset(&c->dictionary);
    buf_reset(&c->stored);
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

void chunk_append(struct chunk *c, const struct chunk_stripe *stripe, struct parquet_codec *codec)
{
    /* A chunk without any value must not have a dictionary, and pages of indexes are an error
     * without one: nulls before the first value are PLAIN. */
    bool nothing = stripe->nulls == stripe->rows && c->dictionary.entries == 0;

    if (c->use_dictionary && !nothing) {
        if (append_indexes(c, stripe, codec))
            return;
        give_up_dictionary(c);
    }
    append_values(c, stripe, codec);
}

void chunk_write_dictionary(struct chunk *c, struct parquet_codec *codec, struct buf *out)
{
    struct slice body = dictionary_page(&c->dictionary), stored = body;

    if (c->dictionary.entries == 0)
        return;
    if (c->compression == CHUNK_COMPRESSED) {
        struct buf *frame = &parquet_codec_scratch(codec)->stored;
        buf_reset(frame);
        parquet_compress(codec, parquet_effort_highest(c->layout.ceiling), body, frame);
        stored = buf_slice(frame);
    }
    page_append_dictionary(out, c->dictionary.entries, (uint32_t)body.len, stored);
}

uint32_t chunk_page_count(const struct chunk *c)
{
    return (uint32_t)(c->pages.len / sizeof(struct chunk_page));
}

const struct chunk_page *chunk_page(const struct chunk *c, uint32_t index)
{
    return &pages_of(c)[index];
}

const struct bounds_bytes *chunk_page_bytes(const struct chunk *c, const struct chunk_page *page)
{
    return (const struct bounds_bytes *)(const void *)c->bytes_bounds.data + page->bytes_bounds;
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

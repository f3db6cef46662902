/* SPDX-License-Identifier: MIT */
#include "parquet/write/chunk.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "parquet/write/encodings.h"

enum {
    DICTIONARY_RETRY = 16, /* row groups from giving up to the next try */
    /* What a chunk keeps for the pages of the next row group: beyond this they are worth less than
     * the memory, which the file that they went into wants now. */
    STORED_KEPT = 1024 * 1024,
};

/* Entries of a batch that become one page. */
struct span {
    struct cut from;
    uint32_t rows;
    uint32_t entries;
    uint32_t nulls;
    struct slice values;
};

static uint32_t count_nulls(const struct cut_column *column, uint32_t from, uint32_t to)
{
    uint32_t nulls = 0;

    for (uint32_t entry = from; entry < to; entry++)
        nulls += definition_at(column->definitions, entry, column->definition) < column->definition;
    return nulls;
}

/* From cut number `index` (0: the beginning) to the next one. */
static struct span span_of(const struct cut_column *column, uint32_t index)
{
    const struct cut none = {0}, whole = {column->rows, column->entries, column->values.len};
    struct cut from = index == 0 ? none : column->cuts[index - 1];
    struct cut to = index == column->cuts_count ? whole : column->cuts[index];
    struct span span = {
        .from = from,
        .rows = to.row - from.row,
        .entries = to.entry - from.entry,
        .values = {column->values.data + from.offset, to.offset - from.offset},
    };

    if (column->cuts_count == 0)
        span.nulls = column->nulls;
    else if (column->nulls > 0)
        span.nulls = count_nulls(column, from.entry, to.entry);
    return span;
}

/* Levels of `count` entries from `from` on: of those that have none it is the highest one. */
static void append_runs(struct buf *body, struct slice levels, uint32_t from, uint32_t count,
                        uint8_t most, struct parquet_scratch *scratch)
{
    size_t start = body->len;

    buf_append_u32le(body, 0);
    if (levels.len == 0) {
        rle_encode_run(body, most, count, rle_width(most));
    } else {
        uint32_t *numbers = parquet_scratch_numbers(scratch, count);
        for (uint32_t i = 0; i < count; i++)
            numbers[i] = definition_at(levels, from + i, most);
        rle_encode(body, numbers, count, rle_width(most));
    }
    store_u32le(body->data + start, (uint32_t)(body->len - start - 4));
}

/* The levels of a page, where the column has them. */
static void append_levels(struct buf *body, const struct cut_column *column,
                          const struct span *span, struct parquet_scratch *scratch)
{
    const struct slice repetitions = {column->repetitions, column->entries}, none = {0};

    if (column->repetitions != NULL)
        append_runs(body, repetitions, span->from.entry, span->entries, column->repetition,
                    scratch);
    if (column->definition > 0)
        append_runs(body, span->nulls > 0 ? column->definitions : none, span->from.entry,
                    span->entries, column->definition, scratch);
}

static void bound_bytes(struct chunk *c, struct chunk_page *page, struct slice min,
                        struct slice max)
{
    enum column_meaning meaning = c->layout.spec->meaning;
    bool text = meaning == COLUMN_TEXT || meaning == COLUMN_ENUM || meaning == COLUMN_JSON;
    struct bounds_bytes bounds = bounds_of_range(min, max, text);

    page->has_bounds = true;
    page->bytes_bounds = (uint32_t)(c->bytes_bounds.len / sizeof(bounds));
    buf_append(&c->bytes_bounds, &bounds, sizeof(bounds));
    bounds_bytes_add(&c->bytes, &bounds);
}

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

static void append_index_page(struct chunk *c, const struct cut_column *column,
                              const struct span *span, const uint32_t *numbers,
                              struct parquet_codec *codec)
{
    struct parquet_scratch *scratch = parquet_codec_scratch(codec);
    uint32_t count = span->entries - span->nulls;
    struct chunk_page page = {.encoding = PARQUET_ENCODING_RLE_DICTIONARY,
                              .rows = span->rows,
                              .entries = span->entries,
                              .nulls = span->nulls,
                              .text_bytes = span->values.len - 4 * (uint64_t)count};

    buf_reset(&scratch->body);
    append_levels(&scratch->body, column, span, scratch);
    unsigned width = rle_width(c->dictionary.entries - 1);
    buf_append_byte(&scratch->body, (uint8_t)width);
    rle_encode(&scratch->body, numbers, count, width);
    if (count > 0 && c->layout.spec->bounds)
        bound_entries(c, &page, numbers, count, scratch);
    chunk_append_page(c, page, buf_slice(&scratch->body), NULL, codec);
}

/* False, and nothing done, if the dictionary does not pay any more. */
static bool append_indexes(struct chunk *c, const struct cut_column *column,
                           struct parquet_codec *codec)
{
    struct parquet_scratch *scratch = parquet_codec_scratch(codec);
    uint32_t count = column->entries - column->nulls;
    uint32_t *numbers = parquet_scratch_indexes(scratch, count);
    uint32_t at = 0;

    if (!dictionary_number(&c->dictionary, column->values, count, numbers))
        return false;
    if (column->repetitions == NULL) {
        /* The indexes of a batch of rows are never too many for one page. */
        struct cut_column whole = *column;
        whole.cuts_count = 0;
        struct span span = span_of(&whole, 0);
        append_index_page(c, &whole, &span, numbers, codec);
        return true;
    }
    for (uint32_t i = 0; i <= column->cuts_count; i++) {
        struct span span = span_of(column, i);
        append_index_page(c, column, &span, numbers + at, codec);
        at += span.entries - span.nulls;
    }
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

/* The smallest and largest of byte strings. */
static void look_at_bytes(struct chunk *c, struct slice values, struct chunk_page *page)
{
    struct slice min = {0}, max = {0};

    for (size_t at = 0; at < values.len;) {
        struct slice value = {values.data + at + 4, load_u32le(values.data + at)};
        if (at == 0 || slice_compare(value, min) < 0)
            min = value;
        if (at == 0 || slice_compare(value, max) > 0)
            max = value;
        at += 4 + value.len;
    }
    bound_bytes(c, page, min, max);
}

static void look_at_values(struct chunk *c, struct slice values, struct chunk_page *page)
{
    if (values.len == 0 || !c->layout.spec->bounds)
        return;
    if (c->layout.type == PARQUET_TYPE_BYTE_ARRAY) {
        look_at_bytes(c, values, page);
        return;
    }
    page->numbers =
        c->layout.type == PARQUET_TYPE_INT64
            ? bounds_of_int64(values.data, (uint32_t)(values.len / 8), &c->last, &c->ascending)
            : bounds_of_numbers(values, c->layout.type);
    page->has_bounds = page->numbers.has;
    bounds_int64_add(&c->numbers, &page->numbers);
}

/* Eight to a byte, the first one lowest. */
static void append_bits(struct buf *body, struct slice booleans)
{
    size_t len = (booleans.len + 7) / 8;

    buf_reserve(body, len);
    memset(body->data + body->len, 0, len);
    for (size_t i = 0; i < booleans.len; i++)
        body->data[body->len + i / 8] |= (uint8_t)(booleans.data[i] << i % 8);
    body->len += len;
}

/* Returns where the body begins now. */
static size_t append_values(struct chunk *c, struct buf *body, const struct span *span,
                            struct parquet_scratch *scratch)
{
    uint32_t count = span->entries - span->nulls;

    if (c->layout.encoding == PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY)
        return delta_encode_bytes(body, span->values, count, &scratch->numbers);
    if (c->layout.encoding == PARQUET_ENCODING_DELTA_BINARY_PACKED)
        delta_encode_int64(body, span->values.data, count);
    else if (c->layout.type == PARQUET_TYPE_BOOLEAN)
        append_bits(body, span->values);
    else
        buf_append_slice(body, span->values);
    return 0;
}

static struct slice encode_page(struct chunk *c, const struct cut_column *column,
                                const struct span *span, struct parquet_scratch *scratch)
{
    struct buf *body = &scratch->body;

    /* The common case needs no copy: the batch holds the page as it is. */
    if (c->layout.encoding == PARQUET_ENCODING_PLAIN && column->definition == 0 &&
        c->layout.type != PARQUET_TYPE_BOOLEAN)
        return span->values;
    buf_reset(body);
    append_levels(body, column, span, scratch);
    size_t start = append_values(c, body, span, scratch);
    return (struct slice){body->data + start, body->len - start};
}

/* Where the values are in the body that encode_page made, as long as that is there. False where
 * there are none of a kind that is worth looking at. */
static bool find_values(const struct chunk *c, size_t body, const struct span *span,
                        const struct parquet_scratch *scratch, struct parquet_values *found)
{
    bool bytes = c->layout.type == PARQUET_TYPE_BYTE_ARRAY;
    bool wide = c->layout.type == PARQUET_TYPE_INT64 || c->layout.type == PARQUET_TYPE_DOUBLE;
    size_t len = span->values.len;

    *found = (struct parquet_values){.width = wide ? PARQUET_VALUES_WIDTH : 0};
    if (c->layout.encoding == PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY) {
        found->lengths = scratch->numbers.data;
        len -= 4 * (size_t)(span->entries - span->nulls);
    } else if (c->layout.encoding != PARQUET_ENCODING_PLAIN || (!bytes && !wide)) {
        return false;
    }
    found->start = body - len;
    return true;
}

static void append_pages(struct chunk *c, const struct cut_column *column,
                         struct parquet_codec *codec)
{
    struct parquet_scratch *scratch = parquet_codec_scratch(codec);

    for (uint32_t i = 0; i <= column->cuts_count; i++) {
        struct span span = span_of(column, i);
        struct chunk_page page = {.encoding = c->layout.encoding,
                                  .rows = span.rows,
                                  .entries = span.entries,
                                  .nulls = span.nulls};
        if (c->layout.type == PARQUET_TYPE_BYTE_ARRAY)
            page.text_bytes = span.values.len - 4 * (uint64_t)(span.entries - span.nulls);
        look_at_values(c, span.values, &page);
        struct slice body = encode_page(c, column, &span, scratch);
        struct parquet_values values;
        bool found = find_values(c, body.len, &span, scratch, &values);
        chunk_append_page(c, page, body, found ? &values : NULL, codec);
    }
}

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
    /* Dictionaries are of byte strings; numbers are about as small as an index would be. */
    c->use_dictionary = c->layout.spec->dictionary && c->dictionary_rest == 0 &&
                        c->layout.type == PARQUET_TYPE_BYTE_ARRAY;
    dictionary_reset(&c->dictionary);
    buf_reset(&c->stored);
    buf_trim(&c->stored, STORED_KEPT);
    c->outside = (struct slice){0};
    buf_reset(&c->pages);
    buf_reset(&c->bytes_bounds);
    c->compression = CHUNK_UNDECIDED;
    c->effort_chosen = false;
    c->rows = 0;
    c->entries = 0;
    c->nulls = 0;
    c->text_bytes = 0;
    c->ascending = true;
    c->last = INT64_MIN;
    c->numbers = (struct bounds_int64){0};
    c->bytes = (struct bounds_bytes){0};
}

void chunk_append(struct chunk *c, const struct cut_column *column, struct parquet_codec *codec)
{
    /* A chunk without any value must not have a dictionary, and pages of indexes are an error
     * without one: nulls before the first value are PLAIN. */
    bool nothing = column->nulls == column->entries && c->dictionary.entries == 0;

    if (c->use_dictionary && !nothing) {
        if (append_indexes(c, column, codec))
            return;
        give_up_dictionary(c);
    }
    append_pages(c, column, codec);
}

void chunk_set_account(struct chunk *c, struct account *account)
{
    c->stored.account = account;
    c->pages.account = account;
    c->bytes_bounds.account = account;
    c->dictionary.map.account = account;
}

void chunk_free(struct chunk *c)
{
    buf_free(&c->stored);
    buf_free(&c->pages);
    buf_free(&c->bytes_bounds);
    dictionary_free(&c->dictionary);
}

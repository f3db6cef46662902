/* SPDX-License-Identifier: MIT */
#include "parquet/read/column.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/assert.h"

uint64_t parquet_chunk_start(const struct parquet_column_chunk *chunk)
{
    int64_t dictionary = chunk->dictionary_page_offset;
    int64_t data = chunk->data_page_offset; /* 0 if there are no data pages */
    bool has_dictionary = dictionary > 0 && (dictionary < data || data == 0);
    return (uint64_t)(has_dictionary ? dictionary : data);
}

/* Memory of pages is booked where the codec's is; what is held already stays where it was. */
static void book(struct parquet_column_reader *c)
{
    struct buf *bufs[] = {&c->body_memory, &c->pages.window, &c->dictionary.body,
                          &c->values.scratch, &c->values.previous};
    for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
        if (bufs[i]->data == NULL)
            bufs[i]->account = parquet_codec_account(c->codec);
}

int parquet_column_begin(struct parquet_column_reader *c, const struct parquet_file *file,
                         uint32_t row_group, uint32_t column, struct parquet_codec *codec,
                         struct err *err)
{
    c->chunk = &file->metadata.row_groups[row_group].columns[column];
    c->leaf = &file->leaves[column];
    c->codec = codec;
    book(c);
    c->has_dictionary = false;
    c->left = 0;
    if (c->leaf->unsupported != NULL)
        return err_set(err, ERR_UNSUPPORTED, "the column %s, which is unsupported",
                       c->leaf->unsupported);
    if (c->chunk->type != c->leaf->type.type)
        return err_set(err, ERR_FORMAT, "the column has a different type here than in the schema");
    uint64_t start = parquet_chunk_start(c->chunk);
    uint64_t size = (uint64_t)c->chunk->total_compressed_size;
    /* A row group without rows may have chunks without pages, which are nowhere. */
    if (size > 0 && (start < PARQUET_MAGIC_LEN || start > file->footer_offset ||
                     size > file->footer_offset - start))
        return err_set(err, ERR_FORMAT,
                       "%" PRIu64 " bytes at %" PRIu64 " are not all in front of the footer", size,
                       start);
    parquet_pages_begin(&c->pages, &file->source, start, start + size);
    return 0;
}

int parquet_column_next_page(struct parquet_column_reader *c, struct err *err)
{
    c->left = 0;
    return parquet_pages_next(&c->pages, &c->page, err);
}

int parquet_column_pass(struct parquet_column_reader *c, uint64_t *rows, struct err *err)
{
    int more = 0;
    ASSERT(c->leaf->repetition == 0 && c->left == 0);
    while (*rows > 0 && (more = parquet_pages_peek(&c->pages, &c->page, err)) == 1) {
        uint64_t count = parquet_page_values(&c->page);
        if (count == 0 || count > *rows)
            return 0;
        parquet_pages_pass(&c->pages, &c->page);
        *rows -= count;
    }
    return more < 0 ? -1 : 0;
}

static int open_dictionary(struct parquet_column_reader *c, struct err *err)
{
    const struct parquet_page_header *h = &c->page.header;
    if (c->has_dictionary || c->page.offset != parquet_chunk_start(c->chunk))
        return err_set(err, ERR_FORMAT, "a dictionary page that is not the first page");
    if (h->encoding != PARQUET_ENCODING_PLAIN && h->encoding != PARQUET_ENCODING_PLAIN_DICTIONARY)
        return err_set(err, ERR_UNSUPPORTED, "a dictionary in encoding number %d",
                       (int)h->encoding);
    /* The entries outlive the page. */
    buf_reset(&c->dictionary.body);
    buf_append_slice(&c->dictionary.body, c->body);
    if (parquet_dictionary_fill(&c->dictionary, c->leaf->type, (uint32_t)h->num_values, err) != 0)
        return -1;
    c->has_dictionary = true;
    return 0;
}

/* The parts of the body of a data page; levels are empty where the leaf can't have them. */
struct parts {
    struct slice repetitions, definitions, values;
};

/* Take the first `len` bytes of `rest`. */
static int take(struct slice *rest, size_t len, struct slice *part, struct err *err)
{
    if (len > rest->len)
        return err_set(err, ERR_FORMAT, "the levels are longer than the page");
    *part = (struct slice){rest->data, len};
    if (len > 0)
        *rest = (struct slice){rest->data + len, rest->len - len};
    return 0;
}

/* Levels of a version 1 page, which have their length in front. */
static int take_counted(struct slice *rest, enum parquet_encoding encoding, struct slice *part,
                        struct err *err)
{
    struct slice len = {0};
    if (encoding != PARQUET_ENCODING_RLE)
        return err_set(err, ERR_UNSUPPORTED, "levels in encoding number %d", (int)encoding);
    if (rest->len < 4)
        return err_set(err, ERR_FORMAT, "the page ends before its levels");
    if (take(rest, 4, &len, err) != 0)
        return -1;
    return take(rest, load_u32le(len.data), part, err);
}

static int split(const struct parquet_column_reader *c, struct parts *parts, struct err *err)
{
    const struct parquet_page_header *h = &c->page.header;
    const struct parquet_leaf *leaf = c->leaf;
    struct slice rest = c->body;
    *parts = (struct parts){0};
    if (h->type == PARQUET_PAGE_DATA_V2) {
        size_t repetitions = (size_t)h->repetition_levels_byte_length;
        size_t definitions = (size_t)h->definition_levels_byte_length;
        if ((repetitions != 0 && leaf->repetition == 0) ||
            (definitions != 0 && leaf->definition == 0))
            return err_set(err, ERR_FORMAT, "levels in a column that can't have them");
        if (take(&rest, repetitions, &parts->repetitions, err) != 0 ||
            take(&rest, definitions, &parts->definitions, err) != 0)
            return -1;
    } else {
        if (leaf->repetition > 0 &&
            take_counted(&rest, h->repetition_level_encoding, &parts->repetitions, err) != 0)
            return -1;
        if (leaf->definition > 0 &&
            take_counted(&rest, h->definition_level_encoding, &parts->definitions, err) != 0)
            return -1;
    }
    parts->values = rest;
    return 0;
}

/* Bits of a level. */
static unsigned level_width(unsigned most)
{
    return most == 0 ? 0 : 32 - (unsigned)__builtin_clz(most);
}

/* The next `count` levels, none above `most`. */
static int read_levels(struct rle_reader *runs, unsigned most, const char *kind, uint32_t *levels,
                       uint32_t count, struct err *err)
{
    if (most == 0)
        return 0;
    if (rle_read(runs, levels, count, err) != 0)
        return err_prefix(err, "%s levels", kind);
    for (uint32_t i = 0; i < count; i++)
        if (levels[i] > most)
            return err_set(err, ERR_FORMAT, "a %s level of %u in a column of %u", kind, levels[i],
                           most);
    return 0;
}

/* Count the nulls and rows of the page: how many values there are must be known before the first
 * one. */
static int count_levels(struct parquet_column_reader *c, const struct parts *parts, struct err *err)
{
    uint32_t left = (uint32_t)c->page.header.num_values;
    unsigned definition = c->leaf->definition, repetition = c->leaf->repetition;
    c->nulls = 0;
    c->rows = repetition == 0 ? left : 0;
    rle_reader_init(&c->definition_runs, parts->definitions, level_width(definition));
    rle_reader_init(&c->repetition_runs, parts->repetitions, level_width(repetition));
    if (definition == 0) /* then there is no repetition either */
        return 0;
    struct rle_reader definitions = c->definition_runs, repetitions = c->repetition_runs;
    while (left > 0) {
        uint32_t n = left < PARQUET_READ_ROWS ? left : PARQUET_READ_ROWS;
        if (read_levels(&definitions, definition, "definition", c->definition_levels, n, err) !=
                0 ||
            read_levels(&repetitions, repetition, "repetition", c->repetition_levels, n, err) != 0)
            return -1;
        for (uint32_t i = 0; i < n; i++)
            c->nulls += c->definition_levels[i] < definition;
        for (uint32_t i = 0; repetition > 0 && i < n; i++)
            c->rows += c->repetition_levels[i] == 0;
        left -= n;
    }
    if (!rle_reader_done(&definitions) || !rle_reader_done(&repetitions))
        return err_set(err, ERR_FORMAT, "there are more levels than values");
    return 0;
}

static void check_end(struct parquet_column_reader *c)
{
    c->leftover = c->left == 0 && !values_reader_done(&c->values);
}

static int open_data(struct parquet_column_reader *c, struct err *err)
{
    const struct parquet_page_header *h = &c->page.header;
    struct parts parts;
    if (h->num_values > PARQUET_PAGE_ROWS_MAX)
        return err_set(err, ERR_LIMIT, "a page of %d values; varve reads up to %d", h->num_values,
                       (int)PARQUET_PAGE_ROWS_MAX);
    if (split(c, &parts, err) != 0 || count_levels(c, &parts, err) != 0)
        return -1;
    if (h->type == PARQUET_PAGE_DATA_V2 && (uint32_t)h->num_rows != c->rows)
        return err_set(err, ERR_FORMAT, "the header says %d rows, the levels %u", h->num_rows,
                       c->rows);
    if (h->type == PARQUET_PAGE_DATA_V2 && (uint32_t)h->num_nulls != c->nulls)
        return err_set(err, ERR_FORMAT, "the header says %d nulls, the levels %u", h->num_nulls,
                       c->nulls);
    if (values_reader_init(&c->values, h->encoding, c->leaf->type, parts.values,
                           (uint32_t)h->num_values - c->nulls,
                           c->has_dictionary ? &c->dictionary : NULL, err) != 0)
        return -1;
    c->levels_at = c->levels_len = 0;
    c->left = (uint32_t)h->num_values;
    check_end(c);
    return 0;
}

int parquet_column_open_page(struct parquet_column_reader *c, struct err *err)
{
    c->left = 0;
    c->leftover = false;
    if (parquet_page_check_crc(&c->page, err) != 0 ||
        parquet_page_body(&c->page, c->chunk->codec, c->codec, &c->body_memory, &c->body, err) != 0)
        return -1;
    switch (c->page.header.type) {
    case PARQUET_PAGE_DICTIONARY:
        return open_dictionary(c, err);
    case PARQUET_PAGE_DATA:
    case PARQUET_PAGE_DATA_V2:
        return open_data(c, err);
    case PARQUET_PAGE_INDEX:
        break;
    }
    return err_set(err, ERR_UNSUPPORTED, "a page of type %d, which varve does not know",
                   (int)c->page.header.type);
}

static int refill_levels(struct parquet_column_reader *c, struct err *err)
{
    uint32_t n = c->left < PARQUET_READ_ROWS ? c->left : PARQUET_READ_ROWS;
    c->levels_at = 0;
    c->levels_len = n;
    if (read_levels(&c->definition_runs, c->leaf->definition, "definition", c->definition_levels, n,
                    err) != 0)
        return -1;
    return read_levels(&c->repetition_runs, c->leaf->repetition, "repetition", c->repetition_levels,
                       n, err);
}

static int read_leveled(struct parquet_column_reader *c, struct slice *entries, uint32_t max,
                        uint32_t *count, struct err *err)
{
    size_t wanted = 0, got = 0;
    uint32_t present = c->leaf->definition;
    if (c->levels_at == c->levels_len && refill_levels(c, err) != 0)
        return -1;
    const uint32_t *levels = c->definition_levels + c->levels_at;
    uint32_t n = c->levels_len - c->levels_at;
    if (n > max)
        n = max;
    for (uint32_t i = 0; i < n; i++)
        wanted += levels[i] == present;
    if (values_read(&c->values, entries, wanted, &got, err) != 0)
        return -1;
    while (wanted > got)
        wanted -= levels[--n] == present;
    /* From the end, so that no value is overwritten before it has moved. */
    for (uint32_t i = n; i-- > 0 && got <= i;)
        entries[i] = levels[i] == present ? entries[--got] : (struct slice){0};
    c->definitions = levels;
    if (c->leaf->repetition > 0)
        c->repetitions = c->repetition_levels + c->levels_at;
    c->levels_at += n;
    *count = n;
    return 0;
}

int parquet_column_read(struct parquet_column_reader *c, struct slice *entries, uint32_t max,
                        uint32_t *count, struct err *err)
{
    size_t got = 0;
    ASSERT(max <= PARQUET_READ_ROWS);
    *count = 0;
    c->definitions = c->repetitions = NULL;
    if (max > c->left)
        max = c->left;
    if (max == 0)
        return 0;
    if (c->leaf->definition > 0) {
        if (read_leveled(c, entries, max, count, err) != 0)
            return -1;
    } else {
        if (values_read(&c->values, entries, max, &got, err) != 0)
            return -1;
        *count = (uint32_t)got;
    }
    c->left -= *count;
    check_end(c);
    return 0;
}

void parquet_column_free(struct parquet_column_reader *c)
{
    parquet_pages_free(&c->pages);
    buf_free(&c->body_memory);
    parquet_dictionary_free(&c->dictionary);
    values_reader_free(&c->values);
    *c = (struct parquet_column_reader){0};
}

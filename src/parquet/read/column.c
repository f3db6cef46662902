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

int parquet_column_begin(struct parquet_column_reader *c, const struct parquet_file *file,
                         uint32_t row_group, uint32_t column, struct parquet_codec *codec,
                         struct err *err)
{
    c->chunk = &file->metadata.row_groups[row_group].columns[column];
    c->leaf = &file->leaves[column];
    c->codec = codec;
    c->has_dictionary = false;
    c->left = 0;
    if (c->leaf->unsupported != NULL)
        return err_set(err, ERR_UNSUPPORTED, "the column %s, which is unsupported",
                       c->leaf->unsupported);
    if (c->chunk->type != c->leaf->type.type)
        return err_set(err, ERR_FORMAT, "the column has another type here than in the schema");
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

/* Split the levels off the body of a data page; *levels is empty for a required column. */
static int split(const struct parquet_column_reader *c, struct slice *levels, struct slice *values,
                 struct err *err)
{
    const struct parquet_page_header *h = &c->page.header;
    struct slice body = c->body;
    size_t len = 0;
    if (h->type == PARQUET_PAGE_DATA_V2) {
        len = (size_t)h->definition_levels_byte_length;
        if (h->repetition_levels_byte_length != 0 || (len != 0 && !c->leaf->optional))
            return err_set(err, ERR_FORMAT, "levels in a column that can't have them");
        if (h->num_rows != h->num_values)
            return err_set(err, ERR_FORMAT, "%d rows with %d values in a flat column", h->num_rows,
                           h->num_values);
    } else if (c->leaf->optional) {
        if (h->definition_level_encoding != PARQUET_ENCODING_RLE)
            return err_set(err, ERR_UNSUPPORTED, "levels in encoding number %d",
                           (int)h->definition_level_encoding);
        if (body.len < 4)
            return err_set(err, ERR_FORMAT, "the page ends before its levels");
        len = load_u32le(body.data);
        body = (struct slice){body.data + 4, body.len - 4};
    }
    if (len > body.len)
        return err_set(err, ERR_FORMAT, "the levels are longer than the page");
    *levels = (struct slice){body.data, len};
    *values = len == 0 ? body : (struct slice){body.data + len, body.len - len};
    return 0;
}

/* Count the nulls of the page: how many values there are must be known before the first one. */
static int count_nulls(struct parquet_column_reader *c, struct slice levels, struct err *err)
{
    struct rle_reader counting;
    uint32_t left = (uint32_t)c->page.header.num_values;
    c->nulls = 0;
    if (!c->leaf->optional)
        return 0;
    rle_reader_init(&c->levels, levels, 1);
    counting = c->levels;
    while (left > 0) {
        uint32_t n = left < PARQUET_READ_ROWS ? left : PARQUET_READ_ROWS;
        if (rle_read(&counting, c->present, n, err) != 0)
            return err_prefix(err, "definition levels");
        for (uint32_t i = 0; i < n; i++)
            c->nulls += c->present[i] == 0;
        left -= n;
    }
    if (!rle_reader_done(&counting))
        return err_set(err, ERR_FORMAT, "there are more definition levels than values");
    return 0;
}

static int check_end(const struct parquet_column_reader *c, struct err *err)
{
    if (c->left == 0 && !values_reader_done(&c->values))
        return err_set(err, ERR_FORMAT, "bytes are left behind the last value of the page");
    return 0;
}

static int open_data(struct parquet_column_reader *c, struct err *err)
{
    const struct parquet_page_header *h = &c->page.header;
    struct slice levels = {0}, values = {0};
    if (h->num_values > PARQUET_PAGE_ROWS_MAX)
        return err_set(err, ERR_LIMIT, "a page of %d rows; varve reads up to %d", h->num_values,
                       (int)PARQUET_PAGE_ROWS_MAX);
    if (split(c, &levels, &values, err) != 0 || count_nulls(c, levels, err) != 0)
        return -1;
    if (h->type == PARQUET_PAGE_DATA_V2 && (uint32_t)h->num_nulls != c->nulls)
        return err_set(err, ERR_FORMAT, "the header says %d nulls, the levels %u", h->num_nulls,
                       c->nulls);
    if (values_reader_init(&c->values, h->encoding, c->leaf->type, values,
                           (uint32_t)h->num_values - c->nulls,
                           c->has_dictionary ? &c->dictionary : NULL, err) != 0)
        return -1;
    c->present_at = 0;
    c->present_len = 0;
    c->left = (uint32_t)h->num_values;
    return check_end(c, err);
}

int parquet_column_open_page(struct parquet_column_reader *c, struct err *err)
{
    c->left = 0;
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

static int read_required(struct parquet_column_reader *c, struct slice *rows, uint32_t max,
                         uint32_t *count, struct err *err)
{
    size_t got = 0;
    if (values_read(&c->values, rows, max, &got, err) != 0)
        return -1;
    *count = (uint32_t)got;
    return 0;
}

static int refill_levels(struct parquet_column_reader *c, struct err *err)
{
    uint32_t n = c->left < PARQUET_READ_ROWS ? c->left : PARQUET_READ_ROWS;
    c->present_at = 0;
    c->present_len = n;
    return rle_read(&c->levels, c->present, n, err);
}

static int read_optional(struct parquet_column_reader *c, struct slice *rows, uint32_t max,
                         uint32_t *count, struct err *err)
{
    size_t wanted = 0, got = 0;
    if (c->present_at == c->present_len && refill_levels(c, err) != 0)
        return -1;
    const uint32_t *present = c->present + c->present_at;
    uint32_t n = c->present_len - c->present_at;
    if (n > max)
        n = max;
    for (uint32_t i = 0; i < n; i++)
        wanted += present[i];
    if (values_read(&c->values, rows, wanted, &got, err) != 0)
        return -1;
    while (wanted > got)
        wanted -= present[--n];
    /* From the end, so that no value is overwritten before it has moved. */
    for (uint32_t i = n; i-- > 0;)
        rows[i] = present[i] != 0 ? rows[--got] : (struct slice){0};
    c->present_at += n;
    *count = n;
    return 0;
}

int parquet_column_read(struct parquet_column_reader *c, struct slice *rows, uint32_t max,
                        uint32_t *count, struct err *err)
{
    ASSERT(max <= PARQUET_READ_ROWS);
    *count = 0;
    if (max > c->left)
        max = c->left;
    if (max == 0)
        return 0;
    int result = c->leaf->optional ? read_optional(c, rows, max, count, err)
                                   : read_required(c, rows, max, count, err);
    if (result != 0)
        return -1;
    c->left -= *count;
    return check_end(c, err);
}

void parquet_column_free(struct parquet_column_reader *c)
{
    parquet_pages_free(&c->pages);
    buf_free(&c->body_memory);
    parquet_dictionary_free(&c->dictionary);
    values_reader_free(&c->values);
    *c = (struct parquet_column_reader){0};
}

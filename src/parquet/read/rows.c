/* SPDX-License-Identifier: MIT */
#include "parquet/read/rows.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "parquet/read/column.h"

struct cursor {
    struct parquet_column_reader reader;
    uint32_t column;
    struct slice rows[PARQUET_READ_ROWS]; /* decoded, of which [at, len) are still to come */
    uint32_t at, len;
};

struct parquet_rows {
    const struct parquet_file *file;
    struct parquet_codec *codec;
    uint32_t row_group; /* the next one to begin */
    int64_t left;       /* rows left in the one before */
    uint32_t count;
    struct cursor cursors[];
};

struct parquet_rows *parquet_rows_new(const struct parquet_file *file, const uint32_t *columns,
                                      uint32_t count, struct parquet_codec *codec)
{
    ASSERT(count <= PARQUET_LEAVES_MAX);
    size_t size = sizeof(struct parquet_rows) + count * sizeof(struct cursor);
    struct parquet_rows *r = calloc(1, size);
    if (r == NULL)
        out_of_memory(size);
    r->file = file;
    r->codec = codec;
    r->count = count;
    for (uint32_t i = 0; i < count; i++)
        r->cursors[i].column = columns[i];
    return r;
}

static int locate(const struct parquet_rows *r, const struct cursor *c, struct err *err)
{
    struct slice name = r->file->leaves[c->column].name;
    return err_prefix(err, "row group %u, column %.*s, page at %" PRIu64, r->row_group - 1,
                      (int)name.len, (const char *)name.data, c->reader.page.offset);
}

static int begin_row_group(struct parquet_rows *r, struct err *err)
{
    uint32_t group = r->row_group++;
    r->left = r->file->metadata.row_groups[group].num_rows;
    for (uint32_t i = 0; i < r->count; i++) {
        struct cursor *c = &r->cursors[i];
        struct slice name = r->file->leaves[c->column].name;
        c->at = c->len = 0;
        if (r->file->leaves[c->column].repetition > 0)
            return err_set(err, ERR_UNSUPPORTED, "column %.*s may have several values a row",
                           (int)name.len, (const char *)name.data);
        if (parquet_column_begin(&c->reader, r->file, group, c->column, r->codec, err) != 0) {
            return err_prefix(err, "row group %u, column %.*s", group, (int)name.len,
                              (const char *)name.data);
        }
    }
    return 0;
}

static int next_page(struct cursor *c, struct err *err)
{
    int more = parquet_column_next_page(&c->reader, err);
    if (more == 0)
        return err_set(err, ERR_FORMAT, "the column ends before its last row");
    return more < 0 ? -1 : 0;
}

static int refill(struct cursor *c, uint32_t max, struct err *err)
{
    while (c->reader.left == 0)
        if (next_page(c, err) != 0 || parquet_column_open_page(&c->reader, err) != 0)
            return -1;
    c->at = 0;
    return parquet_column_read(&c->reader, c->rows, max, &c->len, err);
}

/* How many rows are in the page that was found: 0 if it is none of data. */
static uint64_t rows_of_page(const struct cursor *c)
{
    const struct parquet_page_header *h = &c->reader.page.header;
    bool data = h->type == PARQUET_PAGE_DATA || h->type == PARQUET_PAGE_DATA_V2;
    return data ? (uint64_t)h->num_values : 0;
}

/* Pass over rows of the row group, which has as many left. */
static int skip(struct cursor *c, uint64_t count, struct err *err)
{
    while (count > 0) {
        uint64_t ready = c->len - c->at;
        if (ready > 0) {
            ready = ready < count ? ready : count;
            c->at += (uint32_t)ready;
            count -= ready;
        } else if (c->reader.left > 0) {
            if (refill(c, count < PARQUET_READ_ROWS ? (uint32_t)count : PARQUET_READ_ROWS, err) !=
                0)
                return -1;
        } else {
            if (next_page(c, err) != 0)
                return -1;
            uint64_t rows = rows_of_page(c);
            if (rows > 0 && rows <= count)
                count -= rows;
            else if (parquet_column_open_page(&c->reader, err) != 0)
                return -1;
        }
    }
    return 0;
}

int parquet_rows_skip(struct parquet_rows *r, uint64_t count, struct err *err)
{
    while (count > 0) {
        if (r->left == 0) {
            if (r->row_group == r->file->metadata.row_groups_count)
                return 0;
            uint64_t rows = (uint64_t)r->file->metadata.row_groups[r->row_group].num_rows;
            if (rows <= count) {
                r->row_group++;
                count -= rows;
                continue;
            }
            if (begin_row_group(r, err) != 0)
                return -1;
        }
        uint64_t now = count < (uint64_t)r->left ? count : (uint64_t)r->left;
        for (uint32_t i = 0; i < r->count; i++)
            if (skip(&r->cursors[i], now, err) != 0)
                return locate(r, &r->cursors[i], err);
        r->left -= (int64_t)now;
        count -= now;
    }
    return 0;
}

int parquet_rows_next(struct parquet_rows *r, struct slice *values, struct err *err)
{
    while (r->left == 0) {
        if (r->row_group == r->file->metadata.row_groups_count)
            return 0;
        if (begin_row_group(r, err) != 0)
            return -1;
    }
    for (uint32_t i = 0; i < r->count; i++) {
        struct cursor *c = &r->cursors[i];
        if (c->at == c->len && refill(c, PARQUET_READ_ROWS, err) != 0)
            return locate(r, c, err);
        values[i] = c->rows[c->at++];
    }
    r->left--;
    return 1;
}

void parquet_rows_free(struct parquet_rows *r)
{
    if (r == NULL)
        return;
    for (uint32_t i = 0; i < r->count; i++)
        parquet_column_free(&r->cursors[i].reader);
    free(r);
}

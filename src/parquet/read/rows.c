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

static int refill(struct cursor *c, struct err *err)
{
    while (c->reader.left == 0) {
        int more = parquet_column_next_page(&c->reader, err);
        if (more == 0)
            return err_set(err, ERR_FORMAT, "the column ends before its last row");
        if (more < 0 || parquet_column_open_page(&c->reader, err) != 0)
            return -1;
    }
    c->at = 0;
    return parquet_column_read(&c->reader, c->rows, PARQUET_READ_ROWS, &c->len, err);
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
        if (c->at == c->len && refill(c, err) != 0)
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

/* SPDX-License-Identifier: MIT */
#include "batch/batch.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/assert.h"

/* Of a column: there may be thousands of partitions with a row or two. */
enum { FIRST_BYTES = 64 };

struct batch *batch_new(const struct schema *schema)
{
    ASSERT(schema->count > 0 && schema->count <= SCHEMA_COLUMNS_MAX);
    size_t columns_size = schema->count * sizeof(struct column);
    struct batch *b = calloc(1, sizeof(*b));
    struct column *columns = calloc(1, columns_size);
    if (b == NULL || columns == NULL)
        out_of_memory(sizeof(*b) + columns_size);
    b->schema = schema;
    b->columns = columns;
    return b;
}

void batch_free(struct batch *b)
{
    if (b == NULL)
        return;
    for (uint32_t i = 0; i < b->schema->count; i++) {
        buf_free(&b->columns[i].values);
        buf_free(&b->columns[i].present);
    }
    free(b->columns);
    free(b);
}

void batch_reset(struct batch *b)
{
    for (uint32_t i = 0; i < b->schema->count; i++) {
        struct column *c = &b->columns[i];
        buf_reset(&c->values);
        buf_reset(&c->present);
        c->nulls = 0;
        c->rows = 0;
    }
    b->rows = 0;
    b->bytes = 0;
    b->filled = 0;
}

/* Room in one of the batch's buffers; what it takes is counted as it grows, so that asking for it
 * costs nothing. */
static inline void reserve(struct batch *b, struct buf *buffer, size_t more)
{
    if (more <= buffer->cap - buffer->len)
        return;
    size_t before = buffer->cap;
    if (before == 0 && more < FIRST_BYTES)
        buf_reserve_exact(buffer, FIRST_BYTES);
    else
        buf_reserve(buffer, more);
    b->memory += buffer->cap - before;
}

/* The column, which must be of this type and must not have a value in the unfinished row. */
static struct column *next_cell(struct batch *b, uint32_t column, enum column_type type,
                                bool present)
{
    ASSERT(column < b->schema->count && b->schema->columns[column].type == type);
    struct column *c = &b->columns[column];
    ASSERT(c->rows == b->rows);
    if (b->schema->columns[column].optional) {
        reserve(b, &c->present, 1);
        c->present.data[c->present.len++] = present;
        b->bytes++;
    }
    c->rows++;
    b->filled++;
    return c;
}

void batch_put_int64(struct batch *b, uint32_t column, int64_t value)
{
    struct column *c = next_cell(b, column, COLUMN_INT64, true);
    reserve(b, &c->values, 8);
    store_u64le(c->values.data + c->values.len, (uint64_t)value);
    c->values.len += 8;
    b->bytes += 8;
}

void batch_put_bytes(struct batch *b, uint32_t column, struct slice value)
{
    ASSERT(value.len <= BATCH_VALUE_MAX);
    struct column *c = next_cell(b, column, COLUMN_BYTES, true);
    reserve(b, &c->values, 4 + value.len);
    uint8_t *to = c->values.data + c->values.len;
    store_u32le(to, (uint32_t)value.len);
    if (value.len > 0)
        memcpy(to + 4, value.data, value.len);
    c->values.len += 4 + value.len;
    b->bytes += 4 + value.len;
}

void batch_put_null(struct batch *b, uint32_t column)
{
    ASSERT(column < b->schema->count && b->schema->columns[column].optional);
    struct column *c = next_cell(b, column, b->schema->columns[column].type, false);
    c->nulls++;
}

void batch_end_row(struct batch *b)
{
    ASSERT(b->filled == b->schema->count && b->rows < BATCH_ROWS_MAX);
    b->filled = 0;
    b->rows++;
}

uint64_t batch_memory(const struct batch *b)
{
    return sizeof(*b) + b->schema->count * sizeof(*b->columns) + b->memory;
}

/* Where each row's value begins; nulls begin where the next value does. */
static void find_starts(const struct column *c, const struct column_spec *spec, uint32_t rows,
                        size_t *starts)
{
    size_t at = 0;
    for (uint32_t row = 0; row < rows; row++) {
        starts[row] = at;
        if (spec->optional && c->present.data[row] == 0)
            continue;
        at += spec->type == COLUMN_INT64 ? 8 : 4 + (size_t)load_u32le(c->values.data + at);
    }
}

static void copy_cell(struct batch *to, const struct batch *from, uint32_t column, uint32_t row,
                      size_t start)
{
    const struct column *c = &from->columns[column];
    const struct column_spec *spec = &from->schema->columns[column];
    if (spec->optional && c->present.data[row] == 0) {
        batch_put_null(to, column);
        return;
    }
    const uint8_t *value = c->values.data + start;
    if (spec->type == COLUMN_INT64)
        batch_put_int64(to, column, (int64_t)load_u64le(value));
    else
        batch_put_bytes(to, column, (struct slice){value + 4, load_u32le(value)});
}

void batch_copy_ordered(struct batch *to, const struct batch *from, const uint32_t *order)
{
    ASSERT(to->schema == from->schema && to->filled == 0 && from->filled == 0);
    ASSERT(from->rows <= BATCH_ROWS_MAX - to->rows);
    uint32_t columns = from->schema->count;
    size_t *starts = calloc((size_t)columns * (from->rows + (size_t)1), sizeof(*starts));
    if (starts == NULL)
        out_of_memory((size_t)columns * (from->rows + (size_t)1) * sizeof(*starts));
    for (uint32_t column = 0; column < columns; column++)
        find_starts(&from->columns[column], &from->schema->columns[column], from->rows,
                    starts + (size_t)column * from->rows);
    for (uint32_t i = 0; i < from->rows; i++) {
        ASSERT(order[i] < from->rows);
        for (uint32_t column = 0; column < columns; column++)
            copy_cell(to, from, column, order[i], starts[(size_t)column * from->rows + order[i]]);
        batch_end_row(to);
    }
    free(starts);
}

/* SPDX-License-Identifier: MIT */
#include "batch/batch.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/varint.h"
#include "batch/room.h"

/* Rows on their way from one batch to another. */

/* Where a row begins in a column. */
struct row_start {
    uint32_t entry;
    size_t value;
};

/* Where each row begins, and behind them where the last one ends. */
static void find_starts(const struct batch *b, uint32_t column, struct row_start *starts)
{
    const struct column *c = &b->columns[column];
    uint32_t width = column_width(b->schema->columns[column].type);
    uint8_t level = batch_definition(b, column);
    uint32_t row = 0, entries = batch_entries(b, column);
    size_t at = 0;
    for (uint32_t i = 0; i < entries; i++) {
        if (c->repetitions.len == 0 || c->repetitions.data[i] == 0)
            starts[row++] = (struct row_start){i, at};
        if (definition_at(buf_slice(&c->definitions), i, level) < level)
            continue;
        at += width != 0 ? width : 4 + (size_t)load_u32le(c->values.data + at);
    }
    ASSERT(row == b->rows);
    starts[row] = (struct row_start){entries, at};
}

static void copy_range(struct buf *to, const struct buf *from, size_t start, size_t end)
{
    if (from->len == 0 || start == end)
        return;
    buf_append(to, from->data + start, end - start);
}

/* Of each entry that there is so far. */
static void fill_definitions(struct batch *b, uint32_t column)
{
    struct buf *definitions = &b->columns[column].definitions;
    size_t missing = batch_entries(b, column) - definitions->len;
    uint8_t *to = batch_extend(definitions, missing);
    if (missing > 0)
        memset(to, batch_definition(b, column), missing);
}

void batch_copy_ordered(struct batch *to, const struct batch *from, const uint32_t *order)
{
    ASSERT(to->schema == from->schema && to->depth == 0 && from->depth == 0);
    ASSERT(from->rows <= BATCH_ROWS_MAX - to->rows);
    struct row_start *starts = account_alloc(NULL, from->rows + (size_t)1, sizeof(*starts));
    for (uint32_t column = 0; column < from->schema->count; column++) {
        const struct column *c = &from->columns[column];
        struct column *copy = &to->columns[column];
        if (!column_is_leaf(&from->schema->columns[column]))
            continue;
        find_starts(from, column, starts);
        uint8_t level = batch_definition(from, column);
        if (c->nulls > 0)
            fill_definitions(to, column);
        for (uint32_t i = 0; i < from->rows; i++) {
            ASSERT(order[i] < from->rows);
            struct row_start start = starts[order[i]], end = starts[order[i] + 1];
            copy_range(&copy->values, &c->values, start.value, end.value);
            copy_range(&copy->repetitions, &c->repetitions, start.entry, end.entry);
            for (uint32_t at = start.entry; c->nulls > 0 && at < end.entry; at++)
                *batch_extend(&copy->definitions, 1) =
                    definition_at(buf_slice(&c->definitions), at, level);
        }
        copy->nulls += c->nulls;
    }
    to->rows += from->rows;
    to->bytes += from->bytes;
    to->row_start = to->bytes;
    account_free(NULL, starts, (from->rows + (size_t)1) * sizeof(*starts));
}

void batch_pack(const struct batch *b, struct buf *out)
{
    ASSERT(b->depth == 0);
    varint_append(out, b->rows);
    varint_append(out, b->bytes);
    for (uint32_t i = 0; i < b->schema->count; i++) {
        const struct column *c = &b->columns[i];
        varint_append(out, c->values.len);
        varint_append(out, c->definitions.len);
        varint_append(out, c->repetitions.len);
        varint_append(out, c->nulls);
        buf_append_slice(out, buf_slice(&c->values));
        buf_append_slice(out, buf_slice(&c->definitions));
        buf_append_slice(out, buf_slice(&c->repetitions));
    }
}

static uint64_t unpack_number(struct slice packed, size_t *at)
{
    uint64_t value;
    ASSERT(varint_read(packed, at, &value));
    return value;
}

static void unpack_bytes(struct buf *to, struct slice packed, size_t *at, uint64_t len)
{
    ASSERT(len <= packed.len - *at);
    buf_append(to, packed.data + *at, (size_t)len);
    *at += (size_t)len;
}

void batch_unpack(struct batch *b, struct slice packed)
{
    size_t at = 0;
    uint64_t rows = unpack_number(packed, &at);
    ASSERT(b->depth == 0 && rows <= BATCH_ROWS_MAX - b->rows);
    b->bytes += unpack_number(packed, &at);
    for (uint32_t i = 0; i < b->schema->count; i++) {
        struct column *c = &b->columns[i];
        uint64_t values = unpack_number(packed, &at);
        uint64_t definitions = unpack_number(packed, &at);
        uint64_t repetitions = unpack_number(packed, &at);
        c->nulls += (uint32_t)unpack_number(packed, &at);
        if (definitions > 0)
            fill_definitions(b, i);
        unpack_bytes(&c->values, packed, &at, values);
        unpack_bytes(&c->definitions, packed, &at, definitions);
        unpack_bytes(&c->repetitions, packed, &at, repetitions);
    }
    b->rows += (uint32_t)rows;
    ASSERT(at == packed.len);
    b->row_start = b->bytes;
}

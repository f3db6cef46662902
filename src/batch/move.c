/* SPDX-License-Identifier: MIT */
#include "batch/batch.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/varint.h"

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
    uint8_t level = b->nodes != NULL ? b->nodes[column].definition
                                     : (uint8_t)b->schema->columns[column].optional;
    uint32_t row = 0;
    size_t at = 0;
    for (uint32_t i = 0; i < c->entries; i++) {
        if (c->repetitions.len == 0 || c->repetitions.data[i] == 0)
            starts[row++] = (struct row_start){i, at};
        if (level > 0 && c->definitions.data[i] < level)
            continue;
        at += width != 0 ? width : 4 + (size_t)load_u32le(c->values.data + at);
    }
    ASSERT(row == b->rows);
    starts[row] = (struct row_start){c->entries, at};
}

static void copy_range(struct buf *to, const struct buf *from, size_t start, size_t end)
{
    if (from->len == 0 || start == end)
        return;
    buf_append(to, from->data + start, end - start);
}

void batch_copy_ordered(struct batch *to, const struct batch *from, const uint32_t *order)
{
    ASSERT(to->schema == from->schema && to->filled == 0 && from->filled == 0);
    ASSERT(to->depth == 0 && from->depth == 0);
    ASSERT(from->rows <= BATCH_ROWS_MAX - to->rows);
    struct row_start *starts = account_alloc(NULL, from->rows + (size_t)1, sizeof(*starts));
    for (uint32_t column = 0; column < from->schema->count; column++) {
        const struct column *c = &from->columns[column];
        struct column *copy = &to->columns[column];
        if (!column_is_leaf(&from->schema->columns[column]))
            continue;
        find_starts(from, column, starts);
        for (uint32_t i = 0; i < from->rows; i++) {
            ASSERT(order[i] < from->rows);
            struct row_start start = starts[order[i]], end = starts[order[i] + 1];
            copy_range(&copy->values, &c->values, start.value, end.value);
            copy_range(&copy->definitions, &c->definitions, start.entry, end.entry);
            copy_range(&copy->repetitions, &c->repetitions, start.entry, end.entry);
        }
        copy->entries += c->entries;
        copy->nulls += c->nulls;
    }
    to->rows += from->rows;
    to->bytes += from->bytes;
    to->row_start = to->bytes;
    account_free(NULL, starts, (from->rows + (size_t)1) * sizeof(*starts));
}

enum { PACKED_DEFINITIONS = 1, PACKED_REPETITIONS = 2, PACKED_FLAGS = 4 };

void batch_pack(const struct batch *b, struct buf *out)
{
    ASSERT(b->filled == 0 && b->depth == 0);
    varint_append(out, b->rows);
    varint_append(out, b->bytes);
    for (uint32_t i = 0; i < b->schema->count; i++) {
        const struct column *c = &b->columns[i];
        uint64_t flags = (c->definitions.len > 0 ? PACKED_DEFINITIONS : 0) |
                         (c->repetitions.len > 0 ? PACKED_REPETITIONS : 0);
        varint_append(out, c->values.len * PACKED_FLAGS + flags);
        varint_append(out, c->entries);
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
    ASSERT(b->filled == 0 && b->depth == 0 && rows <= BATCH_ROWS_MAX - b->rows);
    b->rows += (uint32_t)rows;
    b->bytes += unpack_number(packed, &at);
    for (uint32_t i = 0; i < b->schema->count; i++) {
        struct column *c = &b->columns[i];
        uint64_t values = unpack_number(packed, &at);
        uint64_t entries = unpack_number(packed, &at);
        c->entries += (uint32_t)entries;
        c->nulls += (uint32_t)unpack_number(packed, &at);
        unpack_bytes(&c->values, packed, &at, values / PACKED_FLAGS);
        if ((values & PACKED_DEFINITIONS) != 0)
            unpack_bytes(&c->definitions, packed, &at, entries);
        if ((values & PACKED_REPETITIONS) != 0)
            unpack_bytes(&c->repetitions, packed, &at, entries);
    }
    ASSERT(at == packed.len);
    b->row_start = b->bytes;
}

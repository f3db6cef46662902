/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "batch/room.h"

enum { NINE = 9 };

static inline void append_byte(struct buf *out, uint8_t byte)
{
    batch_reserve(out, 1);
    out->data[out->len++] = byte;
}

static void append_bytes(struct buf *out, const uint8_t *data, uint32_t len)
{
    uint8_t *to = batch_extend(out, 4 + (size_t)len);
    store_u32le(to, len);
    if (len > 0)
        memcpy(to + 4, data, len);
}

/* Big-endian, with room for a sign. */
static void append_nine(struct buf *out, uint64_t value)
{
    uint8_t bytes[NINE] = {0};
    for (size_t i = NINE - 1; i > 0; i--, value >>= 8)
        bytes[i] = (uint8_t)value;
    append_bytes(out, bytes, sizeof(bytes));
}

/* The elements of a list, of which there are some; how many. */
static uint32_t append_list(struct column *c, const struct batch_leaf *leaf,
                            const struct batch_cell *cell)
{
    uint32_t count = cell->len / leaf->width;
    memcpy(batch_extend(&c->values, cell->len), cell->data, cell->len);
    memset(batch_extend(&c->definitions, count), leaf->definition, count);
    uint8_t *repetitions = batch_extend(&c->repetitions, count);
    memset(repetitions, 1, count);
    repetitions[0] = 0;
    return count;
}

/* Bytes of a value. */
static inline uint32_t append_value(struct column *c, const struct batch_leaf *leaf,
                                    const struct batch_cell *cell)
{
    switch (leaf->form) {
    case BATCH_FORM_1:
        append_byte(&c->values, (uint8_t)cell->bits);
        return 1;
    case BATCH_FORM_4:
        store_u32le(batch_extend(&c->values, 4), (uint32_t)cell->bits);
        return 4;
    case BATCH_FORM_8:
        store_u64le(batch_extend(&c->values, 8), cell->bits);
        return 8;
    case BATCH_FORM_9:
        append_nine(&c->values, cell->bits);
        return 4 + NINE;
    case BATCH_FORM_BYTES:
        append_bytes(&c->values, cell->data, cell->len);
        return 4 + cell->len;
    case BATCH_FORM_LIST:
        break;
    }
    ASSERT(false);
    return 0;
}

void batch_put_cells(struct batch *b, uint32_t first, const struct batch_leaves *leaves,
                     const struct batch_cell *cells)
{
    uint64_t bytes = 0, entries = 0;
    batch_give(b, first, leaves->roots, leaves->root_count);
    for (uint32_t i = 0; i < leaves->count; i++) {
        const struct batch_leaf *leaf = &leaves->list[i];
        const struct batch_cell *cell = &cells[i];
        struct column *c = &b->columns[first + leaf->column];
        bool is_null = cell->definition < leaf->definition;
        uint32_t count = 1;
        if (leaf->form == BATCH_FORM_LIST && !is_null) {
            count = append_list(c, leaf, cell);
            bytes += cell->len + 2 * (uint64_t)count;
        } else {
            append_byte(&c->definitions, cell->definition);
            bytes++;
            if (leaf->form == BATCH_FORM_LIST) {
                append_byte(&c->repetitions, 0);
                bytes++;
            }
            if (is_null)
                c->nulls++;
            else
                bytes += append_value(c, leaf, cell);
        }
        c->entries += count;
        entries += count;
    }
    b->bytes += bytes;
    if (b->nodes != NULL)
        b->row_entries += entries;
}

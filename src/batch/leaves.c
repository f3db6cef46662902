/* SPDX-License-Identifier: MIT */
#include "batch/leaves.h"

#include "base/assert.h"

/* Rows that get room at once: as many as need no more than a column has first, and of a batch with
 * many rows so great a part of it. */
enum { ROOM_ROWS = 8, ROOM_PART = 8 };

void batch_make_room(struct batch *b)
{
    uint32_t rows = b->rows / ROOM_PART < ROOM_ROWS ? ROOM_ROWS : b->rows / ROOM_PART;
    for (uint32_t i = 0; i < b->schema->count; i++) {
        struct column *c = &b->columns[i];
        if (!column_is_leaf(&b->schema->columns[i]) ||
            (b->nodes != NULL && b->nodes[i].repetition > 0))
            continue;
        batch_reserve(&c->values, (size_t)rows * column_width(b->schema->columns[i].type));
    }
    b->room_rows = b->rows + rows;
}

uint64_t batch_leaves_bytes(const struct batch_leaves *leaves)
{
    uint64_t bytes = 0;
    for (const struct batch_leaf *leaf = leaves->list; leaf < leaves->list + leaves->count; leaf++)
        bytes += 1 + (uint64_t)leaf->is_list + leaf_least(leaf);
    return bytes;
}

void batch_end_leaves(struct batch *b, uint32_t first, const struct batch_leaves *leaves)
{
    batch_give(b, first, leaves->roots, leaves->root_count);
    b->bytes += leaves->bytes;
    if (b->nodes != NULL)
        b->row_entries += leaves->count;
}

uint32_t leaf_put_text(struct batch *b, struct column *c, struct slice text)
{
    uint8_t *to = batch_extend(&c->values, 4 + text.len);
    store_u32le(to, (uint32_t)text.len);
    if (text.len >= 8 && text.len <= 16) { /* most names: without a call */
        uint64_t head = load_u64le(text.data), tail = load_u64le(text.data + text.len - 8);
        store_u64le(to + 4, head);
        store_u64le(to + text.len - 4, tail);
    } else if (text.len > 16) {
        memcpy(to + 4, text.data, text.len);
    } else if (text.len >= 4) {
        uint32_t head = load_u32le(text.data), tail = load_u32le(text.data + text.len - 4);
        store_u32le(to + 4, head);
        store_u32le(to + text.len, tail);
    } else if (text.len > 0) {
        to[4] = text.data[0];
        to[4 + text.len / 2] = text.data[text.len / 2];
        to[3 + text.len] = text.data[text.len - 1];
    }
    b->bytes += text.len;
    return 4 + (uint32_t)text.len;
}

uint32_t leaf_put_nine(struct batch *b, struct column *c, uint64_t value)
{
    uint8_t *to = batch_extend(&c->values, 4 + LEAF_NINE);
    store_u32le(to, LEAF_NINE);
    to[4] = 0;
    store_u64le(to + 5, __builtin_bswap64(value));
    b->bytes += LEAF_NINE;
    return 4 + LEAF_NINE;
}

void leaf_put_list(struct batch *b, struct column *c, const struct batch_leaf *leaf,
                   struct slice elements)
{
    const uint64_t eight = UINT64_C(0x0101010101010101);
    uint32_t count = (uint32_t)elements.len / leaf->width;
    memcpy(batch_extend(&c->values, elements.len), elements.data, elements.len);
    batch_reserve(&c->repetitions, (size_t)count + 7); /* so much more is room, not content */
    uint8_t *to = c->repetitions.data + c->repetitions.len;
    for (uint32_t i = 0; i < count; i += 8)
        store_u64le(to + i, eight);
    to[0] = 0;
    c->repetitions.len += count;
    b->row_entries += count - 1;
    b->bytes += elements.len - leaf->width + 2 * (uint64_t)(count - 1);
}

/* What one leaf has put into the unfinished row. */
static void drop(struct batch *b, struct column *c, const struct batch_leaf *leaf, uint32_t added)
{
    size_t entries = leaf->is_list ? c->repetitions.len : b->rows + (size_t)1;
    bool is_null = c->definitions.len == entries; /* no value of this row has a level */
    if (leaf->is_list) {
        uint32_t elements = is_null ? 1 : added / leaf->width;
        ASSERT(entries >= elements);
        c->repetitions.len -= elements;
        b->row_entries -= elements - 1;
    }
    if (is_null) {
        c->definitions.len--;
        c->nulls--;
    } else {
        c->values.len -= leaf->is_list || leaf->width == LEAF_TEXT ? added : leaf->width;
    }
}

void batch_drop_leaves(struct batch *b, uint32_t first, const struct batch_leaves *leaves,
                       uint32_t count, uint64_t bytes)
{
    ASSERT(count <= leaves->count);
    for (uint32_t i = 0; i < count; i++) {
        const struct batch_leaf *leaf = &leaves->list[i];
        drop(b, &b->columns[first + leaf->column], leaf, leaves->added[i]);
    }
    b->bytes = bytes;
}

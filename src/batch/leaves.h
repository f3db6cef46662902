/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BATCH_LEAVES_H
#define VARVE_BATCH_LEAVES_H

#include "base/bytes.h"
#include "batch/room.h"

/*
 * Many columns of a row at once, each written where it lies as it is read: what comes from one
 * message takes a fraction of the steps that way. A leaf is a column of values that can be null
 * which lies in structs, or is the element of a list which does, never of one within another.
 *
 * A row is made by batch_begin_leaves, one leaf_put_* for each leaf, in their order, and
 * batch_end_leaves; or taken back by batch_drop_leaves, however many were put. Bytes of the batch
 * are counted by what differs from a row whose values are all there, without a byte of text and
 * with one element a list.
 */
struct batch_leaf {
    uint32_t column;    /* counts from `first` on, as all of them do */
    uint8_t definition; /* of a value, see schema_node */
    uint8_t width;      /* of a value or an element: 1, 4, 8; LEAF_TEXT of byte strings */
    bool is_list;
};

enum { LEAF_TEXT = 0, LEAF_NINE = 9 };

/* Leaves: all of those that are in some columns of the row, its roots. */
struct batch_leaves {
    const struct batch_leaf *list;
    uint32_t *added; /* by leaf, of byte strings and lists: bytes that this row has put */
    uint32_t count;
    const uint32_t *roots; /* the columns of the row, likewise from `first` on */
    uint32_t root_count;
    uint64_t bytes; /* of such a row, batch_leaves_bytes */
};

/* What the levels, lengths, and values of fixed width of a row take. */
uint64_t batch_leaves_bytes(const struct batch_leaves *leaves);

/* That the row has room for all that is not in lists, of fixed width: what is put there asks no
 * more. That is found out for several rows at once. */
static inline void batch_begin_leaves(struct batch *b)
{
    if (b->rows >= b->room_rows)
        batch_make_room(b);
}

/* All leaves have been put: the roots have got their values. */
void batch_end_leaves(struct batch *b, uint32_t first, const struct batch_leaves *leaves);

/* Take back what was put of the first `count` leaves; `bytes` is what the batch had before. */
void batch_drop_leaves(struct batch *b, uint32_t first, const struct batch_leaves *leaves,
                       uint32_t count, uint64_t bytes);

/* Bytes of a value in such a row. */
static inline uint32_t leaf_least(const struct batch_leaf *leaf)
{
    return leaf->width == LEAF_TEXT ? 4 : leaf->width;
}

/* Outside of lists. */
static inline void leaf_put_1(struct column *c, uint8_t value)
{
    c->values.data[c->values.len++] = value;
}

static inline void leaf_put_4(struct column *c, uint32_t value)
{
    store_u32le(c->values.data + c->values.len, value);
    c->values.len += 4;
}

static inline void leaf_put_8(struct column *c, uint64_t value)
{
    store_u64le(c->values.data + c->values.len, value);
    c->values.len += 8;
}

/* A byte string; the bytes that it takes. And one of a decimal (see payload.h): big-endian, with
 * room for a sign. */
uint32_t leaf_put_text(struct batch *b, struct column *c, struct slice text);
uint32_t leaf_put_nine(struct batch *b, struct column *c, uint64_t value);

/* All elements of a list, some, PLAIN. */
void leaf_put_list(struct batch *b, struct column *c, const struct batch_leaf *leaf,
                   struct slice elements);

/* A null, by this level; or a list that is empty or not there. */
static inline void leaf_put_null(struct batch *b, struct column *c, const struct batch_leaf *leaf,
                                 uint8_t definition)
{
    uint32_t entry = b->rows;
    if (leaf->is_list) {
        entry = (uint32_t)c->repetitions.len;
        *batch_extend(&c->repetitions, 1) = 0;
    }
    batch_append_null(c, leaf->definition, entry, definition);
    b->bytes -= leaf_least(leaf);
}

#endif

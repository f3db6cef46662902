/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BATCH_ROOM_H
#define VARVE_BATCH_ROOM_H

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "batch/batch.h"

/* What the files of batch/ share: room in one of a batch's buffers. */
enum { BATCH_FIRST_BYTES = 64 }; /* of a column: there may be thousands of partitions with a row */

static inline void batch_reserve(struct buf *buffer, size_t more)
{
    if (more <= buffer->cap - buffer->len)
        return;
    if (buffer->cap == 0 && more <= BATCH_FIRST_BYTES)
        buf_reserve_exact(buffer, BATCH_FIRST_BYTES);
    else
        buf_reserve(buffer, more);
}

/* The same, and where the `more` bytes begin, which are content now. */
static inline uint8_t *batch_extend(struct buf *buffer, size_t more)
{
    batch_reserve(buffer, more);
    uint8_t *at = buffer->data + buffer->len;
    buffer->len += more;
    return at;
}

/* A byte string, PLAIN. */
static inline void batch_append_bytes(struct buf *values, const uint8_t *data, size_t len)
{
    uint8_t *to = batch_extend(values, 4 + len);
    store_u32le(to, (uint32_t)len);
    if (len > 0)
        memcpy(to + 4, data, len);
}

/* The level of a null, which is the newest entry, behind those of entries that have none yet: they
 * are values. Eight are written at once, so that a few more bytes are room, and not content. */
static inline void batch_append_null(struct column *c, uint8_t value, uint32_t entry,
                                     uint8_t definition)
{
    size_t missing = entry - c->definitions.len, at = 0;
    ASSERT(c->definitions.len <= entry);
    batch_reserve(&c->definitions, missing + 8);
    uint8_t *to = c->definitions.data + c->definitions.len;
    do
        store_u64le(to + at, UINT64_C(0x0101010101010101) * value);
    while ((at += 8) < missing);
    to[missing] = definition;
    c->definitions.len += missing + 1;
    c->nulls++;
}

/* Let the columns outside of lists have room for the values of fixed width that some rows more
 * have, until `room_rows` there are. */
void batch_make_room(struct batch *b);

/* Note that the row, of which no group is open but itself, gets these columns of its own, which
 * count from `first` on; they are borrowed until it ends. */
void batch_give(struct batch *b, uint32_t first, const uint32_t *columns, uint32_t count);

#endif

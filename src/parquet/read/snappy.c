/* SPDX-License-Identifier: MIT */
#include "parquet/read/page.h"

#include <string.h>

#include "base/varint.h"

/* The kinds of elements: the low two bits of their first byte. */
enum { LITERAL, COPY_1, COPY_2, COPY_4 };

enum {
    LENGTH_1 = 60, /* a literal of this "length" has the real one in 1 byte behind, 61 in 2, ... */
    LENGTH_BYTES_MAX = 4,
};

struct block {
    struct slice in;
    size_t at; /* of the next element */
    uint8_t *out;
    size_t made, len;
};

/* A little-endian number of `bytes` bytes. */
static bool number(struct block *b, unsigned bytes, uint32_t *value)
{
    if (bytes > b->in.len - b->at)
        return false;
    *value = 0;
    for (unsigned i = 0; i < bytes; i++)
        *value |= (uint32_t)b->in.data[b->at++] << (8 * i);
    return true;
}

static bool literal(struct block *b, uint8_t tag)
{
    uint32_t less_one = tag >> 2;
    if (less_one >= LENGTH_1 && !number(b, less_one - LENGTH_1 + 1, &less_one))
        return false;
    uint64_t len = (uint64_t)less_one + 1;
    if (len > b->in.len - b->at || len > b->len - b->made)
        return false;
    memcpy(b->out + b->made, b->in.data + b->at, (size_t)len);
    b->at += (size_t)len;
    b->made += (size_t)len;
    return true;
}

/* Bytes that were made before, `offset` back; they may overlap with the copy, which then repeats.
 */
static bool copy(struct block *b, size_t len, uint32_t offset)
{
    if (offset == 0 || offset > b->made || len > b->len - b->made)
        return false;
    uint8_t *to = b->out + b->made;
    const uint8_t *from = to - offset;
    if (offset >= len)
        memcpy(to, from, len);
    else
        for (size_t i = 0; i < len; i++)
            to[i] = from[i];
    b->made += len;
    return true;
}

static bool element(struct block *b)
{
    uint8_t tag = b->in.data[b->at++];
    size_t len = (size_t)(tag >> 2) + 1;
    uint32_t offset = 0;
    switch (tag & 3) {
    case LITERAL:
        return literal(b, tag);
    case COPY_1:
        if (!number(b, 1, &offset))
            return false;
        return copy(b, (size_t)(tag >> 2 & 7) + 4, offset | (uint32_t)(tag >> 5) << 8);
    case COPY_2:
        return number(b, 2, &offset) && copy(b, len, offset);
    default: /* COPY_4; two bits have no more values */
        return number(b, LENGTH_BYTES_MAX, &offset) && copy(b, len, offset);
    }
}

int snappy_decompress(struct slice block, size_t len, struct buf *out, struct err *err)
{
    struct block b = {.in = block, .len = len};
    uint64_t announced = 0;
    if (!varint_read(block, &b.at, &announced))
        return err_set(err, ERR_FORMAT, "snappy: the block has no length");
    if (announced != len)
        return err_set(err, ERR_FORMAT, "snappy: %llu bytes where %zu were announced",
                       (unsigned long long)announced, len);
    buf_reserve(out, len > 0 ? len : 1); /* there is memory, also for none */
    b.out = out->data + out->len;
    while (b.at < block.len) {
        size_t at = b.at;
        if (!element(&b))
            return err_set(err, ERR_FORMAT, "snappy: the block is damaged at its byte %zu", at);
    }
    if (b.made != len)
        return err_set(err, ERR_FORMAT, "snappy: the block ends after %zu of %zu bytes", b.made,
                       len);
    out->len += len;
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include "parquet/write/encodings.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/varint.h"

enum {
    GROUP = 8,             /* values that are bit-packed together */
    PACKED_GROUPS_MAX = 63 /* of one run: its header is then one byte */
};

unsigned rle_width(uint32_t largest)
{
    unsigned width = 1;

    while (largest >> width != 0)
        width++;
    return width;
}

/* Values from the start of `values` on that are equal. */
static size_t run_length(const uint32_t *values, size_t count)
{
    size_t run = 1;

    while (run < count && values[run] == values[0])
        run++;
    return run;
}

void rle_encode_run(struct buf *out, uint32_t value, size_t count, unsigned width)
{
    varint_append(out, (uint64_t)count << 1);
    for (unsigned bits = 0; bits < width; bits += 8)
        buf_append_byte(out, (uint8_t)(value >> bits));
}

/* Pack GROUP values into `width` bytes. Stores up to 4 bytes more than that. */
static uint8_t *pack_group(uint8_t *to, const uint32_t *values, unsigned width)
{
    uint64_t bits = 0;
    unsigned filled = 0;

    for (unsigned i = 0; i < GROUP; i++) {
        bits |= (uint64_t)values[i] << filled;
        filled += width;
        if (filled >= 32) {
            store_u32le(to, (uint32_t)bits);
            to += 4;
            bits >>= 32;
            filled -= 32;
        }
    }
    store_u32le(to, (uint32_t)bits);
    return to + filled / 8;
}

/* A group of fewer than 8 values ends the data: readers stop at the number of values. */
static uint8_t *pack_last_group(uint8_t *to, const uint32_t *values, size_t count, unsigned width)
{
    uint32_t padded[GROUP] = {0};

    for (size_t i = 0; i < count; i++)
        padded[i] = values[i];
    return pack_group(to, padded, width);
}

/* How many of `values` to bit-pack: up to where a run of 8 begins at a group boundary, since a
 * packed run can't end within a group. */
static size_t packed_length(const uint32_t *values, size_t count)
{
    size_t at = GROUP;

    while (at < count && at < (size_t)PACKED_GROUPS_MAX * GROUP) {
        size_t left = count - at;
        if (run_length(values + at, left < GROUP ? left : GROUP) == GROUP)
            break;
        at += GROUP;
    }
    return at < count ? at : count;
}

static void append_packed(struct buf *out, const uint32_t *values, size_t count, unsigned width)
{
    size_t whole = count / GROUP, rest = count % GROUP;
    size_t groups = whole + (rest > 0);

    buf_append_byte(out, (uint8_t)(groups << 1 | 1));
    buf_reserve(out, groups * width + sizeof(uint32_t));
    uint8_t *to = out->data + out->len;
    for (size_t i = 0; i < whole; i++)
        to = pack_group(to, values + i * GROUP, width);
    if (rest > 0)
        pack_last_group(to, values + whole * GROUP, rest, width);
    out->len += groups * width;
}

void rle_encode(struct buf *out, const uint32_t *values, size_t count, unsigned width)
{
    ASSERT(width >= 1 && width <= RLE_WIDTH_MAX);
    for (size_t at = 0; at < count;) {
        size_t left = count - at;
        size_t len = run_length(values + at, left);
        if (len >= GROUP || len == left) {
            rle_encode_run(out, values[at], len, width);
        } else {
            len = packed_length(values + at, left);
            append_packed(out, values + at, len, width);
        }
        at += len;
    }
}

/* SPDX-License-Identifier: MIT */
#include "parquet/write/encodings.h"

#include <string.h>

#include "base/bytes.h"
#include "base/varint.h"

/* The sizes that all other writers use. */
enum {
    BLOCK = 128,
    MINIBLOCKS = 4,
    MINIBLOCK = BLOCK / MINIBLOCKS,
    NUMBER_MAX = 10, /* bytes of a varint */
    HEADER_MAX = 4 * NUMBER_MAX,
    BLOCK_MAX = NUMBER_MAX + MINIBLOCKS + BLOCK * 8,
    STEP = 16,       /* bytes that are copied at once */
    PREFETCH = 1024, /* bytes that walking over values asks for in advance, as in cut.c */
};

static unsigned bits_of(uint64_t value)
{
    return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
}

/* Append MINIBLOCK numbers of `width` bits, low bits first. */
static void append_packed(struct buf *out, const uint64_t *values, unsigned width)
{
    uint64_t bits = 0;
    unsigned filled = 0;

    if (width == 0) /* lengths, sequences and times often are that regular */
        return;
    buf_reserve(out, MINIBLOCK * sizeof(uint64_t));
    uint8_t *to = out->data + out->len;
    for (unsigned i = 0; i < MINIBLOCK; i++) {
        bits |= values[i] << filled;
        filled += width;
        if (filled >= 64) {
            store_u64le(to, bits);
            to += 8;
            filled -= 64;
            /* What did not fit; a shift by 64 is not defined. */
            bits = filled == 0 ? 0 : values[i] >> (width - filled);
        }
    }
    if (filled > 0)
        store_u64le(to, bits);
    out->len += MINIBLOCK * width / 8;
}

/* Differences are taken modulo 2^64, so that all pairs of values have one. */
static void append_block(struct buf *out, const uint64_t *deltas, unsigned count)
{
    uint64_t above[BLOCK] = {0};      /* the last miniblock is filled up with zeros */
    uint8_t widths[MINIBLOCKS] = {0}; /* and miniblocks that are not there have width 0, no body */
    int64_t min = INT64_MAX;

    for (unsigned i = 0; i < count; i++)
        min = (int64_t)deltas[i] < min ? (int64_t)deltas[i] : min;
    for (unsigned i = 0; i < count; i++)
        above[i] = deltas[i] - (uint64_t)min;
    for (unsigned m = 0; m < MINIBLOCKS; m++) {
        uint64_t any = 0;
        for (unsigned i = 0; i < MINIBLOCK; i++)
            any |= above[m * MINIBLOCK + i];
        widths[m] = (uint8_t)bits_of(any);
    }
    varint_append(out, zigzag_encode(min));
    buf_append(out, widths, sizeof(widths));
    for (unsigned m = 0; m < MINIBLOCKS; m++)
        append_packed(out, above + m * MINIBLOCK, widths[m]);
}

void delta_encode_int64(struct buf *out, const uint8_t *values, uint32_t count)
{
    uint64_t first = count > 0 ? load_u64le(values) : 0;
    uint64_t previous = first;

    varint_append(out, BLOCK);
    varint_append(out, MINIBLOCKS);
    varint_append(out, count);
    varint_append(out, zigzag_encode((int64_t)first));
    for (uint32_t at = 1; at < count; at += BLOCK) {
        uint64_t deltas[BLOCK];
        unsigned n = count - at < BLOCK ? count - at : BLOCK;
        for (unsigned i = 0; i < n; i++) {
            uint64_t value = load_u64le(values + (size_t)(at + i) * 8);
            deltas[i] = value - previous;
            previous = value;
        }
        append_block(out, deltas, n);
    }
}

/*
 * Put the values at `to`, where there is room for STEP bytes more, and their lengths, each as a
 * u64, at `lengths`. Returns how many bytes the values are. Most are short, so whole steps are
 * copied, and the next value goes over what was too much.
 */
static size_t part(struct slice values, uint8_t *to, uint8_t *lengths)
{
    const uint8_t *start = to;

    for (size_t at = 0; at < values.len; lengths += 8) {
        const uint8_t *from = values.data + at + 4;
        size_t len = load_u32le(values.data + at);
        store_u64le(lengths, len);
        at += 4 + len;
        __builtin_prefetch(values.data + at + PREFETCH);
        if (values.len - at >= STEP)
            for (size_t i = 0; i < len; i += STEP)
                memcpy(to + i, from + i, STEP);
        else if (len > 0)
            memcpy(to, from, len);
        to += len;
    }
    return (size_t)(to - start);
}

size_t delta_encode_bytes(struct buf *out, struct slice values, uint32_t count, struct buf *lengths)
{
    /* So the values are read once, and don't move when the size of what comes first is known. */
    size_t at = out->len + HEADER_MAX + (count / BLOCK + (size_t)1) * BLOCK_MAX;

    buf_reserve(out, at - out->len + values.len + STEP);
    buf_reset(lengths);
    buf_reserve(lengths, (size_t)count * 8);
    size_t len = part(values, out->data + at, lengths->data);
    lengths->len = (size_t)count * 8;
    delta_encode_int64(out, lengths->data, count);
    size_t gap = at - out->len;
    memmove(out->data + gap, out->data, out->len);
    out->len = at + len;
    return gap;
}

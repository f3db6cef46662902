/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_VARINT_H
#define VARVE_BASE_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Unsigned LEB128 numbers, as protobuf, Thrift and Parquet have them: seven bits a byte, low ones
 * first, the top bit of all bytes but the last one set. Signed ones are zigzag first
 * (base/bytes.h).
 */
enum { VARINT_BYTES_MAX = 10 };

static inline void varint_append(struct buf *out, uint64_t value)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    size_t len = 0;
    while (value >= 0x80) {
        bytes[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[len++] = (uint8_t)value;
    buf_append(out, bytes, len);
}

/* The length of the number at `at`, or 0 if the bytes end early or it takes more than
 * VARINT_BYTES_MAX. *value gets its low 64 bits: what is beyond is lost, as protobuf wants it. */
static inline size_t varint_decode(struct slice bytes, size_t at, uint64_t *value)
{
    size_t left = bytes.len - at;
    size_t most = left < VARINT_BYTES_MAX ? left : VARINT_BYTES_MAX;
    uint64_t result = 0;
    for (size_t i = 0; i < most; i++) {
        uint8_t byte = bytes.data[at + i];
        result |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *value = result;
            return i + 1;
        }
    }
    return 0;
}

/* Read the number at *at and move *at behind it. False, and nothing moved, if the bytes end early
 * or the number does not fit 64 bits. */
static inline bool varint_read(struct slice bytes, size_t *at, uint64_t *value)
{
    uint64_t result;
    size_t len = varint_decode(bytes, *at, &result);
    if (len == 0 || (len == VARINT_BYTES_MAX && bytes.data[*at + len - 1] > 1))
        return false;
    *at += len;
    *value = result;
    return true;
}

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_VARINT_H
#define VARVE_PARQUET_VARINT_H

#include <stdint.h>

#include "base/buf.h"

enum { VARINT_BYTES_MAX = 10 };

/* Append an unsigned LEB128 number: seven bits a byte, low ones first. */
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

#endif

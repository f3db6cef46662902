/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_BITS_H
#define VARVE_PARQUET_READ_BITS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

/* The number of `width` (0 to 64) bits that begins at bit `at` of `data`, least significant bit
 * first. The caller made sure that all of it lies inside of `data`. */
static inline uint64_t bits_read(struct slice data, uint64_t at, unsigned width)
{
    if (width == 0)
        return 0;
    size_t byte = (size_t)(at / 8);
    unsigned shift = (unsigned)(at % 8);
    uint64_t value = 0;
    if (data.len - byte >= 8) {
        value = load_u64le(data.data + byte) >> shift;
    } else {
        for (size_t i = byte; i < data.len; i++)
            value |= (uint64_t)data.data[i] << (8 * (i - byte));
        value >>= shift;
    }
    if (shift + width > 64)
        value |= (uint64_t)data.data[byte + 8] << (64 - shift);
    return width == 64 ? value : value & ((UINT64_C(1) << width) - 1);
}

#endif

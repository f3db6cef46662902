/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_VARINT_H
#define VARVE_PARQUET_READ_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Read an unsigned LEB128 number at *at and move *at behind it. False, and nothing moved, if the
 * bytes end early or the number does not fit 64 bits. */
static inline bool varint_read(struct slice bytes, size_t *at, uint64_t *value)
{
    uint64_t result = 0;
    size_t i = *at;
    for (unsigned shift = 0; shift < 64 && i < bytes.len; shift += 7) {
        uint8_t byte = bytes.data[i++];
        if (shift == 63 && byte > 1)
            return false;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *at = i;
            *value = result;
            return true;
        }
    }
    return false;
}

#endif

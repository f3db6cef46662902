/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_DELTA_H
#define VARVE_PARQUET_WRITE_DELTA_H

#include <stdint.h>

#include "base/buf.h"

/* The encodings of the optional delta profile (parquet-format Encodings.md). */

/* DELTA_BINARY_PACKED: append `count` int64 that are given in PLAIN form. */
void delta_encode_int64(struct buf *out, const uint8_t *values, uint32_t count);

/* DELTA_LENGTH_BYTE_ARRAY: append the `count` PLAIN byte strings, all lengths first. `lengths` is
 * scratch memory. */
void delta_encode_bytes(struct buf *out, struct slice values, uint32_t count, struct buf *lengths);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_ENCODINGS_H
#define VARVE_PARQUET_WRITE_ENCODINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Widest number that is written: a reader in the wild decodes wider ones wrongly and says nothing.
 */
enum { RLE_WIDTH_MAX = 24 };

/* Append `values`, each less than 1 << width, as the hybrid of runs and bit-packed groups
 * (parquet-format Encodings.md, RLE = 3), without a length in front. `width` is 1 to
 * RLE_WIDTH_MAX. */
void rle_encode(struct buf *out, const uint32_t *values, size_t count, unsigned width);

/* The same of `count` equal values, at least one, without looking at them. */
void rle_encode_run(struct buf *out, uint32_t value, size_t count, unsigned width);

/* Bits for numbers up to `largest`; at least 1, because some readers fail at width 0. */
unsigned rle_width(uint32_t largest);

/* The encodings of the optional delta profile (parquet-format Encodings.md). */

/* DELTA_BINARY_PACKED: append `count` int64 that are given in PLAIN form. */
void delta_encode_int64(struct buf *out, const uint8_t *values, uint32_t count);

/* DELTA_LENGTH_BYTE_ARRAY: append the `count` PLAIN byte strings, all lengths first. `lengths` is
 * scratch memory, and has them as u64 then. Returns how far what was in `out` has moved: from there
 * on it is what counts. */
size_t delta_encode_bytes(struct buf *out, struct slice values, uint32_t count,
                          struct buf *lengths);

#endif

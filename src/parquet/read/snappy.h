/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_SNAPPY_H
#define VARVE_PARQUET_READ_SNAPPY_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Snappy (google/snappy, format_description.txt), as Parquet has it: one raw block, without frames.
 * Only to read what others wrote; varve writes zstd. */
enum {
    /* No block makes more than this many bytes out of one: a copy of 64 takes three. */
    SNAPPY_RATIO_MAX = 22,
};

/* Append exactly `len` bytes to `out` by decompressing `block`. `len` was checked by the caller.
 * The bytes are hostile: ERR_FORMAT if they hold another number of bytes or are damaged; `out` then
 * holds what it held before. */
int snappy_decompress(struct slice block, size_t len, struct buf *out, struct err *err)
    __attribute__((warn_unused_result));

#endif

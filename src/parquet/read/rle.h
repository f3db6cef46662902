/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_RLE_H
#define VARVE_PARQUET_READ_RLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * The hybrid of runs and bit-packed groups (parquet-format Encodings.md, RLE = 3), read side, over
 * hostile bytes: levels, dictionary indexes, booleans. The bytes are borrowed while reading.
 */
enum { RLE_READ_WIDTH_MAX = 32 };

struct rle_reader {
    struct slice data;
    size_t at;         /* the next run begins here */
    unsigned width;    /* bits of a value */
    uint64_t left;     /* values left in this run */
    bool packed;       /* this run is bit-packed */
    uint32_t value;    /* of a run of equal values */
    struct slice bits; /* of a bit-packed run */
    uint64_t bit;      /* of its next value */
};

/* Begin. `data` has no length in front; `width` is at most RLE_READ_WIDTH_MAX. */
void rle_reader_init(struct rle_reader *r, struct slice data, unsigned width);

/* The next `count` values. ERR_FORMAT if there are not that many, or they are damaged. */
int rle_read(struct rle_reader *r, uint32_t *values, size_t count, struct err *err)
    __attribute__((warn_unused_result));

/* True if nothing but padding is left: the last bit-packed run may be longer than its values, by
 * less than a group of 8 as the format has it, by more as DuckDB 2.0 writes it. */
bool rle_reader_done(const struct rle_reader *r);

#endif

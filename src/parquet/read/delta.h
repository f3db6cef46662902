/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_DELTA_H
#define VARVE_PARQUET_READ_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * DELTA_BINARY_PACKED (parquet-format Encodings.md, DELTA_BINARY_PACKED = 5), read side, over
 * hostile bytes. Arithmetic wraps at 64 bits; the values of an INT32 column are the low 32 bits.
 * The bytes are borrowed while reading.
 */
enum {
    /* All writers known use 128 or 256 values a block; the format sets no limit. */
    DELTA_BLOCK_VALUES_MAX = 1 << 16,
};

struct delta_reader {
    struct slice data;
    size_t at;            /* bytes consumed */
    uint32_t minis;       /* miniblocks a block */
    uint32_t mini_values; /* values a miniblock */
    uint64_t total;       /* values in all */
    uint64_t left;        /* values not read yet */
    uint64_t value;       /* the last one read; before that, the first one */
    uint64_t min_delta;   /* of this block */
    const uint8_t *widths;
    uint32_t mini;     /* number of the next miniblock in its block */
    uint32_t unread;   /* values left in this miniblock */
    unsigned width;    /* of this miniblock */
    struct slice bits; /* of this miniblock */
    uint64_t bit;      /* of its next value */
};

/* Begin. ERR_FORMAT if the header is damaged or announces other than `expected` values. */
int delta_reader_init(struct delta_reader *d, struct slice data, uint64_t expected, struct err *err)
    __attribute__((warn_unused_result));

/* The next `count` values; at most d->left. */
int delta_read(struct delta_reader *d, int64_t *values, size_t count, struct err *err)
    __attribute__((warn_unused_result));

/* How many bytes at the start of `data` such an encoding of `expected` values takes: what follows
 * begins there. */
int delta_measure(struct slice data, uint64_t expected, size_t *len, struct err *err)
    __attribute__((warn_unused_result));

#endif

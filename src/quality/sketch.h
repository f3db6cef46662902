/* SPDX-License-Identifier: MIT */
#ifndef VARVE_QUALITY_SKETCH_H
#define VARVE_QUALITY_SKETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"

/*
 * Quantiles of 64-bit integers in bounded memory: how many values there are in each of buckets that
 * are at most 1/32 wider than the values in them. A zeroed struct is empty; `blocks` may be given
 * an account.
 */
enum {
    SKETCH_BUCKETS = 32,     /* between a power of two and the next */
    SKETCH_BLOCKS_MAX = 118, /* numbered from -59 to 58 */
};

struct sketch_block {
    int32_t number;
    uint64_t counts[SKETCH_BUCKETS];
};

struct sketch {
    ARRAY(struct sketch_block) blocks; /* ascending */
    int64_t min, max;
    uint64_t count;
};

void sketch_add(struct sketch *s, int64_t value);

/* The value that so many of a hundred, 0 to 100, lie below or at: off by at most 1/64 of it, and 0
 * if there is none. */
int64_t sketch_quantile(const struct sketch *s, uint32_t percent);

void sketch_free(struct sketch *s);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_SCRATCH_H
#define VARVE_PARQUET_WRITE_SCRATCH_H

#include <stdint.h>

#include "base/buf.h"

/*
 * Buffers in which a page takes shape. They are worth sharing because a writer has one open file a
 * partition, and there may be hundreds. A zeroed struct is empty.
 */
struct parquet_scratch {
    struct buf body;    /* of the page, where it is not a part of the batch as it is */
    struct buf numbers; /* levels, as u32 */
    struct buf indexes; /* into a dictionary, as u32 */
    struct buf used;    /* which entries of the dictionary a page has */
};

/* `count` numbers, not initialised. Valid until the next call of the same name. */
uint32_t *parquet_scratch_numbers(struct parquet_scratch *scratch, uint32_t count);
uint32_t *parquet_scratch_indexes(struct parquet_scratch *scratch, uint32_t count);

/* `count` zero bytes. Valid until the next call. */
uint8_t *parquet_scratch_used(struct parquet_scratch *scratch, uint32_t count);

uint64_t parquet_scratch_memory(const struct parquet_scratch *scratch);
void parquet_scratch_free(struct parquet_scratch *scratch);

#endif

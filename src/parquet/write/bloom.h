/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_BLOOM_H
#define VARVE_PARQUET_WRITE_BLOOM_H

#include <stdint.h>

#include "base/buf.h"

/*
 * Split block bloom filters (parquet-format BloomFilter.md). Hashes are kept until the row group is
 * complete, so that the filter has the right size.
 */
enum { BLOOM_BYTES_MAX = 128 * 1024 * 1024 };

/* Append the hash of a value, as 8 bytes in memory order: XXH64 of its PLAIN form without length.
 */
void bloom_append_hash(struct buf *hashes, struct slice value);

/* Append header and bits of a filter for these hashes; about 1 % of other values pass it. */
void bloom_write(struct buf *out, const struct buf *hashes);

/* XXH64 with seed 0. */
uint64_t bloom_xxh64(struct slice data);

#endif

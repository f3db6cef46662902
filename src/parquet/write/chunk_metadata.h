/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_CHUNK_METADATA_H
#define VARVE_PARQUET_WRITE_CHUNK_METADATA_H

#include <stdint.h>

#include "base/arena.h"
#include "parquet/write/chunk.h"
#include "parquet/format.h"

/* What the footer and the page index say of a chunk that is complete. */

/* Fill in the metadata of a chunk whose first page is at `offset` and whose dictionary page is what
 * chunk_write_dictionary returned. Offsets of indexes stay 0. What it points to is
 * allocated in `arena`, belongs to the layout or is static. */
struct parquet_column_chunk chunk_describe(const struct chunk *c, uint64_t offset,
                                           const struct chunk_page *dictionary,
                                           struct arena *arena);

/* Append the OffsetIndex of a chunk whose first data page is at `offset`. */
void chunk_write_offset_index(const struct chunk *c, uint64_t offset, struct arena *arena,
                              struct buf *out);

/* Append the ColumnIndex; nothing where it would not help readers or can't be said. */
void chunk_write_column_index(const struct chunk *c, struct arena *arena, struct buf *out);

#endif

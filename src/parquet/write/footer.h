/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_FOOTER_H
#define VARVE_PARQUET_WRITE_FOOTER_H

#include <stdint.h>

#include "base/arena.h"
#include "parquet/write/chunk.h"
#include "parquet/format.h"
#include "parquet/write/layout.h"

/*
 * What a file says at its end, gathered while its row groups are written: page indexes and
 * FileMetaData. A zeroed struct is empty.
 */
struct footer {
    struct arena arena;        /* what the structs in the buffers point to */
    struct buf row_groups;     /* struct parquet_row_group */
    struct buf key_values;     /* struct parquet_key_value */
    struct buf column_indexes; /* go to the file behind the last row group, ... */
    struct buf offset_indexes; /* ... in front of what footer_write makes */
    uint64_t rows;
};

/* Add the indexes of a chunk, and say in `metadata` where they are. `scratch` is for
 * the time of the call. */
void footer_add_indexes(struct footer *f, const struct chunk *c, struct arena *scratch,
                        struct parquet_column_chunk *metadata);

/* The same for a chunk that was taken over: what is in `columns` is copied, or empty: it has none.
 */
void footer_add_copied_indexes(struct footer *f, const struct parquet_offset_index *offsets,
                               struct slice columns, struct parquet_column_chunk *metadata);

/* What `group` points to has to be allocated in the arena of the footer. */
void footer_add_row_group(struct footer *f, const struct parquet_row_group *group);

/* Both are copied. Bytes that are not UTF-8 become U+FFFD. */
void footer_add_key_value(struct footer *f, const char *key, struct slice value);

/* Append FileMetaData, its length and the magic to `out`. `offset` is where in the file the indexes
 * begin, `crc` the checksum (see checksum.h) of what is in front of them. Only once a file. */
void footer_write(struct footer *f, const struct layout *layout, uint64_t offset, uint32_t crc,
                  struct buf *out);

uint32_t footer_row_groups(const struct footer *f);

/* Book its memory there from now on; it must not hold any yet. */
void footer_set_account(struct footer *f, struct account *account);

void footer_reset(struct footer *f);
void footer_free(struct footer *f);

#endif

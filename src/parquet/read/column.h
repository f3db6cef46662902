/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_COLUMN_H
#define VARVE_PARQUET_READ_COLUMN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "parquet/read/file.h"
#include "parquet/read/page.h"
#include "parquet/read/rle.h"
#include "parquet/read/values.h"

/*
 * The entries of one column chunk, page by page. An entry is a value or a null, with the levels
 * that place it (parquet-format README, Nested Encoding); outside of lists there is one a row.
 *
 *     parquet_column_begin(c, file, row_group, column, codec, err)
 *     while (parquet_column_next_page(c, err) == 1) {
 *         parquet_column_open_page(c, err)
 *         while (c->left > 0)
 *             parquet_column_read(c, entries, max, &count, err)
 *     }
 *
 * After an error in open_page or read the walk can go on with the next page. Memory: one page as
 * stored, one as it was before compression, and a dictionary. A zeroed struct is ready for
 * parquet_column_begin; memory is kept from chunk to chunk.
 */
enum {
    /* Entries that are read at a time. */
    PARQUET_READ_ROWS = VALUES_READ_MAX,
    /* No writer makes pages of more entries: the largest row groups known have as many rows. A page
     * of 30 bytes can claim any number, and each takes a nanosecond or more. */
    PARQUET_PAGE_ROWS_MAX = 1 << 26,
};

struct parquet_column_reader {
    const struct parquet_column_chunk *chunk;
    const struct parquet_leaf *leaf;
    struct parquet_codec *codec;
    struct parquet_pages pages;
    struct parquet_page page; /* the one that next_page found */
    struct slice body;        /* of an open page, before compression */
    struct buf body_memory;
    struct parquet_dictionary dictionary;
    bool has_dictionary;
    uint32_t left;  /* entries of the open page that were not read yet */
    uint32_t nulls; /* of the open page, in all: entries without a value */
    uint32_t rows;  /* that begin in the open page */
    bool leftover;  /* all of the page was read, and bytes are left in it: some writers pad */
    struct rle_reader definition_runs, repetition_runs;
    uint32_t definition_levels[PARQUET_READ_ROWS]; /* decoded already */
    uint32_t repetition_levels[PARQUET_READ_ROWS];
    uint32_t levels_at, levels_len;
    /* Of the entries that the last read returned; NULL: 0 for all. A definition level below that of
     * the leaf says which of its groups is null. */
    const uint32_t *definitions, *repetitions;
    struct values_reader values;
};

/* Begin with a chunk. `file` and `codec` are borrowed. ERR_UNSUPPORTED if it is of a kind that
 * varve can't read, ERR_FORMAT if it can't be where the footer says. */
int parquet_column_begin(struct parquet_column_reader *c, const struct parquet_file *file,
                         uint32_t row_group, uint32_t column, struct parquet_codec *codec,
                         struct err *err) __attribute__((warn_unused_result));

/* 1 and c->page is the next page, of any type; 0 at the end of the chunk; -1 if there is no telling
 * where the next page is. */
int parquet_column_next_page(struct parquet_column_reader *c, struct err *err)
    __attribute__((warn_unused_result));

/* Pass over as many whole pages as *rows allows, which is lessened by their rows, and read of them
 * no more than their headers. For columns outside of lists, between pages. 0, or -1 as above. */
int parquet_column_pass(struct parquet_column_reader *c, uint64_t *rows, struct err *err)
    __attribute__((warn_unused_result));

/* Check and decompress the page. A dictionary is kept for the pages to come; a data page has
 * c->left entries to read, other pages none. */
int parquet_column_open_page(struct parquet_column_reader *c, struct err *err)
    __attribute__((warn_unused_result));

/* Up to `max` (at most PARQUET_READ_ROWS) of the entries that are left; *count says how many, at
 * least one if `max` is. Nulls have a NULL pointer, values have not; they and c->definitions and
 * c->repetitions are valid until the next call. With the last entry c->leftover is known. */
int parquet_column_read(struct parquet_column_reader *c, struct slice *entries, uint32_t max,
                        uint32_t *count, struct err *err) __attribute__((warn_unused_result));

void parquet_column_free(struct parquet_column_reader *c);

/* Where the first page of a chunk begins: the dictionary page, if there is one. */
uint64_t parquet_chunk_start(const struct parquet_column_chunk *chunk);

#endif

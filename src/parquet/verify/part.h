/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_VERIFY_PART_H
#define VARVE_PARQUET_VERIFY_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/array.h"
#include "parquet/read/column.h"
#include "parquet/verify/verify.h"

/* What the parts of parquet_verify share. Only for src/parquet/verify*.c. */

enum {
    /* Values that are looked at in a file, in all and for each of its bytes: a page of 30 bytes can
     * claim millions of equal ones. The most that writers are known to put into a row group of one
     * constant column is some 6,000 a byte. */
    VERIFY_VALUES_MAX = 1 << 26,
    VERIFY_VALUES_PER_BYTE = 8192,
    /* This many bytes of values count as a value more: DELTA_BYTE_ARRAY can make each value as long
     * as a page, out of nothing. */
    VERIFY_VALUE_BYTES = 16,
};

/* The least and the greatest of some values, copied. */
struct verify_range {
    bool has;
    struct buf min, max;
};

struct verify_starts {
    ARRAY(uint64_t);
};

struct verifier {
    struct parquet_verify *out;
    struct parquet_file file;
    struct parquet_column_reader reader;
    uint64_t walked; /* chunks up to here are done: none may begin before */
    uint64_t budget; /* values that may still be looked at */
    uint32_t crc;    /* of the headers of all pages so far: see checksum.h */
    bool own;        /* varve wrote it, which promises more than the format: see writer.h */

    /* Where we are, for findings. -1: nowhere in particular. */
    int64_t row_group, column, page, offset;

    /* Of the chunk at hand. */
    const struct parquet_column_chunk *chunk;
    const struct parquet_leaf *leaf;
    struct arena arena; /* its indexes */
    struct buf offset_index_bytes, column_index_bytes;
    bool has_offset_index, has_column_index;
    struct parquet_offset_index offset_index;
    struct parquet_column_index column_index;
    const struct parquet_sorting_column *sorting; /* if the rows are said to be sorted by it */
    bool wants_range;                             /* somebody stated bounds that can be checked */
    bool wants_bytes;                             /* the bytes of the values can be checked */
    bool whole;                                   /* all pages so far could be decoded */
    uint64_t rows, entries, nulls, data_pages, value_bytes, raw_bytes;
    struct verify_range range;
    struct buf last; /* of a sorted column: the value before */
    bool has_last, last_null, unsorted;

    /* Of the row group at hand: rows at which pages begin, of this column and of all so far. */
    struct verify_starts starts, common;
    size_t fewest; /* pages of the column that has the fewest */

    /* Of the page at hand. */
    uint64_t page_rows, page_entries, page_nulls, page_value_bytes;
    struct verify_range page_range;
    bool bad_text;
};

void verify_found(struct verifier *v, enum parquet_fault fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for an error of a reader; clears it. */
void verify_found_err(struct verifier *v, struct err *err);

/* True if the encoding is in the list of the chunk. */
bool verify_lists(const struct parquet_column_chunk *chunk, enum parquet_encoding encoding);

/* verify_chunk.c: all pages of the chunk at v->row_group, v->column. */
void verify_chunk(struct verifier *v);

/* verify_values.c: take note of the entries of a page; compare what was noted with what is said. */
void verify_values_begin_chunk(struct verifier *v);
void verify_values_begin_page(struct verifier *v);
void verify_values_add(struct verifier *v, const struct slice *entries, uint32_t count);
void verify_values_end_page(struct verifier *v);
void verify_values_end_chunk(struct verifier *v);

/* True if `bound` is a lower (upper) bound of the range; `exact`: must be its end. */
bool verify_bound(const struct verifier *v, struct slice bound, const struct verify_range *range,
                  bool upper, bool exact);
/* True if the bound can be compared with values: numbers must be of their width. */
bool verify_bound_fits(const struct verifier *v, struct slice bound);

/* verify_nesting.c: varve ends the pages of all columns at common rows, and some columns' pages at
 * no other rows, because readers exist that mix up rows otherwise (parquet-java issue 3747). */
void verify_nesting_begin_group(struct verifier *v);
void verify_nesting_page(struct verifier *v);
void verify_nesting_end_chunk(struct verifier *v);
void verify_nesting_end_group(struct verifier *v);
void verify_nesting_free(struct verifier *v);

/* verify_index.c: the page index of the chunk. */
void verify_index_begin_chunk(struct verifier *v);
void verify_index_page(struct verifier *v);
void verify_index_end_chunk(struct verifier *v);

#endif

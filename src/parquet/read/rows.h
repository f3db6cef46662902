/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_ROWS_H
#define VARVE_PARQUET_READ_ROWS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "parquet/codec.h"
#include "parquet/read/file.h"

/* Some columns of a file, in lock step: one row at a time, in the memory of one page a column.
 * Leaves within lists have no place in this form: see records.h, which has one for everything. */
struct parquet_rows;

/* The `count` leaves whose numbers are in `columns`, in that order; no leaf need be chosen. All is
 * borrowed until parquet_rows_free, but for `columns`. */
struct parquet_rows *parquet_rows_new(const struct parquet_file *file, const uint32_t *columns,
                                      uint32_t count, struct parquet_codec *codec);

/* The same in the memory of `r`, which is done with its file; NULL: it has none. Files of few rows
 * cost little more than that memory. */
struct parquet_rows *parquet_rows_renew(struct parquet_rows *r, const struct parquet_file *file,
                                        const uint32_t *columns, uint32_t count,
                                        struct parquet_codec *codec);

/* 1 and the next row, a slice a column: nulls have a NULL pointer, values have not and are as in
 * values_read.h; valid until the next call. 0 behind the last row. -1 with where and what. */
int parquet_rows_next(struct parquet_rows *r, struct slice *values, struct err *err)
    __attribute__((warn_unused_result));

/* Pass over the next `count` rows, of which no more than there are. Row groups and pages that lie
 * between are neither decompressed nor checked. */
int parquet_rows_skip(struct parquet_rows *r, uint64_t count, struct err *err)
    __attribute__((warn_unused_result));

/* Accepts NULL. */
void parquet_rows_free(struct parquet_rows *r);

#endif

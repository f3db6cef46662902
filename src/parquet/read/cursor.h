/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_CURSOR_H
#define VARVE_PARQUET_READ_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "parquet/read/column.h"
#include "parquet/read/file.h"

/*
 * What rows.h and records.h have in common: the rows of a file that are to be read, range by range,
 * and a cursor for each column that follows them.
 *
 *     while (walk.left > 0 || parquet_walk_next(&walk, &step)) {
 *         if (walk.left == 0)
 *             parquet_cursor_follow(c, &walk, &step, codec, err) of each column
 *         ...                                            walk.left rows with parquet_cursor_peek
 *     }
 */
struct parquet_walk {
    const struct parquet_file *file;
    uint32_t row_group; /* the next one to begin */
    uint32_t range;     /* of the one before: the next */
    uint64_t row;       /* of it: the one behind the range before */
    uint64_t left;      /* rows of that range that were not read yet; for the reader to count */
};

/* From one range to the next. */
struct parquet_step {
    bool begins;  /* in a new row group */
    uint64_t gap; /* rows to pass over */
};

/* Go to the next range once nothing is left; false: there is none. It may be empty. */
bool parquet_walk_next(struct parquet_walk *w, struct parquet_step *step);

/* Pass over the next row group, once nothing is left of the one before, if all of it is within
 * *rows, which is lessened by its rows. */
bool parquet_walk_pass(struct parquet_walk *w, uint64_t *rows);

/* A leaf, and those of its entries that are decoded already. A zeroed struct with its `leaf` set is
 * ready. */
struct parquet_cursor {
    struct parquet_column_reader reader;
    uint32_t leaf, row_group;
    const struct parquet_file *file;
    uint32_t at, len; /* of `entries`: those that are still to come */
    struct slice entries[PARQUET_READ_ROWS];
};

/* Take the step that the walk took. Pages in a gap are not even read. `ahead` as in page.h. Errors
 * say where, here and below. */
int parquet_cursor_follow(struct parquet_cursor *c, const struct parquet_walk *w,
                          const struct parquet_step *step, uint32_t ahead,
                          struct parquet_codec *codec, struct err *err)
    __attribute__((warn_unused_result));

/* Have an entry at c->at: 1, 0 if none is left in the row group, or -1. */
int parquet_cursor_peek(struct parquet_cursor *c, struct err *err)
    __attribute__((warn_unused_result));

/* Pass over the next `count` rows, of which there are as many in the row group. */
int parquet_cursor_skip(struct parquet_cursor *c, uint64_t count, struct err *err)
    __attribute__((warn_unused_result));

/* Put the place in front of an error that the caller found with an entry; -1. */
int parquet_cursor_locate(const struct parquet_cursor *c, struct err *err);

/* The same, of a column in which an entry is missing. */
int parquet_cursor_ends_early(const struct parquet_cursor *c, struct err *err);

#endif

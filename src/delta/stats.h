/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_STATS_H
#define VARVE_DELTA_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "batch/schema.h"

/* What is known of one column of a file. */
struct store_column_stats {
    uint32_t column;                 /* in the schema of the store */
    bool bounded;                    /* the bounds below are there */
    int64_t min, max;                /* of COLUMN_INT64 */
    struct slice text_min, text_max; /* of COLUMN_BYTES: the values, or texts that bound them */
    uint64_t nulls;
};

/* Longer texts are no bounds, so that entries of the log stay small. */
enum { STORE_STATS_TEXT_MAX = 128 };

/* Whether a column is of a kind that has bounds in the log: integers, times, texts. */
bool delta_stats_bound(const struct column_spec *spec);

/*
 * Append the statistics of a file as the Delta log has them, a JSON object. Columns that are not
 * numbers, times or texts have no bounds. Times have milliseconds, which readers expect: lower
 * bounds are rounded down, upper ones up. Where the bounds of a text column are not known, too long
 * or not UTF-8, or nothing is known, the file gets its number of rows and nothing else: delta-rs
 * takes a column that has bounds in other files only for one of nulls in this one. (PROTOCOL.md,
 * "Per-file Statistics".)
 */
void store_stats_write(struct buf *out, const struct schema *schema, uint64_t rows,
                       const struct store_column_stats *columns, size_t count);

#endif

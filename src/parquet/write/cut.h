/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_CUT_H
#define VARVE_PARQUET_WRITE_CUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "batch/batch.h"

/*
 * A batch as the columns of a file want it: checked, and with the places where pages end inside of
 * it.
 *
 * The end of a batch is the end of a page in each column. Columns too large for one page are cut in
 * between, all of them at the same rows. So page boundaries nest, whatever the sizes of the
 * columns: parquet-java before August 2026 may return values of other rows where they don't.
 */
struct cut {
    uint32_t row;   /* the first row of the next page */
    uint32_t entry; /* its first entry; the row again where there is one a row */
    size_t offset;  /* of the first value from there on */
};

struct cut_column {
    struct slice values;        /* PLAIN, nulls left out; a byte a boolean */
    uint32_t width;             /* bytes of a value; 0: its length stands in front of each */
    struct slice definitions;   /* as in a batch: up to the last null, or further */
    const uint8_t *repetitions; /* a byte an entry; NULL if there is one entry a row */
    uint8_t definition;         /* the level of a value; 0 if no entry can be null */
    uint8_t repetition;         /* the highest repetition level */
    uint32_t rows;
    uint32_t entries;
    uint32_t nulls;
    const struct cut *cuts; /* in order, without the two ends */
    uint32_t cuts_count;
};

/* A column of the schema that has values, and what is said of its levels. */
struct cut_leaf {
    uint32_t column;
    uint8_t definition, repetition;
};

/* A zeroed struct is empty; its array and its buffer may be given an account. */
struct cut_batch {
    ARRAY(struct cut_column) columns; /* one a leaf */
    struct buf cuts;
};

/* Look at a batch with at least one row, whose columns with values are `leaves`. `page_bytes`
 * limits the values of a page, but one row always fits. The columns are valid until the next call
 * and as long as the batch. ERR_LIMIT for a value, or a row of a column within lists, larger than
 * BATCH_VALUE_MAX. */
int cut_batch(struct cut_batch *s, const struct batch *batch, const struct cut_leaf *leaves,
              uint32_t leaves_count, uint32_t page_bytes, struct err *err)
    __attribute__((warn_unused_result));

void cut_free(struct cut_batch *s);

#endif

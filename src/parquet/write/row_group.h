/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_ROW_GROUP_H
#define VARVE_PARQUET_WRITE_ROW_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "batch/batch.h"

/*
 * A batch as the columns of a file want it: checked, converted where a column is stored in another
 * form, and with the places where pages end inside of it.
 *
 * The end of a row_group is the end of a page in each column. Columns too large for one page are
 * cut in between, all of them at the same rows. So page boundaries nest, whatever the sizes of the
 * columns: parquet-java before August 2026 may return values of other rows where they don't.
 */
struct row_group_cut {
    uint32_t row;  /* the first row of the next page */
    size_t offset; /* of its first value */
};

struct row_group_column {
    struct slice values;    /* PLAIN, nulls left out */
    uint32_t width;         /* bytes of a value; 0: its length stands in front of each */
    const uint8_t *present; /* a byte a row; NULL if no row can be null */
    uint32_t rows;
    uint32_t nulls;
    const struct row_group_cut *cuts; /* in order, without the two ends */
    uint32_t cuts_count;
};

/* A zeroed struct is empty. */
struct row_group {
    struct row_group_column *columns; /* one a column of the schema */
    struct buf uuids;
    struct buf cuts;
};

/* Look at a batch with at least one row. `page_bytes` limits the values of a page, but one value
 * always fits; the column number `uuid_column` (-1: none) becomes 16 bytes a value. The columns are
 * valid until the next call and as long as the batch. ERR_LIMIT for a value larger than
 * BATCH_VALUE_MAX, ERR_FORMAT for one of `uuid_column` that is no UUID. */
int row_group_prepare(struct row_group *s, const struct batch *batch, uint32_t page_bytes,
                      int uuid_column, struct err *err) __attribute__((warn_unused_result));

uint64_t row_group_memory(const struct row_group *s);
void row_group_free(struct row_group *s);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BATCH_BATCH_H
#define VARVE_BATCH_BATCH_H

#include "base/buf.h"
#include "batch/schema.h"

/*
 * Some rows, column by column, each column already in the form in which Parquet's PLAIN encoding
 * wants it: an int64 is 8 bytes little-endian, a byte string is a u32 little-endian length and the
 * bytes, a null is nothing. So the one copy from the socket to here is also the copy into the page.
 *
 * The batcher hands a batch to the encoder whole and takes another one; a batch belongs to one
 * thread at a time.
 */
struct column {
    struct buf values;  /* the values that are not null, PLAIN */
    struct buf present; /* optional columns: a byte a row, 1 = value, 0 = null; else empty */
    uint32_t nulls;
    uint32_t rows; /* values and nulls; batch.rows, or one more within an unfinished row */
};

struct batch {
    const struct schema *schema;
    struct column *columns; /* schema->count of them */
    uint32_t rows;          /* complete rows */
    uint64_t bytes;         /* content of all columns */
    uint64_t memory;        /* held by the columns, used or not */
    uint32_t filled;        /* columns that the unfinished row has got */
};

/*
 * Rows of a batch at most. Also the rows of a page of a small column, so that page boundaries nest
 * across columns (facts: parquet-java reads wrong rows otherwise): see parquet/writer.h.
 */
enum { BATCH_ROWS_MAX = 20480 };

/* Largest single value; a Parquet page holds at least one whole value and pages are capped. */
enum { BATCH_VALUE_MAX = 64 * 1024 * 1024 };

/* An empty batch; freed with batch_free. */
struct batch *batch_new(const struct schema *schema);
void batch_free(struct batch *b);

/* Forget the rows, keep the memory. */
void batch_reset(struct batch *b);

/*
 * A row is appended by giving each column its value or null, in any order, and ending it. Whoever
 * appends has checked the whole row before the first call: nothing here can fail, so there are no
 * half rows. batch_end_row CHECKs that each column got exactly one.
 */
void batch_put_int64(struct batch *b, uint32_t column, int64_t value);
void batch_put_bytes(struct batch *b, uint32_t column, struct slice value);
void batch_put_null(struct batch *b, uint32_t column);
void batch_end_row(struct batch *b);

/* Memory held, used or not. */
uint64_t batch_memory(const struct batch *b);

/* Append to `to` the rows of `from` in the order that `order` gives (from->rows row numbers). */
void batch_copy_ordered(struct batch *to, const struct batch *from, const uint32_t *order);

#endif

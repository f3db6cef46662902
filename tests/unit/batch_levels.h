/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_UNIT_BATCH_LEVELS_H
#define VARVE_TESTS_UNIT_BATCH_LEVELS_H

#include "batch/batch.h"
#include "test.h"

/* Definition levels of a column as a file has them: one for each entry, or none where no entry can
 * be null. They are appended to `out`. */
static inline void batch_levels(const struct batch *b, uint32_t column, struct buf *out)
{
    const struct column *c = &b->columns[column];
    uint32_t entries = c->repetitions.len > 0 ? (uint32_t)c->repetitions.len : b->rows;
    uint8_t value = batch_definition(b, column);
    EXPECT(c->definitions.len <= entries);
    for (uint32_t i = 0; i < entries && value > 0; i++)
        buf_append_byte(out, i < c->definitions.len ? c->definitions.data[i] : value);
}

/* They are these bytes. */
static inline void expect_definitions(const struct batch *b, uint32_t column, const uint8_t *levels,
                                      size_t len)
{
    struct buf got = {0};
    batch_levels(b, column, &got);
    EXPECT_BYTES(got.data, got.len, levels, len);
    buf_free(&got);
}

/* Two batches have the same entries in a column. */
static inline bool same_column(const struct batch *a, const struct batch *b, uint32_t column)
{
    const struct column *x = &a->columns[column], *y = &b->columns[column];
    struct buf levels[2] = {{0}, {0}};
    batch_levels(a, column, &levels[0]);
    batch_levels(b, column, &levels[1]);
    bool same = slice_equal(buf_slice(&x->values), buf_slice(&y->values)) &&
                slice_equal(buf_slice(&x->repetitions), buf_slice(&y->repetitions)) &&
                slice_equal(buf_slice(&levels[0]), buf_slice(&levels[1])) && x->nulls == y->nulls;
    buf_free(&levels[0]);
    buf_free(&levels[1]);
    return same;
}

#endif

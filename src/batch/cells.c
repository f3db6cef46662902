/* SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "base/bytes.h"
#include "batch/room.h"

void batch_put_row(struct batch *b, const struct batch_cell *cells)
{
    uint64_t bytes = 0;
    ASSERT(b->nodes == NULL && b->depth == 0 && b->rows < BATCH_ROWS_MAX);
    for (uint32_t i = 0; i < b->schema->count; i++) {
        const struct column_spec *spec = &b->schema->columns[i];
        const struct batch_cell *cell = &cells[i];
        struct column *c = &b->columns[i];
        bytes += spec->optional;
        if (cell->null) {
            ASSERT(spec->optional);
            batch_append_null(c, 1, b->rows, 0);
        } else if (spec->type == COLUMN_INT64) {
            store_u64le(batch_extend(&c->values, 8), cell->bits);
            bytes += 8;
        } else {
            ASSERT(spec->type == COLUMN_BYTES && cell->len <= BATCH_VALUE_MAX);
            batch_append_bytes(&c->values, cell->data, cell->len);
            bytes += 4 + (uint64_t)cell->len;
        }
    }
    b->bytes += bytes;
    b->rows++;
}

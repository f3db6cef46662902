/* SPDX-License-Identifier: MIT */
#include "parquet/verify/part.h"

#include <stdlib.h>

#include "base/assert.h"

static void add(struct verify_starts *s, uint64_t row)
{
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 64 : s->cap * 2;
        s->rows = realloc(s->rows, s->cap * sizeof(*s->rows));
        if (s->rows == NULL)
            out_of_memory(s->cap * sizeof(*s->rows));
    }
    s->rows[s->count++] = row;
}

void verify_nesting_begin_group(struct verifier *v)
{
    v->starts.count = v->common.count = 0;
    v->fewest = 0;
}

void verify_nesting_page(struct verifier *v)
{
    if (v->own)
        add(&v->starts, v->rows - v->page_rows);
}

void verify_nesting_end_chunk(struct verifier *v)
{
    size_t kept = 0, at = 0;
    if (v->column == 0) {
        struct verify_starts empty = v->common;
        v->common = v->starts;
        v->starts = empty;
        v->fewest = v->common.count;
    } else {
        for (size_t i = 0; i < v->common.count; i++) {
            while (at < v->starts.count && v->starts.rows[at] < v->common.rows[i])
                at++;
            if (at < v->starts.count && v->starts.rows[at] == v->common.rows[i])
                v->common.rows[kept++] = v->common.rows[i];
        }
        v->common.count = kept;
        if (v->starts.count < v->fewest)
            v->fewest = v->starts.count;
    }
    v->starts.count = 0;
}

void verify_nesting_end_group(struct verifier *v)
{
    if (v->common.count != v->fewest)
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "pages of its columns end at rows that do not nest");
}

void verify_nesting_free(struct verifier *v)
{
    free(v->starts.rows);
    free(v->common.rows);
}

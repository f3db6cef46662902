/* SPDX-License-Identifier: MIT */
#include "parquet/verify/part.h"

void verify_nesting_begin_group(struct verifier *v)
{
    v->starts.count = v->common.count = 0;
    v->fewest = 0;
}

void verify_nesting_page(struct verifier *v)
{
    if (v->own)
        *array_add(&v->starts) = v->rows - v->page_rows;
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
            while (at < v->starts.count && v->starts.list[at] < v->common.list[i])
                at++;
            if (at < v->starts.count && v->starts.list[at] == v->common.list[i])
                v->common.list[kept++] = v->common.list[i];
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
    array_free(&v->starts);
    array_free(&v->common);
}

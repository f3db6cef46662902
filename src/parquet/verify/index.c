/* SPDX-License-Identifier: MIT */
#include "parquet/verify/part.h"

#include <inttypes.h>

#include "parquet/read/metadata.h"

/* The bytes of an index, into `bytes`. False if there is none, or none that can be read. */
static bool load(struct verifier *v, const char *what, int64_t offset, int32_t len,
                 struct buf *bytes)
{
    struct err err = {0};
    buf_reset(bytes);
    if (offset == 0 && len == 0)
        return false;
    if ((uint64_t)offset < v->walked || (uint64_t)offset > v->file.footer_offset ||
        (uint64_t)len > v->file.footer_offset - (uint64_t)offset) {
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "the %s, %d bytes at %" PRId64 ", is not between the pages and the footer",
                     what, len, offset);
        return false;
    }
    buf_reserve_exact(bytes, (size_t)len);
    if (len > 0 && v->file.source.read(v->file.source.context, (uint64_t)offset, bytes->data,
                                       (size_t)len, &err) != 0) {
        verify_found_err(v, &err);
        return false;
    }
    bytes->len = (size_t)len;
    return true;
}

void verify_index_begin_chunk(struct verifier *v)
{
    const struct parquet_column_chunk *c = v->chunk;
    struct err err = {0};
    arena_reset(&v->arena);
    v->has_offset_index = load(v, "offset index", c->offset_index_offset, c->offset_index_length,
                               &v->offset_index_bytes);
    if (v->has_offset_index && parquet_offset_index_read(buf_slice(&v->offset_index_bytes),
                                                         &v->arena, &v->offset_index, &err) != 0) {
        verify_found_err(v, &err);
        v->has_offset_index = false;
    }
    v->has_column_index = load(v, "column index", c->column_index_offset, c->column_index_length,
                               &v->column_index_bytes);
    if (v->has_column_index && parquet_column_index_read(buf_slice(&v->column_index_bytes),
                                                         &v->arena, &v->column_index, &err) != 0) {
        verify_found_err(v, &err);
        v->has_column_index = false;
    }
}

static void check_location(struct verifier *v, uint64_t number)
{
    const struct parquet_page *page = &v->reader.page;
    const struct parquet_page_location *l = &v->offset_index.page_locations[number];
    const int64_t *bytes = v->offset_index.unencoded_byte_array_data_bytes;
    uint64_t size = page->header_len + page->stored.len;
    if ((uint64_t)l->offset != page->offset || (uint64_t)l->compressed_page_size != size)
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "the offset index has %d bytes at %" PRId64 " for this page of %" PRIu64,
                     l->compressed_page_size, l->offset, size);
    if ((uint64_t)l->first_row_index != v->rows - v->page_rows && v->whole)
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "the offset index begins this page with row %" PRId64 ", not %" PRIu64,
                     l->first_row_index, v->rows - v->page_rows);
    if (bytes != NULL && v->whole && v->wants_bytes &&
        (uint64_t)bytes[number] != v->page_value_bytes)
        verify_found(v, PARQUET_FAULT_STATISTICS,
                     "the offset index has %" PRId64 " bytes of values, there are %" PRIu64,
                     bytes[number], v->page_value_bytes);
}

static void check_bounds(struct verifier *v, uint64_t number)
{
    const struct parquet_column_index *x = &v->column_index;
    bool all_null = v->page_nulls == v->page_entries;
    if (x->null_pages[number] != all_null)
        verify_found(v, PARQUET_FAULT_STATISTICS, "the column index says that the page has %s",
                     all_null ? "values, it has only nulls" : "only nulls, it has values");
    if (x->null_counts != NULL && (uint64_t)x->null_counts[number] != v->page_nulls)
        verify_found(v, PARQUET_FAULT_STATISTICS,
                     "the column index says %" PRId64 " nulls, there are %" PRIu64,
                     x->null_counts[number], v->page_nulls);
    if (x->null_pages[number] || !v->wants_range || !v->page_range.has)
        return;
    struct slice min = x->min_values[number], max = x->max_values[number];
    if (!verify_bound_fits(v, min) || !verify_bound_fits(v, max))
        verify_found(v, PARQUET_FAULT_STATISTICS, "bounds in the column index of a wrong size");
    else if (!verify_bound(v, min, &v->page_range, false, false) ||
             !verify_bound(v, max, &v->page_range, true, false))
        verify_found(v, PARQUET_FAULT_STATISTICS,
                     "the bounds in the column index are not those of the page");
}

void verify_index_page(struct verifier *v)
{
    uint64_t number = v->data_pages - 1;
    if (v->has_offset_index && number < v->offset_index.count)
        check_location(v, number);
    if (v->has_column_index && number < v->column_index.count && v->whole)
        check_bounds(v, number);
}

/* The bounds of pages with values ascend (or descend), as the index says. */
static bool in_order(const struct verifier *v)
{
    const struct parquet_column_index *x = &v->column_index;
    bool ascending = x->boundary_order == PARQUET_BOUNDARY_ASCENDING;
    int64_t last = -1;
    for (uint32_t i = 0; i < x->count; i++) {
        if (x->null_pages[i])
            continue;
        if (!verify_bound_fits(v, x->min_values[i]) || !verify_bound_fits(v, x->max_values[i]))
            return true; /* told already */
        if (last >= 0) {
            int mins = parquet_leaf_compare(v->leaf, x->min_values[last], x->min_values[i]);
            int maxs = parquet_leaf_compare(v->leaf, x->max_values[last], x->max_values[i]);
            if (ascending ? mins > 0 || maxs > 0 : mins < 0 || maxs < 0)
                return false;
        }
        last = i;
    }
    return true;
}

void verify_index_end_chunk(struct verifier *v)
{
    if (v->has_offset_index && v->offset_index.count != v->data_pages)
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "the offset index has %u pages, there are %" PRIu64, v->offset_index.count,
                     v->data_pages);
    if (!v->has_column_index)
        return;
    if (v->column_index.count != v->data_pages)
        verify_found(v, PARQUET_FAULT_INCONSISTENT,
                     "the column index has %u pages, there are %" PRIu64, v->column_index.count,
                     v->data_pages);
    if (v->column_index.boundary_order != PARQUET_BOUNDARY_UNORDERED && v->leaf->ordered &&
        !in_order(v))
        verify_found(v, PARQUET_FAULT_STATISTICS,
                     "the column index says that its bounds are in order, and they are not");
}

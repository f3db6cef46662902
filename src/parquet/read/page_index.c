/* SPDX-License-Identifier: MIT */
#include "parquet/read/metadata.h"

#include "parquet/read/thrift.h"

/* The fewest bytes an element takes, which bounds the memory that a list may claim. */
enum {
    LEAST_BYTE = 1,
    LEAST_PAGE_LOCATION = 7, /* three fields of two bytes, and the end */
};

static const struct thrift_member LOCATION[] = {
    THRIFT_REQUIRED(1, NATURAL64, struct parquet_page_location, offset),
    THRIFT_REQUIRED(2, NATURAL, struct parquet_page_location, compressed_page_size),
    THRIFT_REQUIRED(3, NATURAL64, struct parquet_page_location, first_row_index),
};

static const int64_t *read_counts(struct thrift_reader *r, struct thrift_field *field,
                                  struct arena *arena, uint32_t *count)
{
    struct thrift_field element;
    *count = thrift_read_list(r, field, THRIFT_I64, LEAST_BYTE, &element);
    int64_t *counts = arena_calloc(arena, *count, sizeof(*counts));
    for (uint32_t i = 0; i < *count; i++)
        counts[i] = thrift_read_natural64(r, &element);
    return counts;
}

static const struct slice *read_bounds(struct thrift_reader *r, struct thrift_field *field,
                                       struct arena *arena, uint32_t *count)
{
    struct thrift_field element;
    *count = thrift_read_list(r, field, THRIFT_BINARY, LEAST_BYTE, &element);
    struct slice *bounds = arena_calloc(arena, *count, sizeof(*bounds));
    for (uint32_t i = 0; i < *count; i++)
        bounds[i] = thrift_read_binary(r, &element);
    return bounds;
}

static void read_locations(struct thrift_reader *r, struct thrift_field *field, struct arena *arena,
                           struct parquet_offset_index *index)
{
    struct thrift_field element;
    uint32_t count = thrift_read_list(r, field, THRIFT_STRUCT, LEAST_PAGE_LOCATION, &element);
    struct parquet_page_location *locations = arena_calloc(arena, count, sizeof(*locations));
    for (uint32_t i = 0; i < count && thrift_read_struct(r, &element); i++)
        thrift_read_members(r, THRIFT_MEMBERS(LOCATION), &locations[i]);
    index->page_locations = locations;
    index->count = count;
}

int parquet_offset_index_read(struct slice bytes, struct arena *arena,
                              struct parquet_offset_index *index, struct err *err)
{
    struct thrift_reader r = {.bytes = bytes};
    struct thrift_field f = {0};
    uint32_t sizes = 0;
    *index = (struct parquet_offset_index){0};
    while (thrift_read_next(&r, &f)) {
        if (f.id == 1)
            read_locations(&r, &f, arena, index);
        else if (f.id == 2)
            index->unencoded_byte_array_data_bytes =
                thrift_read_is(&r, &f, THRIFT_LIST) ? read_counts(&r, &f, arena, &sizes) : NULL;
        else
            thrift_read_skip(&r, &f);
    }
    thrift_read_require(&r, &f, THRIFT_FIELD(1));
    if (thrift_read_finish(&r, "offset index", true, err) != 0)
        return -1;
    if (index->unencoded_byte_array_data_bytes != NULL && sizes != index->count)
        return err_set(err, ERR_FORMAT, "the offset index has lists of different lengths");
    return 0;
}

int parquet_column_index_read(struct slice bytes, struct arena *arena,
                              struct parquet_column_index *index, struct err *err)
{
    struct thrift_reader r = {.bytes = bytes};
    struct thrift_field f = {0}, element;
    uint32_t mins = 0, maxs = 0, nulls = 0;
    bool *null_pages = NULL;
    *index = (struct parquet_column_index){0};
    while (thrift_read_next(&r, &f)) {
        switch (f.id) {
        case 1:
            index->count = thrift_read_list(&r, &f, THRIFT_TRUE, LEAST_BYTE, &element);
            null_pages = arena_calloc(arena, index->count, sizeof(*null_pages));
            for (uint32_t i = 0; i < index->count; i++)
                null_pages[i] = thrift_read_bool_element(&r);
            break;
        case 2:
            index->min_values = read_bounds(&r, &f, arena, &mins);
            break;
        case 3:
            index->max_values = read_bounds(&r, &f, arena, &maxs);
            break;
        case 4:
            index->boundary_order = (enum parquet_boundary_order)thrift_read_natural(&r, &f);
            break;
        case 5:
            index->null_counts =
                thrift_read_is(&r, &f, THRIFT_LIST) ? read_counts(&r, &f, arena, &nulls) : NULL;
            break;
        default:
            thrift_read_skip(&r, &f);
        }
    }
    index->null_pages = null_pages;
    thrift_read_require(&r, &f, THRIFT_FIELDS(1, 4));
    if (thrift_read_finish(&r, "column index", true, err) != 0)
        return -1;
    if (mins != index->count || maxs != index->count ||
        (index->null_counts != NULL && nulls != index->count))
        return err_set(err, ERR_FORMAT, "the column index has lists of different lengths");
    return 0;
}

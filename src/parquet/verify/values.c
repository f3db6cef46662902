/* SPDX-License-Identifier: MIT */
#include "parquet/verify/part.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/utf8.h"

static void set_bytes(struct buf *to, struct slice value)
{
    buf_reset(to);
    buf_append_slice(to, value);
}

static void range_add(struct verify_range *range, const struct parquet_leaf *leaf,
                      struct slice value)
{
    if (!range->has || parquet_leaf_compare(leaf, value, buf_slice(&range->min)) < 0)
        set_bytes(&range->min, value);
    if (!range->has || parquet_leaf_compare(leaf, value, buf_slice(&range->max)) > 0)
        set_bytes(&range->max, value);
    range->has = true;
}

/* The next rows, in the order that the row group says it has. */
static void check_sorted(struct verifier *v, const struct slice *rows, uint32_t count)
{
    struct slice before = buf_slice(&v->last);
    bool before_null = v->last_null;
    for (uint32_t i = 0; i < count; i++) {
        bool null = rows[i].data == NULL;
        if (v->has_last && !v->unsorted) {
            if (null != before_null) {
                v->unsorted = null == v->sorting->nulls_first;
            } else if (!null) {
                int order = parquet_leaf_compare(v->leaf, before, rows[i]);
                v->unsorted = v->sorting->descending ? order < 0 : order > 0;
            }
        }
        v->has_last = true;
        before = rows[i];
        before_null = null;
    }
    if (count == 0)
        return;
    v->last_null = before_null;
    set_bytes(&v->last, before);
}

void verify_values_begin_chunk(struct verifier *v)
{
    v->rows = v->entries = v->nulls = v->data_pages = v->value_bytes = v->raw_bytes = 0;
    v->range.has = v->has_last = v->unsorted = false;
    v->whole = true;
    const struct parquet_file_metadata *m = &v->file.metadata;
    const struct parquet_statistics *s = &v->chunk->statistics;
    v->wants_range = parquet_file_is_ordered(&v->file, (uint32_t)v->column) &&
                     (s->has_min || s->has_max || v->has_column_index);
    /* Arrow C++ 26 states something else for DELTA_BYTE_ARRAY. */
    v->wants_bytes = v->leaf->type.type == PARQUET_TYPE_BYTE_ARRAY &&
                     !verify_lists(v->chunk, PARQUET_ENCODING_DELTA_BYTE_ARRAY);
    const struct parquet_row_group *group = &m->row_groups[v->row_group];
    v->sorting = NULL;
    if (group->sorting_columns_count > 0 && v->leaf->ordered &&
        group->sorting_columns[0].column_idx == v->column)
        v->sorting = &group->sorting_columns[0];
}

void verify_values_begin_page(struct verifier *v)
{
    v->page_rows = v->page_entries = v->page_nulls = v->page_value_bytes = 0;
    v->page_range.has = false;
    v->bad_text = false;
}

/* Values of one page that stay where they are for a while: the least and the greatest, and some of
 * those that were looked at, which in a page of indexes are met again and again. */
enum { SEEN = 16 };
struct seen_values {
    struct slice list[SEEN];
    struct slice min, max;
};

static void look_at_value(struct verifier *v, struct seen_values *seen, struct slice value,
                          uint64_t number)
{
    struct slice *place = &seen->list[((uintptr_t)value.data >> 2) % SEEN];
    if (place->data == value.data && place->len == value.len)
        return;
    *place = value;
    if (v->leaf->meaning == PARQUET_MEANING_TEXT && !v->bad_text && !utf8_valid(value)) {
        v->bad_text = true;
        verify_found(v, PARQUET_FAULT_DAMAGED, "value %" PRIu64 " of the page is not UTF-8",
                     number);
    }
    if (!v->wants_range || parquet_leaf_is_nan(v->leaf, value))
        return;
    if (seen->min.data == NULL || parquet_leaf_compare(v->leaf, value, seen->min) < 0)
        seen->min = value;
    if (seen->max.data == NULL || parquet_leaf_compare(v->leaf, value, seen->max) > 0)
        seen->max = value;
}

/* The same for values of eight bytes with a sign, the most frequent kind of number. */
static void look_at_numbers(struct seen_values *seen, const struct slice *entries, uint32_t count)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i].data == NULL)
            continue;
        int64_t value = (int64_t)load_u64le(entries[i].data);
        if (value <= min) {
            min = value;
            seen->min = entries[i];
        }
        if (value >= max) {
            max = value;
            seen->max = entries[i];
        }
    }
}

static void look_at_values(struct verifier *v, struct seen_values *seen,
                           const struct slice *entries, uint32_t count)
{
    enum parquet_meaning meaning = v->leaf->meaning;
    if (!v->wants_range && meaning != PARQUET_MEANING_TEXT)
        return;
    if (v->leaf->type.type == PARQUET_TYPE_INT64 && meaning != PARQUET_MEANING_UNSIGNED) {
        look_at_numbers(seen, entries, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        if (entries[i].data != NULL)
            look_at_value(v, seen, entries[i], v->page_entries - count + i);
}

void verify_values_add(struct verifier *v, const struct slice *entries, uint32_t count)
{
    struct seen_values seen = {0};
    const uint32_t *repetitions = v->reader.repetitions;
    v->page_entries += count;
    if (v->sorting != NULL)
        check_sorted(v, entries, count);
    uint32_t rows = repetitions == NULL ? count : 0, nulls = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; repetitions != NULL && i < count; i++)
        rows += repetitions[i] == 0;
    for (uint32_t i = 0; i < count; i++) {
        nulls += entries[i].data == NULL;
        bytes += entries[i].len;
    }
    v->page_rows += rows;
    v->page_nulls += nulls;
    v->page_value_bytes += bytes;
    if (nulls < count)
        look_at_values(v, &seen, entries, count);
    if (seen.min.data == NULL)
        return;
    range_add(&v->page_range, v->leaf, seen.min);
    range_add(&v->page_range, v->leaf, seen.max);
}

void verify_values_end_page(struct verifier *v)
{
    v->rows += v->page_rows;
    v->entries += v->page_entries;
    v->nulls += v->page_nulls;
    v->value_bytes += v->page_value_bytes;
    if (v->page_range.has) {
        range_add(&v->range, v->leaf, buf_slice(&v->page_range.min));
        range_add(&v->range, v->leaf, buf_slice(&v->page_range.max));
    }
}

bool verify_bound_fits(const struct verifier *v, struct slice bound)
{
    enum parquet_type type = v->leaf->type.type;
    if (type == PARQUET_TYPE_BYTE_ARRAY)
        return true;
    if (type == PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY && v->leaf->meaning != PARQUET_MEANING_FLOAT16)
        return bound.len <= v->leaf->type.width; /* may be cut */
    return bound.len == v->leaf->type.width;
}

bool verify_bound(const struct verifier *v, struct slice bound, const struct verify_range *range,
                  bool upper, bool exact)
{
    int order = parquet_leaf_compare(v->leaf, bound, buf_slice(upper ? &range->max : &range->min));
    return exact ? order == 0 : upper ? order >= 0 : order <= 0;
}

static void check_bound(struct verifier *v, struct slice bound, bool upper, bool exact)
{
    const char *name = upper ? "maximum" : "minimum";
    if (!verify_bound_fits(v, bound))
        verify_found(v, PARQUET_FAULT_STATISTICS, "the %s has %zu bytes", name, bound.len);
    else if (parquet_leaf_is_nan(v->leaf, bound))
        verify_found(v, PARQUET_FAULT_STATISTICS, "the %s is not a number", name);
    else if (!v->range.has)
        return; /* of a column of nulls or NaNs: says nothing, harms nobody */
    else if (!verify_bound(v, bound, &v->range, upper, exact))
        verify_found(v, PARQUET_FAULT_STATISTICS, "the %s is not that of the values", name);
}

void verify_values_end_chunk(struct verifier *v)
{
    const struct parquet_statistics *s = &v->chunk->statistics;
    const struct parquet_column_chunk *chunk = v->chunk;
    if (!v->whole)
        return;
    if (s->has_null_count && (uint64_t)s->null_count != v->nulls)
        verify_found(v, PARQUET_FAULT_STATISTICS,
                     "%" PRId64 " nulls are stated, there are %" PRIu64, s->null_count, v->nulls);
    if (v->wants_range && s->has_min)
        check_bound(v, s->min, false, s->min_exact == PARQUET_EXACT_YES);
    if (v->wants_range && s->has_max)
        check_bound(v, s->max, true, s->max_exact == PARQUET_EXACT_YES);
    if (chunk->has_size_statistics && v->wants_bytes &&
        (uint64_t)chunk->unencoded_byte_array_data_bytes != v->value_bytes)
        verify_found(v, PARQUET_FAULT_STATISTICS,
                     "%" PRId64 " bytes of values are stated, there are %" PRIu64,
                     chunk->unencoded_byte_array_data_bytes, v->value_bytes);
    if (v->unsorted)
        verify_found(v, PARQUET_FAULT_STATISTICS,
                     "the rows are said to be sorted by this column, and are not");
}

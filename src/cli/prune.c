/* SPDX-License-Identifier: MIT */
#include "cli/prune.h"

#include <string.h>

#include "base/arena.h"
#include "parquet/read/column.h"
#include "parquet/read/metadata.h"

/* A term, as it applies to a column of the file. */
struct compared {
    struct filter_test test;
    uint32_t leaf;
    bool
        ordered; /* the bounds are in the order of the type, since the file says so (ColumnOrder) */
};

/* False: nothing can be said of it. */
static bool find_compared(const struct filter_term *term, const struct parquet_file *file,
                          struct compared *c)
{
    struct err ignored = {0};
    const struct parquet_file_metadata *m = &file->metadata;
    const struct parquet_field *field = parquet_field_child(file->root, term->column);
    if (field == NULL || field->kind != PARQUET_FIELD_VALUE ||
        filter_bind(term, &file->leaves[field->leaf], &c->test, &ignored) != 0)
        return false;
    c->leaf = field->leaf;
    c->ordered = file->leaves[c->leaf].ordered && m->column_orders_count == file->leaves_count &&
                 m->column_orders[c->leaf] == 1;
    return true;
}

static bool group_may_pass(const struct filter_term *term, const struct parquet_file *file,
                           const struct parquet_row_group *group)
{
    struct compared c;
    if (parquet_field_child(file->root, term->column) == NULL)
        return term->null && term->op == FILTER_EQUAL; /* the file is older than the column */
    if (!find_compared(term, file, &c))
        return true;
    const struct parquet_column_chunk *chunk = &group->columns[c.leaf];
    return !chunk->has_statistics ||
           filter_may_pass(&c.test, &chunk->statistics, (uint64_t)chunk->num_values, c.ordered);
}

static void prune_groups(const struct filter *f, struct parquet_file *file)
{
    struct parquet_file_metadata *m = &file->metadata;
    uint32_t kept = 0;
    struct parquet_row_group *groups =
        arena_calloc(&file->arena, m->row_groups_count, sizeof(*groups));
    for (uint32_t i = 0; i < m->row_groups_count; i++) {
        bool may_pass = true;
        for (size_t t = 0; t < f->terms.count && may_pass; t++)
            may_pass = group_may_pass(&f->terms.list[t], file, &m->row_groups[i]);
        if (may_pass)
            groups[kept++] = m->row_groups[i];
    }
    m->row_groups = groups;
    m->row_groups_count = kept;
}

struct prune {
    const struct filter *filter;
    struct parquet_file *file;
    struct arena scratch; /* of one row group */
    uint32_t pages_left;  /* that may still be looked at */
    struct prune_result result;
};

/* The pages of a chunk, or no count if the file has no index that fits them. */
struct pages {
    struct parquet_column_index index;
    uint64_t *rows; /* of each page */
};

static bool read_index(struct prune *p, const struct parquet_column_chunk *chunk,
                       struct parquet_column_index *index)
{
    const struct parquet_file *file = p->file;
    struct err ignored = {0};
    uint64_t offset = (uint64_t)chunk->column_index_offset;
    size_t len = (size_t)chunk->column_index_length;
    if (offset == 0 || len == 0 || len > PRUNE_INDEX_MAX || offset > file->footer_offset ||
        len > file->footer_offset - offset)
        return false;
    uint8_t *bytes = arena_alloc(&p->scratch, len);
    return file->source.read(file->source.context, offset, bytes, len, &ignored) == 0 &&
           parquet_column_index_read((struct slice){bytes, len}, &p->scratch, index, &ignored) ==
               0 &&
           index->count <= p->pages_left;
}

/* The rows of each page, by its header; false unless there are as many pages and rows as there
 * should be. */
static bool count_rows(struct parquet_column_reader *c, uint64_t rows, uint32_t count,
                       uint64_t *counts)
{
    struct err ignored = {0};
    uint32_t pages = 0;
    int more;
    c->pages.ahead = PARQUET_READ_LITTLE;
    while ((more = parquet_pages_peek(&c->pages, &c->page, &ignored)) == 1) {
        enum parquet_page_type type = c->page.header.type;
        uint64_t values = parquet_page_values(&c->page);
        parquet_pages_pass(&c->pages, &c->page);
        if (type != PARQUET_PAGE_DATA && type != PARQUET_PAGE_DATA_V2)
            continue;
        if (pages == count || values > rows)
            return false;
        counts[pages++] = values;
        rows -= values;
    }
    return more == 0 && pages == count && rows == 0;
}

static bool find_pages(struct prune *p, uint32_t group, uint32_t leaf, struct pages *pages)
{
    const struct parquet_row_group *g = &p->file->metadata.row_groups[group];
    struct parquet_column_reader c = {.pages = {.ahead = PARQUET_READ_LITTLE}};
    struct err ignored = {0};
    if (!read_index(p, &g->columns[leaf], &pages->index))
        return false;
    p->pages_left -= pages->index.count;
    pages->rows = arena_calloc(&p->scratch, pages->index.count, sizeof(*pages->rows));
    bool fits = parquet_column_begin(&c, p->file, group, leaf, NULL, &ignored) == 0 &&
                count_rows(&c, (uint64_t)g->num_rows, pages->index.count, pages->rows);
    parquet_column_free(&c);
    return fits;
}

static bool page_may_pass(const struct compared *c, const struct pages *pages, uint32_t i)
{
    const struct parquet_column_index *x = &pages->index;
    struct parquet_statistics s = {
        .has_min = !x->null_pages[i],
        .min = x->min_values[i],
        .has_max = !x->null_pages[i],
        .max = x->max_values[i],
        .has_null_count = x->null_pages[i] || x->null_counts != NULL,
    };
    if (s.has_null_count)
        s.null_count = x->null_pages[i] ? (int64_t)pages->rows[i] : x->null_counts[i];
    return filter_may_pass(&c->test, &s, pages->rows[i], c->ordered);
}

/* The next of the ranges that some pages leave, from page *at on. */
static bool next_range(const struct compared *c, const struct pages *pages, uint32_t *at,
                       struct parquet_range *range)
{
    uint32_t i = *at;
    range->first = range->end;
    for (; i < pages->index.count && !page_may_pass(c, pages, i); i++)
        range->first += pages->rows[i];
    range->end = range->first;
    for (; i < pages->index.count && page_may_pass(c, pages, i); i++)
        range->end += pages->rows[i];
    *at = i;
    return range->end > range->first;
}

/* Leave in `kept` only what is in the ranges of these pages, too. */
static void intersect(const struct compared *c, const struct pages *pages, struct arena *arena,
                      struct parquet_kept *kept)
{
    struct parquet_range range = {0};
    uint32_t at = 0, i = 0, count = 0;
    /* Each overlap ends with a range of one of the two. */
    struct parquet_range *both =
        arena_calloc(arena, (size_t)kept->count + pages->index.count, sizeof(*both));
    kept->rows = 0;
    while (next_range(c, pages, &at, &range)) {
        while (i < kept->count && kept->ranges[i].end <= range.first)
            i++;
        for (uint32_t k = i; k < kept->count && kept->ranges[k].first < range.end; k++) {
            struct parquet_range r = kept->ranges[k];
            r.first = r.first > range.first ? r.first : range.first;
            r.end = r.end < range.end ? r.end : range.end;
            both[count++] = r;
            kept->rows += r.end - r.first;
        }
    }
    kept->ranges = both;
    kept->count = count;
}

/* Add up the pages, and those of which no row is kept. */
static void count_pages(const struct pages *pages, const struct parquet_kept *kept,
                        struct prune_result *result)
{
    uint64_t first = 0;
    uint32_t k = 0;
    for (uint32_t i = 0; i < pages->index.count; i++) {
        uint64_t end = first + pages->rows[i];
        while (k < kept->count && kept->ranges[k].end <= first)
            k++;
        result->pages_skipped += k == kept->count || kept->ranges[k].first >= end;
        first = end;
    }
    result->pages += pages->index.count;
}

/* Whether a column was compared by an earlier term, too. */
static bool is_repeated(const struct filter *f, size_t term)
{
    for (size_t i = 0; i < term; i++)
        if (slice_equal(f->terms.list[i].column, f->terms.list[term].column))
            return true;
    return false;
}

static void prune_pages(struct prune *p, uint32_t group, struct parquet_kept *kept)
{
    size_t terms = p->filter->terms.count;
    struct pages *found = arena_calloc(&p->scratch, terms, sizeof(*found));
    struct parquet_range all = {0, (uint64_t)p->file->metadata.row_groups[group].num_rows};
    *kept = (struct parquet_kept){&all, all.end > 0, all.end};
    for (size_t t = 0; t < terms; t++) {
        struct compared c;
        if (!find_compared(&p->filter->terms.list[t], p->file, &c) ||
            !find_pages(p, group, c.leaf, &found[t]))
            found[t].index.count = 0;
        else
            intersect(&c, &found[t], &p->scratch, kept);
    }
    for (size_t t = 0; t < terms; t++)
        if (!is_repeated(p->filter, t))
            count_pages(&found[t], kept, &p->result);
    struct parquet_range *ranges = arena_calloc(&p->file->arena, kept->count, sizeof(*ranges));
    if (kept->count > 0)
        memcpy(ranges, kept->ranges, kept->count * sizeof(*ranges));
    kept->ranges = ranges;
    arena_reset(&p->scratch);
}

struct prune_result prune_file(const struct filter *f, struct parquet_file *file)
{
    struct parquet_file_metadata *m = &file->metadata;
    struct prune p = {.filter = f, .file = file, .pages_left = PRUNE_PAGES_MAX};
    p.result.groups = m->row_groups_count;
    prune_groups(f, file);
    p.result.groups_skipped = p.result.groups - m->row_groups_count;
    struct parquet_kept *kept = arena_calloc(&file->arena, m->row_groups_count, sizeof(*kept));
    for (uint32_t i = 0; i < m->row_groups_count; i++)
        prune_pages(&p, i, &kept[i]);
    if (p.result.pages_skipped > 0) /* else all is read as usual: much at a time */
        file->kept = kept;
    arena_free(&p.scratch);
    return p.result;
}

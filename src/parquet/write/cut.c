/* SPDX-License-Identifier: MIT */
#include "parquet/write/cut.h"

#include "base/bytes.h"
#include "base/assert.h"

enum {
    PREFETCH = 1024,  /* bytes that walking over values asks for in advance */
    LEVELS_BYTES = 2, /* that the levels of an entry count for: more than they can take in a page */
};

/* What the entries of a column within lists take beside their values. */
static size_t levels_size(const struct cut_column *column, uint32_t entries)
{
    return column->repetitions != NULL ? (size_t)entries * LEVELS_BYTES : 0;
}

static size_t size_of(const struct cut_column *column)
{
    return column->values.len + levels_size(column, column->entries);
}

static size_t value_size(const struct cut_column *column, uint32_t entry, size_t at)
{
    if (definition_at(column->definitions, entry, column->definition) < column->definition)
        return 0;
    if (column->width != 0)
        return column->width;
    /* Each length waits for the one before, and memory for both. */
    __builtin_prefetch(column->values.data + at + PREFETCH);
    return 4 + (size_t)load_u32le(column->values.data + at);
}

/* Move over one row, from *entry and *at; how much it takes in a page. */
static inline size_t pass_row(const struct cut_column *column, uint32_t *entry, size_t *at)
{
    uint32_t first = *entry;
    size_t start = *at;
    do {
        *at += value_size(column, *entry, *at);
        (*entry)++;
    } while (column->repetitions != NULL && *entry < column->entries &&
             column->repetitions[*entry] > 0);
    return *at - start + levels_size(column, *entry - first);
}

static int check_sizes(const struct batch *batch, const struct cut_column *column, uint32_t number,
                       struct err *err)
{
    uint32_t entry = 0;
    size_t at = 0;
    /* Only what is larger as a whole can hold a row that is too large. */
    if (column->width != 0 && column->repetitions == NULL)
        return 0;
    if (size_of(column) <= BATCH_VALUE_MAX)
        return 0;
    for (uint32_t row = 0; row < column->rows; row++) {
        size_t size = pass_row(column, &entry, &at);
        size_t prefix = column->repetitions == NULL ? 4 : 0; /* of a single value */
        if (size > BATCH_VALUE_MAX + prefix)
            return err_set(err, ERR_LIMIT,
                           "column %s: a value or row of %zu bytes is larger than %d",
                           batch->schema->columns[number].name, size - prefix, BATCH_VALUE_MAX);
    }
    return 0;
}

/* A column that has to be cut. */
struct wide {
    struct cut_column *column;
    struct cut *cuts;
    size_t page;         /* what the page takes so far, without this row */
    size_t row;          /* what this row takes */
    uint32_t entry;      /* of this row */
    uint32_t next_entry; /* of the next row */
    size_t at, next;     /* the same of values */
};

/* Each cut is made because some column has more than `page_bytes` since the last one, so there are
 * at most so many. */
static size_t most_cuts(const struct wide *wide, uint32_t count, uint32_t page_bytes)
{
    size_t most = 0;

    for (uint32_t i = 0; i < count; i++)
        most += 2 * (size_of(wide[i].column) / page_bytes + 1);
    return most < wide[0].column->rows ? most : wide[0].column->rows;
}

static void find_cuts(struct wide *wide, uint32_t count, uint32_t page_bytes)
{
    uint32_t cuts = 0, rows = wide[0].column->rows;

    for (uint32_t row = 0; row < rows; row++) {
        bool full = false;
        for (uint32_t i = 0; i < count; i++) {
            struct wide *w = &wide[i];
            w->row = pass_row(w->column, &w->next_entry, &w->next);
            full |= w->page + w->row > page_bytes && w->page > 0;
        }
        for (uint32_t i = 0; i < count; i++) {
            struct wide *w = &wide[i];
            if (full) {
                w->cuts[cuts] = (struct cut){row, w->entry, w->at};
                w->page = 0;
            }
            w->page += w->row;
            w->at = w->next;
            w->entry = w->next_entry;
        }
        cuts += full;
    }
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(wide[i].at == wide[i].column->values.len);
        ASSERT(wide[i].entry == wide[i].column->entries);
        wide[i].column->cuts = wide[i].cuts;
        wide[i].column->cuts_count = cuts;
    }
}

static void cut_wide_columns(struct cut_batch *s, uint32_t columns, uint32_t page_bytes)
{
    struct wide wide[SCHEMA_COLUMNS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < columns; i++)
        if (size_of(&s->columns.list[i]) > page_bytes)
            wide[count++] = (struct wide){.column = &s->columns.list[i]};
    if (count == 0)
        return;
    size_t most = most_cuts(wide, count, page_bytes);
    buf_reset(&s->cuts);
    buf_reserve(&s->cuts, most * count * sizeof(struct cut));
    for (uint32_t i = 0; i < count; i++)
        wide[i].cuts = (struct cut *)(void *)s->cuts.data + i * most;
    find_cuts(wide, count, page_bytes);
}

int cut_batch(struct cut_batch *s, const struct batch *batch, const struct cut_leaf *leaves,
              uint32_t leaves_count, uint32_t page_bytes, struct err *err)
{
    s->columns.count = 0;
    array_reserve(&s->columns, leaves_count);
    s->columns.count = leaves_count;
    for (uint32_t i = 0; i < leaves_count; i++) {
        const struct cut_leaf *leaf = &leaves[i];
        const struct column *column = &batch->columns[leaf->column];
        s->columns.list[i] = (struct cut_column){
            .values = buf_slice(&column->values),
            .width = column_width(batch->schema->columns[leaf->column].type),
            .definitions = buf_slice(&column->definitions),
            .repetitions = leaf->repetition > 0 ? column->repetitions.data : NULL,
            .definition = leaf->definition,
            .repetition = leaf->repetition,
            .rows = batch->rows,
            .entries = batch_entries(batch, leaf->column),
            .nulls = column->nulls,
        };
        if (check_sizes(batch, &s->columns.list[i], leaf->column, err) != 0)
            return -1;
    }
    cut_wide_columns(s, leaves_count, page_bytes);
    return 0;
}

void cut_free(struct cut_batch *s)
{
    array_free(&s->columns);
    buf_free(&s->cuts);
}

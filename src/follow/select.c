/* SPDX-License-Identifier: MIT */
#include "follow/select.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* Columns of events are numbers, times and texts. */
static struct parquet_leaf leaf_of(const struct column_spec *column)
{
    struct parquet_leaf leaf = {.name = slice_of(column->name),
                                .type = {.type = PARQUET_TYPE_BYTE_ARRAY},
                                .meaning = column->meaning == COLUMN_TEXT ? PARQUET_MEANING_TEXT
                                                                          : PARQUET_MEANING_BYTES};
    if (column->type != COLUMN_INT64)
        return leaf;
    leaf.type = (struct parquet_value_type){PARQUET_TYPE_INT64, sizeof(int64_t)};
    leaf.meaning =
        column->meaning == COLUMN_TIME_MICROS ? PARQUET_MEANING_TIMESTAMP : PARQUET_MEANING_SIGNED;
    leaf.unit = PARQUET_UNIT_MICROS;
    leaf.utc = true;
    return leaf;
}

static int bind(struct follow_select_term *t, const struct filter_term *term, struct err *err)
{
    for (t->column = 0; t->column < EVENT_COLUMNS; t->column++)
        if (slice_is(term->column, event_schema.columns[t->column].name))
            break;
    if (t->column == EVENT_COLUMNS)
        return err_set(err, ERR_USAGE, "the store's rows have no column %.*s",
                       (int)term->column.len, (const char *)term->column.data);
    t->leaf = leaf_of(&event_schema.columns[t->column]);
    if (filter_bind(term, &t->leaf, &t->test, err) == 0)
        return 0;
    err->code = ERR_USAGE; /* it is not the file that is wrong */
    return -1;
}

size_t follow_select_count(const struct config_list *terms)
{
    return terms->count == 1 && strcmp(terms->items[0], "any") == 0 ? 0 : terms->count;
}

int follow_select_make(struct follow_select *s, const struct config_list *terms, struct err *err)
{
    const size_t count = follow_select_count(terms);
    *s = (struct follow_select){0};
    for (size_t i = 0; i < count; i++)
        if (filter_add(&s->filter, terms->items[i], err) != 0)
            return -1;
    s->terms = calloc(count + 1, sizeof(*s->terms));
    if (s->terms == NULL)
        out_of_memory((count + 1) * sizeof(*s->terms));
    for (size_t i = 0; i < count; i++)
        if (bind(&s->terms[i], &s->filter.terms.list[i], err) != 0)
            return -1;
    return 0;
}

bool follow_select_passes(const struct follow_select *s, const struct slice *values)
{
    for (size_t i = 0; i < s->filter.terms.count; i++)
        if (!filter_passes(&s->terms[i].test, values[s->terms[i].column]))
            return false;
    return true;
}

void follow_select_free(struct follow_select *s)
{
    filter_free(&s->filter);
    free(s->terms);
    *s = (struct follow_select){0};
}

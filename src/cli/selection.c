/* SPDX-License-Identifier: MIT */
#include "cli/selection.h"

#include <string.h>

#include "cli/value_json.h"

static uint32_t place_of(const struct selection *s, const struct parquet_field *field)
{
    uint32_t i = 0;
    while (i < s->count && s->fields[i] != field)
        i++;
    return i;
}

static int find_field(const struct parquet_file *file, struct slice name,
                      const struct parquet_field **field, struct err *err)
{
    *field = parquet_field_child(file->root, name);
    if (*field != NULL)
        return 0;
    return err_set(err, ERR_FORMAT, "it has no column '%.*s'; see varve inspect", (int)name.len,
                   (const char *)name.data);
}

static int choose_shown(const char *columns, const struct parquet_file *file, struct selection *s,
                        struct err *err)
{
    const struct parquet_field *field = file->root->first;
    for (; columns == NULL && field != NULL; field = field->next)
        s->fields[s->count++] = field;
    for (const char *at = columns; at != NULL;) {
        struct slice name = {(const uint8_t *)at, strcspn(at, ",")};
        if (find_field(file, name, &field, err) != 0)
            return -1;
        if (place_of(s, field) < s->count)
            return err_set(err, ERR_FORMAT, "column '%.*s' is listed twice", (int)name.len, at);
        s->fields[s->count++] = field;
        at = at[name.len] == ',' ? at + name.len + 1 : NULL;
    }
    s->shown = s->count;
    return 0;
}

static void add_hint(const struct parquet_file *file, struct selection *s)
{
    const struct parquet_field *payload =
        parquet_field_child(file->root, slice_of("event_payload"));
    const struct parquet_field *hint =
        parquet_field_child(file->root, slice_of("payload_format_hint"));
    s->payload = UINT32_MAX;
    if (payload == NULL || hint == NULL || place_of(s, payload) >= s->shown ||
        payload->kind != PARQUET_FIELD_VALUE || hint->kind != PARQUET_FIELD_VALUE ||
        file->leaves[payload->leaf].meaning != PARQUET_MEANING_BYTES ||
        file->leaves[hint->leaf].meaning != PARQUET_MEANING_TEXT)
        return;
    s->payload = place_of(s, payload);
    s->hint = place_of(s, hint);
    if (s->hint == s->count)
        s->fields[s->count++] = hint;
}

int selection_make(struct selection *s, const struct parquet_file *file, const char *columns,
                   const struct filter *filter, struct arena *arena, struct err *err)
{
    size_t terms = filter->terms.count;
    *s = (struct selection){.terms = terms};
    s->fields =
        arena_calloc(arena, file->root->children + terms + 2, sizeof(struct parquet_field *));
    s->tests = arena_calloc(arena, terms + 1, sizeof(*s->tests));
    s->places = arena_calloc(arena, terms + 1, sizeof(*s->places));
    if (choose_shown(columns, file, s, err) != 0)
        return -1;
    for (size_t i = 0; i < terms; i++) {
        const struct filter_term *term = &filter->terms.list[i];
        const struct parquet_field *field;
        if (find_field(file, term->column, &field, err) != 0)
            return -1;
        if (field->kind != PARQUET_FIELD_VALUE)
            return err_set(err, ERR_FORMAT, "column '%.*s' is of more than one value",
                           (int)term->column.len, (const char *)term->column.data);
        if (filter_bind(term, &file->leaves[field->leaf], &s->tests[i], err) != 0)
            return -1;
        s->places[i] = place_of(s, field);
        if (s->places[i] == s->count)
            s->fields[s->count++] = field;
    }
    add_hint(file, s);
    return 0;
}

bool selection_is_text(const struct selection *s, uint32_t place, const struct slice *values)
{
    return place == s->payload && values[place].data != NULL && value_json_is_text(values[s->hint]);
}

bool selection_passes(const struct selection *s, const struct slice *values)
{
    for (size_t i = 0; i < s->terms; i++)
        if (!filter_passes(&s->tests[i], values[s->places[i]]))
            return false;
    return true;
}

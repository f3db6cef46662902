/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "event/payload_plan.h"

struct payload_types {
    enum payload_format format;
    struct buf text; /* into which the set points */
    struct descriptor_set set;
};

/* By its name with or without a dot in front. */
static const struct descriptor *find_message(const struct payload_types *types, struct slice name)
{
    struct buf full = {0};
    if (name.len > 0 && name.data[0] != '.')
        buf_append_byte(&full, '.');
    buf_append_slice(&full, name);
    const struct descriptor *found = descriptor_find(&types->set, buf_slice(&full));
    buf_free(&full);
    return found != NULL && (found->is_enum || found->bytes > 0) ? NULL : found;
}

bool payload_types_have(const struct payload_types *types, struct slice message)
{
    return find_message(types, message) != NULL;
}

struct slice payload_types_message(const struct payload_types *types, const char *message,
                                   const char *event_type)
{
    if (message[0] != '\0')
        return slice_of(message);
    return strcmp(event_type, "*") != 0 ? types->set.root : (struct slice){0};
}

struct payload_types *payload_types_new(enum payload_format format, struct slice definition,
                                        struct err *err)
{
    struct payload_types *types = calloc(1, sizeof(*types));
    int result = -1;
    if (types == NULL)
        out_of_memory(sizeof(*types));
    types->format = format;
    buf_append_slice(&types->text, definition);
    switch (format) {
    case PAYLOAD_PROTOBUF:
        result = descriptor_set_parse(&types->set, buf_slice(&types->text), err);
        break;
    case PAYLOAD_FLATBUFFERS:
        result = descriptor_set_parse_flat(&types->set, buf_slice(&types->text), err);
        break;
    }
    if (result == 0)
        return types;
    payload_types_free(types);
    return NULL;
}

void payload_types_free(struct payload_types *types)
{
    if (types == NULL)
        return;
    descriptor_set_free(&types->set);
    buf_free(&types->text);
    free(types);
}

bool plan_refuse(struct decoding *d, const char *why, const struct plan_field *f)
{
    struct slice name = f == NULL ? (struct slice){0} : f->field->name;
    if (d->t->type.reason.len == 0)
        buf_printf(&d->t->type.reason, "%.*s%s%s", (int)name.len,
                   name.len > 0 ? (const char *)name.data : "", name.len > 0 ? " " : "", why);
    return false;
}

bool plan_has_room(struct decoding *d)
{
    return ++d->items % PLAN_FIT_EVERY != 0 || batch_row_fits(d->b) ||
           plan_refuse(d, "larger than a row may be", NULL);
}

const struct slice *plan_find_constant(const struct plan_field *f, int64_t number)
{
    for (size_t i = 0; i < f->constants->values.count; i++)
        if (f->constants->values.list[i].number == number)
            return &f->constants->values.list[i].name;
    return NULL;
}

struct slice plan_constant(struct decoding *d, const struct plan_field *f, int64_t number)
{
    const struct slice *name = plan_find_constant(f, number);
    if (name != NULL)
        return *name;
    buf_reset(&d->t->text);
    buf_printf(&d->t->text, "%" PRId64, number);
    return buf_slice(&d->t->text);
}

void plan_put_unsigned(struct decoding *d, const struct plan_field *f, uint32_t column,
                       uint64_t value)
{
    if (d->b->schema->columns[column].type == COLUMN_BYTES) {
        uint8_t bytes[1 + sizeof(value)] = {0}; /* two's complement: with room for a sign */
        for (size_t i = sizeof(value); i > 0; i--, value >>= 8)
            bytes[i] = (uint8_t)value;
        batch_put_bytes(d->b, column, (struct slice){bytes, sizeof(bytes)});
        return;
    }
    if (value <= INT64_MAX) {
        batch_put_int64(d->b, column, (int64_t)value);
        return;
    }
    (void)plan_refuse(d, "is more than 2^63 - 1", f);
    d->lossy = true;
    batch_put_null(d->b, column);
}

static void free_type(struct payload_type *type)
{
    struct planned *t = (struct planned *)type;
    array_free(&t->columns);
    arena_free(&t->arena);
    arena_free(&t->values);
    buf_free(&t->text);
    free(t);
}

static const struct {
    const char *name;
    struct payload_operations operations;
} formats[] = {
    [PAYLOAD_PROTOBUF] = {"protobuf", {payload_proto_append, free_type}},
    [PAYLOAD_FLATBUFFERS] = {"flatbuffers", {payload_flat_append, free_type}},
};

struct payload_type *payload_message_new(const struct payload_types *types, struct slice message,
                                         const char *const *fields, size_t count, struct err *err)
{
    bool is_all = count == 1 && strcmp(fields[0], "*") == 0;
    const struct plan_choice choice = {fields, is_all ? 0 : count};
    struct planned *t = calloc(1, sizeof(*t));
    if (t == NULL)
        out_of_memory(sizeof(*t));
    t->type.operations = &formats[types->format].operations;
    t->type.format = formats[types->format].name;
    t->type.message = arena_text(&t->arena, message.data, message.len);
    t->type.definition = buf_slice(&types->text);
    const struct descriptor *found = find_message(types, message);
    int result =
        found == NULL
            ? err_set(err, ERR_USAGE, "the descriptor set has no message %s", t->type.message)
            : plan_make(&t->plan, &t->columns, &types->set, found, &choice, &t->arena, err);
    t->type.columns = t->columns.list;
    t->type.count = (uint32_t)t->columns.count;
    if (result == 0)
        return &t->type;
    payload_free(&t->type);
    return NULL;
}

/* SPDX-License-Identifier: MIT */
#include "event/payload_plan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "event/payload_scan.h"

struct planner {
    struct plan_columns *columns;
    const struct descriptor_set *set;
    struct arena *arena;
    const struct descriptor *open[PLAN_DEPTH_MAX]; /* the messages around */
    unsigned depth;
    const struct plan_choice *choice;
    bool *found;     /* of the choice */
    struct buf path; /* of the field */
    unsigned whole;  /* maps around: they are not cut in parts */
    struct err *err;
};

static int by_number(const void *a, const void *b)
{
    const struct plan_field *x = a, *y = b;
    return x->field->number < y->field->number ? -1 : x->field->number > y->field->number;
}

static const struct {
    const char *name;
    enum plan_kind kind;
    enum descriptor_type type;
} special[] = {
    {".google.protobuf.Timestamp", PLAN_TIMESTAMP, DESCRIPTOR_MESSAGE},
    {".google.protobuf.Duration", PLAN_DURATION, DESCRIPTOR_MESSAGE},
    {".google.protobuf.Struct", PLAN_JSON_STRUCT, DESCRIPTOR_MESSAGE},
    {".google.protobuf.Value", PLAN_JSON_VALUE, DESCRIPTOR_MESSAGE},
    {".google.protobuf.ListValue", PLAN_JSON_LIST, DESCRIPTOR_MESSAGE},
    {".google.protobuf.DoubleValue", PLAN_WRAPPED, DESCRIPTOR_DOUBLE},
    {".google.protobuf.FloatValue", PLAN_WRAPPED, DESCRIPTOR_FLOAT},
    {".google.protobuf.Int64Value", PLAN_WRAPPED, DESCRIPTOR_INT64},
    {".google.protobuf.UInt64Value", PLAN_WRAPPED, DESCRIPTOR_UINT64},
    {".google.protobuf.Int32Value", PLAN_WRAPPED, DESCRIPTOR_INT32},
    {".google.protobuf.UInt32Value", PLAN_WRAPPED, DESCRIPTOR_UINT32},
    {".google.protobuf.BoolValue", PLAN_WRAPPED, DESCRIPTOR_BOOL},
    {".google.protobuf.StringValue", PLAN_WRAPPED, DESCRIPTOR_STRING},
    {".google.protobuf.BytesValue", PLAN_WRAPPED, DESCRIPTOR_BYTES},
};

static void type_column(struct column_spec *spec, enum descriptor_type type)
{
    switch (type) {
    case DESCRIPTOR_DOUBLE:
        spec->type = COLUMN_DOUBLE;
        break;
    case DESCRIPTOR_FLOAT:
        spec->type = COLUMN_FLOAT;
        break;
    case DESCRIPTOR_UINT64:
    case DESCRIPTOR_FIXED64:
        spec->type = COLUMN_INT64;
        spec->precision = PAYLOAD_UNSIGNED_DIGITS;
        break;
    case DESCRIPTOR_INT64:
    case DESCRIPTOR_FIXED32:
    case DESCRIPTOR_UINT32:
    case DESCRIPTOR_SFIXED64:
    case DESCRIPTOR_SINT64:
        spec->type = COLUMN_INT64;
        break;
    case DESCRIPTOR_INT32:
    case DESCRIPTOR_SFIXED32:
    case DESCRIPTOR_SINT32:
        spec->type = COLUMN_INT32;
        break;
    case DESCRIPTOR_BOOL:
        spec->type = COLUMN_BOOLEAN;
        break;
    case DESCRIPTOR_STRING:
    case DESCRIPTOR_ENUM:
        spec->type = COLUMN_BYTES;
        spec->meaning = COLUMN_TEXT;
        spec->dictionary = true;
        break;
    case DESCRIPTOR_GROUP:
    case DESCRIPTOR_MESSAGE:
    case DESCRIPTOR_BYTES:
        spec->type = COLUMN_BYTES;
        break;
    }
}

static int find_type(struct planner *p, const struct descriptor_field *field, bool is_enum,
                     const struct descriptor **out)
{
    *out = descriptor_find(p->set, field->type_name);
    if (*out != NULL && (*out)->is_enum == is_enum)
        return 0;
    return err_set(p->err, ERR_FORMAT,
                   "the descriptor set lacks %.*s: make it with --include_imports",
                   (int)field->type_name.len, (const char *)field->type_name.data);
}

static bool is_open(const struct planner *p, const struct descriptor *message)
{
    for (unsigned i = 0; i < p->depth; i++)
        if (p->open[i] == message)
            return true;
    return p->depth == PLAN_DEPTH_MAX;
}

/* The entries of a map: whatever else says that it is one is an ordinary message. */
static bool is_entry(const struct descriptor *message)
{
    if (!message->is_map_entry || message->fields.count != 2)
        return false;
    const struct descriptor_field *key = &message->fields.list[0];
    const struct descriptor_field *value = &message->fields.list[1];
    return key->number == 1 && value->number == 2 && !key->repeated && !value->repeated &&
           key->type != DESCRIPTOR_DOUBLE && key->type != DESCRIPTOR_FLOAT &&
           key->type != DESCRIPTOR_GROUP && key->type != DESCRIPTOR_MESSAGE &&
           key->type != DESCRIPTOR_BYTES && key->type != DESCRIPTOR_ENUM;
}

static int classify(struct planner *p, struct plan_field *f, const struct descriptor **message)
{
    const struct descriptor_field *field = f->field;
    f->type = field->type;
    f->wire = payload_wire_type(field->type);
    f->is_message = field->type == DESCRIPTOR_MESSAGE || field->type == DESCRIPTOR_GROUP;
    if (field->type == DESCRIPTOR_ENUM)
        return find_type(p, field, true, &f->constants);
    if (field->type != DESCRIPTOR_MESSAGE && field->type != DESCRIPTOR_GROUP)
        return 0;
    if (find_type(p, field, false, message) != 0)
        return -1;
    f->kind = (*message)->fields.count == 0 || is_open(p, *message) ? PLAN_RAW : PLAN_STRUCT;
    f->is_map = f->kind == PLAN_STRUCT && field->repeated && is_entry(*message);
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]) && !p->set->is_flat; i++)
        if (slice_is((*message)->name, special[i].name)) {
            f->kind = special[i].kind;
            f->type = special[i].type;
        }
    return 0;
}

static int plan_message(struct planner *p, struct plan *out, const struct descriptor *message,
                        uint32_t first);

static int add_column(struct planner *p, struct slice name, struct column_spec **out)
{
    if (p->columns->count == PLAN_COLUMNS_MAX)
        return err_set(p->err, ERR_LIMIT, "more than %d columns", PLAN_COLUMNS_MAX);
    *out = array_add(p->columns);
    **out =
        (struct column_spec){.name = arena_text(p->arena, name.data, name.len), .optional = true};
    return 0;
}

/* The column of a value, with what is in it. */
static int plan_value(struct planner *p, struct plan_field *f, const struct descriptor *message,
                      struct slice name)
{
    struct column_spec *spec;
    uint32_t column = (uint32_t)p->columns->count;
    if (p->set->is_flat && f->kind == PLAN_RAW)
        return 0;
    if (add_column(p, name, &spec) != 0)
        return -1;
    if (f->kind != PLAN_STRUCT) {
        type_column(spec, f->type);
        if (f->kind == PLAN_TIMESTAMP || f->kind == PLAN_DURATION)
            spec->type = COLUMN_INT64;
        if (f->kind >= PLAN_JSON_STRUCT && f->kind <= PLAN_JSON_LIST)
            spec->meaning = COLUMN_JSON;
        if (f->kind == PLAN_TIMESTAMP)
            spec->meaning = COLUMN_TIME_MICROS;
        return 0;
    }
    spec->type = COLUMN_STRUCT;
    f->plan = arena_calloc(p->arena, 1, sizeof(*f->plan));
    if (plan_message(p, f->plan, message, column + 1) != 0)
        return -1;
    p->columns->list[column].children = f->plan->count;
    return 0;
}

/* Of a map: the columns of its key and value are those of an entry's fields. */
static int plan_map(struct planner *p, struct plan_field *f, const struct descriptor *entry)
{
    uint32_t key = (uint32_t)p->columns->count;
    f->plan = arena_calloc(p->arena, 1, sizeof(*f->plan));
    p->whole++;
    int result = plan_message(p, f->plan, entry, key);
    p->whole--;
    if (result == 0)
        p->columns->list[key].optional = false;
    return result;
}

/* Whether the field with the path is chosen, or has a part that is: by `found`, which parts were
 * there at last. */
static bool is_chosen(struct planner *p, bool note)
{
    bool chosen = p->choice->count == 0 || p->whole > 0;
    for (size_t i = 0; i < p->choice->count; i++) {
        const char *wanted = p->choice->fields[i];
        size_t len = strlen(wanted), common = len < p->path.len ? len : p->path.len;
        if (memcmp(wanted, p->path.data, common) != 0)
            continue;
        if (note)
            p->found[i] |= len == p->path.len;
        chosen |=
            len == p->path.len || (len > common ? wanted[common] : p->path.data[common]) == '.';
    }
    return chosen;
}

/* What of FlatBuffers has no column: there is nothing to it, or it is within itself. */
static bool is_void(const struct planner *p, const struct plan_field *f)
{
    return p->set->is_flat &&
           (f->kind == PLAN_RAW || (f->kind == PLAN_STRUCT && f->plan->count == 0));
}

/* Names differ in more than case; the number tells the later of two apart. */
static void name_field(const struct planner *p, struct buf *out, uint32_t first,
                       const struct descriptor_field *field)
{
    const struct schema schema = {.columns = p->columns->list,
                                  .count = (uint32_t)p->columns->count};
    buf_reset(out);
    buf_append_slice(out, field->name);
    for (uint32_t i = first; i < schema.count;) {
        bool taken = strcasecmp(schema.columns[i].name, buf_text(out)) == 0;
        if (taken)
            buf_printf(out, "_%u", field->number - p->set->is_flat);
        i = taken ? first : schema_end(&schema, i);
    }
}

static int plan_field(struct planner *p, struct plan_field *f, struct slice name)
{
    const struct descriptor *message = NULL;
    struct column_spec *spec;
    int result;
    f->column = (uint32_t)p->columns->count;
    if (classify(p, f, &message) != 0)
        return -1;
    if (!f->field->repeated) {
        result = plan_value(p, f, message, name);
    } else if ((result = add_column(p, name, &spec)) == 0) {
        spec->type = f->is_map ? COLUMN_MAP : COLUMN_LIST;
        result =
            f->is_map ? plan_map(p, f, message) : plan_value(p, f, message, slice_of("element"));
    }
    if (result == 0 && f->column < p->columns->count)
        p->columns->list[f->column].field = f->field->number;
    return result;
}

/* The field behind those that `out` has, if it is wanted. */
static int plan_next(struct planner *p, struct plan *out, const struct descriptor_field *field,
                     struct slice name)
{
    struct plan_field *f = &out->fields[out->count];
    size_t around = p->path.len, columns = p->columns->count;
    int result = 0;
    if (around > 0)
        buf_append_byte(&p->path, '.');
    buf_append_slice(&p->path, field->name);
    *f = (struct plan_field){.field = field};
    if (is_chosen(p, false) && (result = plan_field(p, f, name)) == 0) {
        bool kept = !is_void(p, f);
        if (kept)
            (void)is_chosen(p, true);
        else
            p->columns->count = columns;
        out->count += kept;
    }
    p->path.len = around;
    return result;
}

/* Columns stand in the order of the declaration; the fields are by number. */
static int plan_message(struct planner *p, struct plan *out, const struct descriptor *message,
                        uint32_t first)
{
    struct buf name = {0};
    int result = 0;
    ASSERT(message != NULL && p->depth < PLAN_DEPTH_MAX);
    out->message = message;
    out->fields = arena_calloc(p->arena, message->fields.count + 1, sizeof(*out->fields));
    p->open[p->depth++] = message;
    for (size_t i = 0; i < message->fields.count && result == 0; i++) {
        name_field(p, &name, first, &message->fields.list[i]);
        result = plan_next(p, out, &message->fields.list[i], buf_slice(&name));
    }
    p->depth--;
    buf_free(&name);
    if (result == 0 && out->count > 1)
        qsort(out->fields, out->count, sizeof(*out->fields), by_number);
    return result;
}

static int check_choice(const struct planner *p)
{
    for (size_t i = 0; i < p->choice->count; i++)
        if (!p->found[i])
            return err_set(p->err, ERR_USAGE, "columns: the message has no field %s",
                           p->choice->fields[i]);
    return 0;
}

int plan_make(struct plan *out, struct plan_columns *columns, const struct descriptor_set *set,
              const struct descriptor *message, const struct plan_choice *choice,
              struct arena *arena, struct err *err)
{
    struct planner p = {
        .columns = columns, .set = set, .arena = arena, .choice = choice, .err = err};
    p.found = arena_calloc(arena, choice->count + 1, sizeof(*p.found));
    int result = plan_message(&p, out, message, 0);
    if (result == 0)
        result = check_choice(&p);
    if (result == 0 && out->count == 0)
        result = err_set(err, ERR_FORMAT, "the message has no fields");
    buf_free(&p.path);
    return result;
}

/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "event/descriptor.h"

/* Slots of the tables of reflection.fbs, in the order of their declaration. */
enum {
    SCHEMA_OBJECTS = 0,
    SCHEMA_ENUMS = 1,
    SCHEMA_ROOT = 4,
    NAME = 0, /* of all that has one */
    OBJECT_FIELDS = 1,
    OBJECT_IS_STRUCT = 2,
    OBJECT_BYTES = 4,
    ENUM_VALUES = 1,
    ENUM_IS_UNION = 2,
    VALUE_NUMBER = 1,
    VALUE_TYPE = 3,
    FIELD_TYPE = 1,
    FIELD_ID = 2,
    FIELD_OFFSET = 3,
    FIELD_INTEGER = 4,
    FIELD_REAL = 5,
    FIELD_OPTIONAL = 11,
    FIELD_OFFSET64 = 13,
    TYPE_BASE = 0,
    TYPE_ELEMENT = 1,
    TYPE_INDEX = 2,
    TYPE_COUNT = 3,
    STRUCT_BYTES_MAX = 64 * 1024,
    ELEMENTS_MAX = 1024 * 1024, /* of all vectors: several may be one, which makes a bomb */
};

static const char identifier[] = "BFBS";

/* The types of a schema: its objects, its enums, and its unions as messages, in this order. */
struct reader {
    struct slice text;
    struct descriptor_set *set;
    uint32_t objects, enums;
    uint32_t seen; /* elements */
    bool malformed;
};

struct vector {
    size_t first;
    uint32_t count;
};

/* The place of a field, by the number of its slot; 0: it is not there. */
static size_t find(struct reader *r, const struct flat_table *t, uint32_t slot)
{
    size_t at;
    if (flat_find(t, 4 + 2 * slot, &at))
        return at;
    r->malformed = true;
    return 0;
}

static uint64_t number(struct reader *r, const struct flat_table *t, uint32_t slot, unsigned width,
                       uint64_t absent)
{
    size_t at = find(r, t, slot);
    uint64_t value = absent;
    if (at > 0 && !flat_load(r->text, at, width, &value))
        r->malformed = true;
    return value;
}

static struct slice text_of(struct reader *r, const struct flat_table *t, uint32_t slot)
{
    size_t at = find(r, t, slot);
    struct slice text = {0};
    if (at == 0 || !flat_string(r->text, at, &text) || !descriptor_is_name(text))
        r->malformed = true;
    return text;
}

/* False: it is not there, or malformed. */
static bool table_at(struct reader *r, size_t at, struct flat_table *out)
{
    size_t place;
    if (at == 0)
        return false;
    if (flat_follow(r->text, at, &place) && flat_table_at(r->text, place, out))
        return true;
    r->malformed = true;
    return false;
}

static struct vector vector_of(struct reader *r, const struct flat_table *t, uint32_t slot)
{
    size_t at = find(r, t, slot);
    struct vector v = {0};
    if (at > 0 && !flat_vector(r->text, at, 4, &v.first, &v.count))
        r->malformed = true;
    return v;
}

static bool element(struct reader *r, struct vector v, uint32_t i, struct flat_table *out)
{
    r->malformed = r->malformed || r->seen++ == ELEMENTS_MAX;
    return !r->malformed && table_at(r, v.first + (size_t)i * 4, out);
}

/* With a dot in front; that of the message that a union is can't be the name of anything else. */
static int add_type(struct reader *r, const struct flat_table *t, bool is_enum, const char *suffix,
                    struct err *err)
{
    struct buf name = {0};
    uint32_t added;
    buf_append_byte(&name, '.');
    buf_append_slice(&name, text_of(r, t, NAME));
    buf_append_text(&name, suffix);
    struct slice kept = {(const uint8_t *)arena_text(&r->set->arena, name.data, name.len),
                         name.len};
    buf_free(&name);
    return descriptor_add(r->set, kept, is_enum, &added, err);
}

/* Name all types, so that fields can say which they have. */
static int add_types(struct reader *r, struct vector objects, struct vector enums, struct err *err)
{
    struct flat_table t;
    for (uint32_t i = 0; i < objects.count && element(r, objects, i, &t); i++)
        if (add_type(r, &t, false, "", err) != 0)
            return -1;
    for (uint32_t i = 0; i < enums.count && element(r, enums, i, &t); i++)
        if (add_type(r, &t, true, "", err) != 0)
            return -1;
    for (uint32_t i = 0; i < enums.count && element(r, enums, i, &t); i++)
        if (add_type(r, &t, false, " union", err) != 0)
            return -1;
    r->objects = objects.count;
    r->enums = enums.count;
    return 0;
}

/* What the values of a type are in the terms of protobuf. */
static enum descriptor_type type_of(enum flat_type type, bool has_names)
{
    switch (type) {
    case FLAT_BOOL:
        return DESCRIPTOR_BOOL;
    case FLAT_UTYPE:
    case FLAT_BYTE:
    case FLAT_UBYTE:
    case FLAT_SHORT:
    case FLAT_USHORT:
    case FLAT_INT:
        return has_names ? DESCRIPTOR_ENUM : DESCRIPTOR_INT32;
    case FLAT_UINT:
        return has_names ? DESCRIPTOR_ENUM : DESCRIPTOR_UINT32;
    case FLAT_LONG:
        return has_names ? DESCRIPTOR_ENUM : DESCRIPTOR_INT64;
    case FLAT_ULONG:
        return has_names ? DESCRIPTOR_ENUM : DESCRIPTOR_UINT64;
    case FLAT_FLOAT:
        return DESCRIPTOR_FLOAT;
    case FLAT_DOUBLE:
        return DESCRIPTOR_DOUBLE;
    case FLAT_STRING:
        return DESCRIPTOR_STRING;
    case FLAT_OBJECT:
    case FLAT_UNION:
        return DESCRIPTOR_MESSAGE;
    case FLAT_NONE:
    case FLAT_VECTOR:
    case FLAT_ARRAY:
    case FLAT_TYPES:
        break;
    }
    return DESCRIPTOR_BYTES;
}

/* False: no column can be made of it. */
static bool read_type(struct reader *r, const struct flat_table *t, struct descriptor_field *out)
{
    uint64_t base = number(r, t, TYPE_BASE, 1, FLAT_NONE);
    uint64_t inner = number(r, t, TYPE_ELEMENT, 1, FLAT_NONE);
    uint64_t index = number(r, t, TYPE_INDEX, 4, UINT32_MAX);
    bool is_list = base == FLAT_VECTOR || base == FLAT_ARRAY;
    inner = is_list ? inner : base;
    if (base == FLAT_NONE || base >= FLAT_TYPES || inner == FLAT_NONE || inner >= FLAT_TYPES ||
        inner == FLAT_ARRAY || inner == FLAT_VECTOR)
        return false;
    bool named = index != UINT32_MAX;
    uint64_t last = inner == FLAT_OBJECT ? r->objects : r->enums;
    bool must = inner == FLAT_OBJECT || inner == FLAT_UNION || inner == FLAT_UTYPE;
    if (named ? index >= last : must) {
        r->malformed = true;
        return false;
    }
    out->place.type = (enum flat_type)base;
    out->place.element = (enum flat_type)inner;
    out->place.count = (uint16_t)number(r, t, TYPE_COUNT, 2, 0);
    out->type = is_list && inner == FLAT_UBYTE && !named ? DESCRIPTOR_BYTES
                                                         : type_of(out->place.element, named);
    out->repeated = is_list && out->type != DESCRIPTOR_BYTES;
    if (inner != FLAT_OBJECT)
        index += r->objects + (inner == FLAT_UNION ? r->enums : 0);
    if (out->type == DESCRIPTOR_MESSAGE || out->type == DESCRIPTOR_ENUM)
        out->type_name = r->set->list.list[index].name;
    return true;
}

/* As the buffer would have it. */
static uint64_t initial_of(struct reader *r, const struct flat_table *t, enum flat_type type)
{
    uint64_t bits =
        number(r, t, type == FLAT_FLOAT || type == FLAT_DOUBLE ? FIELD_REAL : FIELD_INTEGER, 8, 0);
    double real;
    float half;
    uint32_t half_bits;
    if (type != FLAT_FLOAT)
        return bits;
    memcpy(&real, &bits, sizeof(real));
    half = (float)real;
    memcpy(&half_bits, &half, sizeof(half));
    return half_bits;
}

static void read_field(struct reader *r, const struct flat_table *t, struct descriptor *message)
{
    struct descriptor_field field = {.oneof = -1};
    struct flat_table type;
    field.name = text_of(r, t, NAME);
    field.number = (uint32_t)number(r, t, FIELD_ID, 2, 0) + 1;
    field.place.offset = (uint16_t)number(r, t, FIELD_OFFSET, 2, 0);
    bool is_far = number(r, t, FIELD_OFFSET64, 1, 0) != 0;
    if (!table_at(r, find(r, t, FIELD_TYPE), &type) || is_far || !read_type(r, &type, &field))
        return;
    field.place.initial = initial_of(r, t, field.place.type);
    field.presence = field.place.type >= FLAT_STRING || number(r, t, FIELD_OPTIONAL, 1, 0) != 0;
    *array_add(&message->fields) = field;
}

static int by_number(const void *a, const void *b)
{
    const struct descriptor_field *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* The schema has fields by name: they were declared by number. */
static void read_object(struct reader *r, const struct flat_table *t, struct descriptor *out)
{
    struct vector fields = vector_of(r, t, OBJECT_FIELDS);
    struct flat_table field;
    if (number(r, t, OBJECT_IS_STRUCT, 1, 0) != 0) {
        uint64_t bytes = number(r, t, OBJECT_BYTES, 4, 0);
        out->bytes = (uint32_t)bytes;
        r->malformed = r->malformed || bytes == 0 || bytes > STRUCT_BYTES_MAX;
    }
    for (uint32_t i = 0; i < fields.count && element(r, fields, i, &field); i++)
        read_field(r, &field, out);
    if (out->fields.count > 1)
        qsort(out->fields.list, out->fields.count, sizeof(*out->fields.list), by_number);
}

/* One member of a union; 0 stands for none of them. */
static void read_member(struct reader *r, const struct flat_table *t, struct descriptor *out)
{
    struct descriptor_field field = {.oneof = -1, .presence = true, .name = text_of(r, t, NAME)};
    struct flat_table type;
    field.number = (uint32_t)number(r, t, VALUE_NUMBER, 8, 0);
    if (field.number != 0 && table_at(r, find(r, t, VALUE_TYPE), &type) &&
        read_type(r, &type, &field))
        *array_add(&out->fields) = field;
}

static void read_enum(struct reader *r, const struct flat_table *t, uint32_t index)
{
    struct vector values = vector_of(r, t, ENUM_VALUES);
    bool is_union = number(r, t, ENUM_IS_UNION, 1, 0) != 0;
    struct flat_table value;
    for (uint32_t i = 0; i < values.count && element(r, values, i, &value); i++) {
        *array_add(&r->set->list.list[r->objects + index].values) = (struct descriptor_value){
            (int64_t)number(r, &value, VALUE_NUMBER, 8, 0), text_of(r, &value, NAME)};
        if (is_union)
            read_member(r, &value, &r->set->list.list[r->objects + r->enums + index]);
    }
}

int descriptor_set_parse_flat(struct descriptor_set *out, struct slice text, struct err *err)
{
    struct reader r = {.text = text, .set = out};
    struct flat_table schema, t;
    if (text.len > DESCRIPTOR_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "larger than %d MiB", DESCRIPTOR_BYTES_MAX >> 20);
    if (text.len < 8 || memcmp(text.data + 4, identifier, 4) != 0 || !flat_root(text, &schema))
        return err_set(err, ERR_FORMAT, "it is no schema as flatc --schema -b writes it");
    struct vector objects = vector_of(&r, &schema, SCHEMA_OBJECTS);
    struct vector enums = vector_of(&r, &schema, SCHEMA_ENUMS);
    if (add_types(&r, objects, enums, err) != 0)
        return -1;
    for (uint32_t i = 0; i < objects.count && element(&r, objects, i, &t); i++)
        read_object(&r, &t, &out->list.list[i]);
    for (uint32_t i = 0; i < enums.count && element(&r, enums, i, &t); i++)
        read_enum(&r, &t, i);
    if (table_at(&r, find(&r, &schema, SCHEMA_ROOT), &t))
        out->root = text_of(&r, &t, NAME);
    out->is_flat = true;
    return !r.malformed && objects.count > 0
               ? 0
               : err_set(err, ERR_FORMAT, "it is no schema as flatc --schema -b writes it");
}

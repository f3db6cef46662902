/* SPDX-License-Identifier: MIT */
#include "event/descriptor.h"

#include <string.h>

#include "base/utf8.h"
#include "event/protobuf.h"

/* Field numbers of descriptor.proto. */
enum {
    SET_FILE = 1,
    FILE_PACKAGE = 2,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_OPTIONS = 8,
    FILE_SYNTAX = 12,
    MESSAGE_NAME = 1,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    MESSAGE_OPTIONS = 7,
    MESSAGE_MAP_ENTRY = 7,
    ENUM_NAME = 1,
    ENUM_VALUE = 2,
    VALUE_NAME = 1,
    VALUE_NUMBER = 2,
    FIELD_NAME = 1,
    FIELD_NUMBER = 3,
    FIELD_LABEL = 4,
    FIELD_TYPE = 5,
    FIELD_TYPE_NAME = 6,
    FIELD_OPTIONS = 8,
    FIELD_ONEOF = 9,
    FEATURES_OF_FILE = 50,
    FEATURES_OF_MESSAGE = 12,
    FEATURES_OF_FIELD = 21,
    FEATURE_PRESENCE = 1,
    PRESENCE_IMPLICIT = 2,
    LABEL_REPEATED = 3,
    FIELD_NUMBER_MAX = (1 << 29) - 1,
    NESTED_MAX = 32, /* of types within types */
};

struct parser {
    struct descriptor_set *set;
    struct err *err;
    unsigned depth;
};

static int malformed(struct parser *p)
{
    return err_set(p->err, ERR_FORMAT, "it is no FileDescriptorSet");
}

/* The last field with this number; false if there is none, or what is in front is malformed. */
static bool find_field(struct slice message, uint32_t number, struct wire_field *out)
{
    struct wire_field field;
    size_t at = 0;
    bool found = false;
    while (protobuf_next(message, &at, &field) == 1)
        if (field.number == number) {
            *out = field;
            found = true;
        }
    return found;
}

/* Options that have a feature: whether presence is implicit; else as it was. */
static bool presence_of(struct slice options, uint32_t features, bool implicit)
{
    struct wire_field set, presence;
    if (!find_field(options, features, &set) || !find_field(set.bytes, FEATURE_PRESENCE, &presence))
        return implicit;
    return presence.value == PRESENCE_IMPLICIT;
}

static struct slice join(struct parser *p, struct slice scope, struct slice name)
{
    struct buf text = {0};
    buf_append_slice(&text, scope);
    if (name.len > 0) {
        buf_append_byte(&text, '.');
        buf_append_slice(&text, name);
    }
    struct slice joined = {(const uint8_t *)arena_text(&p->set->arena, text.data, text.len),
                           text.len};
    buf_free(&text);
    return joined;
}

bool descriptor_is_name(struct slice name)
{
    return name.len > 0 && memchr(name.data, '\0', name.len) == NULL && utf8_valid(name);
}

int descriptor_add(struct descriptor_set *set, struct slice name, bool is_enum, uint32_t *number,
                   struct err *err)
{
    bool added;
    if (set->list.count == DESCRIPTOR_TYPES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d types", DESCRIPTOR_TYPES_MAX);
    *number = map_put(&set->names, name, &added);
    if (!added)
        return err_set(err, ERR_FORMAT, "two types are called %.*s", (int)name.len,
                       (const char *)name.data);
    *array_add(&set->list) = (struct descriptor){.name = name, .is_enum = is_enum};
    return 0;
}

static int add_type(struct parser *p, struct slice name, bool is_enum, uint32_t *number)
{
    return descriptor_add(p->set, name, is_enum, number, p->err);
}

static int parse_field(struct parser *p, struct slice text, bool implicit,
                       struct descriptor_field *out)
{
    struct wire_field field;
    uint64_t type = 0;
    size_t at = 0;
    int more;
    *out = (struct descriptor_field){.oneof = -1};
    while ((more = protobuf_next(text, &at, &field)) == 1) {
        if (field.number == FIELD_NAME)
            out->name = field.bytes;
        else if (field.number == FIELD_NUMBER && field.value <= FIELD_NUMBER_MAX)
            out->number = (uint32_t)field.value;
        else if (field.number == FIELD_LABEL)
            out->repeated = field.value == LABEL_REPEATED;
        else if (field.number == FIELD_TYPE)
            type = field.value;
        else if (field.number == FIELD_TYPE_NAME)
            out->type_name = field.bytes;
        else if (field.number == FIELD_ONEOF)
            out->oneof = (int32_t)field.value; /* also where `optional` of proto3 makes one */
        else if (field.number == FIELD_OPTIONS)
            implicit = presence_of(field.bytes, FEATURES_OF_FIELD, implicit);
    }
    if (more < 0 || !descriptor_is_name(out->name) || out->number == 0 ||
        type < DESCRIPTOR_DOUBLE || type > DESCRIPTOR_SINT64)
        return malformed(p);
    out->type = (enum descriptor_type)type;
    bool message = out->type == DESCRIPTOR_MESSAGE || out->type == DESCRIPTOR_GROUP;
    out->presence = !implicit || message || out->oneof >= 0;
    return 0;
}

static int parse_enum(struct parser *p, struct slice text, struct slice scope)
{
    struct wire_field field, name, number;
    uint32_t type;
    size_t at = 0;
    int more;
    if (!find_field(text, ENUM_NAME, &name) || !descriptor_is_name(name.bytes) ||
        add_type(p, join(p, scope, name.bytes), true, &type) != 0)
        return malformed(p);
    while ((more = protobuf_next(text, &at, &field)) == 1) {
        if (field.number != ENUM_VALUE || !find_field(field.bytes, VALUE_NAME, &name) ||
            !descriptor_is_name(name.bytes))
            continue;
        struct descriptor_value *value = array_add(&p->set->list.list[type].values);
        *value = (struct descriptor_value){.name = name.bytes};
        if (find_field(field.bytes, VALUE_NUMBER, &number))
            value->number = (int32_t)(uint32_t)number.value;
    }
    return more < 0 ? malformed(p) : 0;
}

static int parse_message(struct parser *p, struct slice text, struct slice scope, bool implicit)
{
    struct wire_field field, found;
    uint32_t type;
    size_t at = 0;
    int more = 0, result = 0;
    if (p->depth++ == NESTED_MAX || !find_field(text, MESSAGE_NAME, &found) ||
        !descriptor_is_name(found.bytes) ||
        add_type(p, join(p, scope, found.bytes), false, &type) != 0)
        return malformed(p);
    struct slice name = p->set->list.list[type].name;
    bool map_entry = false;
    if (find_field(text, MESSAGE_OPTIONS, &field)) {
        implicit = presence_of(field.bytes, FEATURES_OF_MESSAGE, implicit);
        map_entry = find_field(field.bytes, MESSAGE_MAP_ENTRY, &found) && found.value != 0;
    }
    p->set->list.list[type].is_map_entry = map_entry;
    while (result == 0 && (more = protobuf_next(text, &at, &field)) == 1) {
        if (field.number == MESSAGE_FIELD)
            result = parse_field(p, field.bytes, implicit || map_entry,
                                 array_add(&p->set->list.list[type].fields));
        else if (field.number == MESSAGE_NESTED)
            result = parse_message(p, field.bytes, name, implicit);
        else if (field.number == MESSAGE_ENUM)
            result = parse_enum(p, field.bytes, name);
    }
    p->depth--;
    return more < 0 ? malformed(p) : result;
}

static int parse_file(struct parser *p, struct slice text)
{
    struct wire_field field;
    struct slice scope = {0};
    size_t at = 0;
    int more = 0, result = 0;
    bool implicit = find_field(text, FILE_SYNTAX, &field) && slice_is(field.bytes, "proto3");
    if (find_field(text, FILE_OPTIONS, &field))
        implicit = presence_of(field.bytes, FEATURES_OF_FILE, implicit);
    if (find_field(text, FILE_PACKAGE, &field))
        scope = join(p, scope, field.bytes);
    while (result == 0 && (more = protobuf_next(text, &at, &field)) == 1) {
        if (field.number == FILE_MESSAGE)
            result = parse_message(p, field.bytes, scope, implicit);
        else if (field.number == FILE_ENUM)
            result = parse_enum(p, field.bytes, scope);
    }
    return more < 0 ? malformed(p) : result;
}

int descriptor_set_parse(struct descriptor_set *out, struct slice text, struct err *err)
{
    struct parser p = {.set = out, .err = err};
    struct wire_field field;
    size_t at = 0;
    int more = 0, result = 0;
    if (text.len > DESCRIPTOR_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "larger than %d MiB", DESCRIPTOR_BYTES_MAX >> 20);
    while (result == 0 && (more = protobuf_next(text, &at, &field)) == 1)
        if (field.number == SET_FILE)
            result = parse_file(&p, field.bytes);
    return more < 0 || (result == 0 && out->list.count == 0) ? malformed(&p) : result;
}

const struct descriptor *descriptor_find(const struct descriptor_set *set, struct slice name)
{
    int64_t number = map_find(&set->names, name);
    return number < 0 ? NULL : &set->list.list[number];
}

void descriptor_set_free(struct descriptor_set *set)
{
    for (size_t i = 0; i < set->list.count; i++) {
        array_free(&set->list.list[i].fields);
        array_free(&set->list.list[i].values);
    }
    array_free(&set->list);
    map_free(&set->names);
    arena_free(&set->arena);
}

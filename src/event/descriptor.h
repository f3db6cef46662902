/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_DESCRIPTOR_H
#define VARVE_EVENT_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "event/flatbuffer.h"

/*
 * The types of payloads, what a decoder needs of them. Those of protobuf come as `protoc
 * --descriptor_set_out` writes them: a FileDescriptorSet (google/protobuf/descriptor.proto), of
 * proto2, proto3 and editions. Those of FlatBuffers come as `flatc --schema -b` writes them: a
 * FlatBuffer of reflection.fbs; they are told in the terms of protobuf, tables and structs as
 * messages, and a union as a message that has one of its fields.
 */
enum {
    DESCRIPTOR_TYPES_MAX = 20000, /* messages and enums */
    DESCRIPTOR_BYTES_MAX = 16 * 1024 * 1024,
};

/* FieldDescriptorProto.Type */
enum descriptor_type {
    DESCRIPTOR_DOUBLE = 1,
    DESCRIPTOR_FLOAT,
    DESCRIPTOR_INT64,
    DESCRIPTOR_UINT64,
    DESCRIPTOR_INT32,
    DESCRIPTOR_FIXED64,
    DESCRIPTOR_FIXED32,
    DESCRIPTOR_BOOL,
    DESCRIPTOR_STRING,
    DESCRIPTOR_GROUP,
    DESCRIPTOR_MESSAGE,
    DESCRIPTOR_BYTES,
    DESCRIPTOR_UINT32,
    DESCRIPTOR_ENUM,
    DESCRIPTOR_SFIXED32,
    DESCRIPTOR_SFIXED64,
    DESCRIPTOR_SINT32,
    DESCRIPTOR_SINT64,
};

/* Where a value of FlatBuffers is. */
struct descriptor_place {
    uint16_t offset;        /* in the table's vtable, or in the struct */
    enum flat_type type;    /* FLAT_ARRAY or FLAT_VECTOR, too */
    enum flat_type element; /* of these; else the same as `type` */
    uint16_t count;         /* of FLAT_ARRAY */
    uint64_t initial;       /* of a number that is absent, as it would be there */
};

struct descriptor_field {
    struct slice name;
    uint32_t number; /* of FlatBuffers: the id, and one */
    enum descriptor_type type;
    bool repeated;
    bool presence;                 /* absent is not the default: null */
    int32_t oneof;                 /* -1: in none */
    struct slice type_name;        /* of messages and enums, with a dot in front */
    struct descriptor_place place; /* of FlatBuffers */
};

struct descriptor_value {
    int64_t number;
    struct slice name;
};

/* A message, or an enum. */
struct descriptor {
    struct slice name; /* with a dot in front */
    bool is_enum, is_map_entry;
    uint32_t bytes; /* of a struct of FlatBuffers; 0: it is none */
    ARRAY(struct descriptor_field) fields;
    ARRAY(struct descriptor_value) values;
};

/* A zeroed struct is empty. Slices point into the text that was parsed, or the arena. */
struct descriptor_set {
    struct arena arena;
    struct map names; /* with a dot in front; its numbers are those of `list` */
    ARRAY(struct descriptor) list;
    bool is_flat;      /* of FlatBuffers */
    struct slice root; /* of these: the name of the root_type, or empty */
};

/* Parse a set, which is borrowed as long as *out. ERR_FORMAT, ERR_LIMIT. */
int descriptor_set_parse(struct descriptor_set *out, struct slice text, struct err *err)
    __attribute__((warn_unused_result));

/* The same of a schema of FlatBuffers. Fields of 64-bit offsets are left out. */
int descriptor_set_parse_flat(struct descriptor_set *out, struct slice text, struct err *err)
    __attribute__((warn_unused_result));

/* Whether a field, a type or a value can be called so: by some UTF-8 without a NUL, since columns
 * have names of C, and tables text. */
bool descriptor_is_name(struct slice name);

/* Add a type while a set is parsed, whose name, with a dot in front, lives as long as the set. */
int descriptor_add(struct descriptor_set *set, struct slice name, bool is_enum, uint32_t *number,
                   struct err *err) __attribute__((warn_unused_result));

/* By its full name with a dot in front; NULL: it is not there. Valid as long as the set. */
const struct descriptor *descriptor_find(const struct descriptor_set *set, struct slice name);

void descriptor_set_free(struct descriptor_set *set);

#endif

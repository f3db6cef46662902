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

/*
 * The types of protobuf messages as `protoc --descriptor_set_out` writes them: a FileDescriptorSet
 * (google/protobuf/descriptor.proto), of proto2, proto3 and editions. What a decoder needs of it.
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

struct descriptor_field {
    struct slice name;
    uint32_t number;
    enum descriptor_type type;
    bool repeated;
    bool presence;          /* absent is not the default: null */
    int32_t oneof;          /* -1: in none */
    struct slice type_name; /* of messages and enums, with a dot in front */
};

struct descriptor_value {
    int32_t number;
    struct slice name;
};

/* A message, or an enum. */
struct descriptor {
    struct slice name; /* with a dot in front */
    bool is_enum, is_map_entry;
    ARRAY(struct descriptor_field) fields;
    ARRAY(struct descriptor_value) values;
};

/* A zeroed struct is empty. Slices point into the text that was parsed, or the arena. */
struct descriptor_set {
    struct arena arena;
    struct map names; /* with a dot in front; its numbers are those of `list` */
    ARRAY(struct descriptor) list;
};

/* Parse a set, which is borrowed as long as *out. ERR_FORMAT, ERR_LIMIT. */
int descriptor_set_parse(struct descriptor_set *out, struct slice text, struct err *err)
    __attribute__((warn_unused_result));

/* By its full name with a dot in front; NULL: it is not there. Valid as long as the set. */
const struct descriptor *descriptor_find(const struct descriptor_set *set, struct slice name);

void descriptor_set_free(struct descriptor_set *set);

#endif

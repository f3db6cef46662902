/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_FLATBUFFER_H
#define VARVE_EVENT_FLATBUFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * The parts of a FlatBuffer (flatbuffers.dev, "FlatBuffers Internals"). The bytes are hostile: each
 * is looked for before it is read, and places count from the begin of the buffer. False: something
 * points out of it, or is malformed.
 */

/* reflection.fbs, BaseType */
enum flat_type {
    FLAT_NONE,
    FLAT_UTYPE, /* which member of a union it is */
    FLAT_BOOL,
    FLAT_BYTE,
    FLAT_UBYTE,
    FLAT_SHORT,
    FLAT_USHORT,
    FLAT_INT,
    FLAT_UINT,
    FLAT_LONG,
    FLAT_ULONG,
    FLAT_FLOAT,
    FLAT_DOUBLE,
    FLAT_STRING,
    FLAT_VECTOR,
    FLAT_OBJECT,
    FLAT_UNION,
    FLAT_ARRAY, /* of a fixed length, in structs */
    FLAT_TYPES,
};

struct flat_table {
    struct slice buffer;
    size_t at;
    size_t slots; /* its vtable, */
    uint16_t slots_bytes;
    uint16_t bytes; /* and what the table has of its own */
};

/* Bytes of a value where it stands: of what is elsewhere, of the offset that leads there; 0 for
 * objects, of which structs have their own, and for FLAT_NONE. */
unsigned flat_width(enum flat_type type);

bool flat_root(struct slice buffer, struct flat_table *out);
bool flat_table_at(struct slice buffer, size_t at, struct flat_table *out);

/* Where a table has a field, by its offset in the vtable; 0: it has not. */
bool flat_find(const struct flat_table *t, uint32_t offset, size_t *at);

/* A number of 1, 2, 4 or 8 bytes; not sign-extended. */
bool flat_load(struct slice buffer, size_t at, unsigned width, uint64_t *out);

/* Where the offset at `at` leads to. */
bool flat_follow(struct slice buffer, size_t at, size_t *out);

/* The elements of the vector, and the bytes of the string, to which the offset at `at` leads. */
bool flat_vector(struct slice buffer, size_t at, size_t width, size_t *first, uint32_t *count);
bool flat_string(struct slice buffer, size_t at, struct slice *out);

#endif

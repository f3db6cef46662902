/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_FIELD_H
#define VARVE_PARQUET_READ_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "parquet/format.h"
#include "parquet/read/leaf.h"

/*
 * The schema of a file as its users think of it: a tree of values, structs, lists and maps. What
 * the format needs in between (the group `list`, the group `key_value`) is not in it, and neither
 * are groups without any column, of which a file says nothing. Older and foreign ways to write
 * lists and maps are understood as LogicalTypes.md has it (Backward-compatibility rules).
 */
enum parquet_field_kind {
    PARQUET_FIELD_VALUE,  /* a leaf */
    PARQUET_FIELD_STRUCT, /* children: its fields */
    PARQUET_FIELD_LIST,   /* one child: the element */
    PARQUET_FIELD_MAP,    /* two children: key and value */
};

struct parquet_field {
    enum parquet_field_kind kind;
    struct slice
        name;      /* in its group, without dots; of elements, keys and values: whatever is there */
    uint32_t leaf; /* number of the first leaf in it */
    uint32_t leaves;        /* how many there are in it, at least one */
    enum parquet_type type; /* VALUE */
    /* Entries whose definition level is below this are nulls, here or further up. Of lists and
     * maps, this very level is that of an empty one. */
    uint8_t definition;
    uint8_t repetition; /* LIST, MAP: the repetition level of its second and later elements */
    bool optional;      /* it can be null where it is; else only what is around it can */
    uint32_t children;
    struct parquet_field *first; /* child */
    struct parquet_field *next;  /* of the same parent */
};

/* The tree over a schema that parquet_leaves accepted, in the arena: a STRUCT of the top-level
 * columns, perhaps without any. */
const struct parquet_field *parquet_fields(const struct parquet_file_metadata *metadata,
                                           struct arena *arena);

/* The child with this name, or NULL. */
const struct parquet_field *parquet_field_child(const struct parquet_field *field,
                                                struct slice name);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BATCH_SCHEMA_H
#define VARVE_BATCH_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * What the columns of a batch are, and what the file format should know about them. A schema
 * outlives all that points to it.
 *
 * Columns may nest. They then lie depth first in one array: a struct is followed by its fields, a
 * list by its element, a map by its key and its value, each with all that is in it. So every
 * column, group or not, has one number, and a schema without groups is simply the list of its
 * columns.
 */
enum column_type {
    COLUMN_INT64,
    COLUMN_BYTES,
    COLUMN_BOOLEAN,
    COLUMN_INT32,
    COLUMN_FLOAT,
    COLUMN_DOUBLE,
    COLUMN_STRUCT, /* `children` fields follow, at least one */
    COLUMN_LIST,   /* its element follows; the element's name is of no account */
    COLUMN_MAP,    /* key and value follow; the key is a required value; names as for lists */
};

enum column_meaning {
    COLUMN_RAW,         /* a plain number, or bytes of any content */
    COLUMN_TEXT,        /* COLUMN_BYTES that are valid UTF-8: whoever appends has checked */
    COLUMN_ENUM,        /* the same, the name of a constant */
    COLUMN_JSON,        /* the same, a JSON document */
    COLUMN_TIME_MICROS, /* COLUMN_INT64, microseconds since 1970 UTC */
    COLUMN_DATE,        /* COLUMN_INT32, days since 1970 */
    COLUMN_DECIMAL,     /* COLUMN_INT32 or COLUMN_INT64, unscaled: see `precision`, `scale`. Or
                           COLUMN_BYTES: big-endian, two's complement, all of one length, and none
                           of them negative, so that their order is that of bytes */
};

struct column_spec {
    const char
        *name; /* [a-z0-9_]+ in varve's own tables; unique in its group without regard to case */
    enum column_type type;
    enum column_meaning meaning;
    bool optional;     /* may be null; else it has a value wherever its group has one */
    bool dictionary;   /* few distinct values are expected: try a dictionary */
    bool bounds;       /* readers will want minimum and maximum */
    bool ordered;      /* expected to ascend: declared as the sort order where it really does */
    bool random;       /* high entropy text such as UUIDs: not worth a high compression level */
    uint32_t children; /* STRUCT */
    uint32_t field;    /* by which it is the same column where it is called differently; 0: it is
                          known by its name */
    uint8_t precision; /* DECIMAL: digits in all, at most 9 of INT32, 18 of INT64, 38 of BYTES */
    uint8_t scale;     /* DECIMAL: digits behind the point */
};

struct schema {
    const char *name;
    const struct column_spec *columns;
    uint32_t count;
};

enum {
    SCHEMA_COLUMNS_MAX = 1024,
    /* Columns within each other. A list takes two groups of a Parquet schema, and readers give up
     * at some 64 of them. */
    SCHEMA_DEPTH_MAX = 30,
    SCHEMA_NO_PARENT = UINT32_MAX,
};

/* Where a column is in the tree, and the levels that place its values in a row (parquet-format
 * README, Nested Encoding). */
struct schema_node {
    uint32_t parent;    /* or SCHEMA_NO_PARENT */
    uint32_t end;       /* behind all that is in it */
    uint8_t definition; /* of an entry where it is not null; of an empty list or map, too */
    uint8_t repetition; /* lists and maps around it */
};

/* The place of each column, schema->count of them. ERR_LIMIT or ERR_FORMAT, with the column, if the
 * array is no tree, or not one that batches can have. */
int schema_nodes(const struct schema *schema, struct schema_node *nodes, struct err *err)
    __attribute__((warn_unused_result));

/* True for values, false for structs, lists and maps. */
bool column_is_leaf(const struct column_spec *spec);

/* Whole numbers of more than 64 bits: decimals that are bytes. */
static inline bool column_is_wide(const struct column_spec *spec)
{
    return spec->type == COLUMN_BYTES && spec->meaning == COLUMN_DECIMAL && spec->scale == 0;
}

/* Bytes of a value in a batch; 0: its length, as u32, stands in front of each. */
uint32_t column_width(enum column_type type);

/* No column is within another one. */
bool schema_is_flat(const struct schema *schema);

/* The number behind a column and all that is in it. */
uint32_t schema_end(const struct schema *schema, uint32_t column);

/* The number of the first column with this name, or -1. */
int schema_find(const struct schema *schema, const char *name);

#endif

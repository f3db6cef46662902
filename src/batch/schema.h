/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BATCH_SCHEMA_H
#define VARVE_BATCH_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What the columns of a batch are, and what the file format should know about them. A schema is
 * static data: it outlives all that points to it.
 */
enum column_type {
    COLUMN_INT64,
    COLUMN_BYTES,
};

enum column_meaning {
    COLUMN_RAW,         /* a plain number, or bytes of any content */
    COLUMN_TEXT,        /* COLUMN_BYTES that are valid UTF-8: whoever appends has checked */
    COLUMN_TIME_MICROS, /* COLUMN_INT64, microseconds since 1970 UTC */
};

struct column_spec {
    const char *name; /* [a-z0-9_]+, unique without regard to case */
    enum column_type type;
    enum column_meaning meaning;
    bool optional;   /* may be null; else every row has a value */
    bool dictionary; /* few distinct values are expected: try a dictionary */
    bool bounds;     /* readers will want minimum and maximum */
    bool ordered;    /* expected to ascend: declared as the sort order where it really does */
    bool random;     /* high entropy text such as UUIDs: not worth a high compression level */
};

struct schema {
    const char *name;
    const struct column_spec *columns;
    uint32_t count;
};

enum { SCHEMA_COLUMNS_MAX = 1024 };

/* The index of the column with this name, or -1. */
int schema_find(const struct schema *schema, const char *name);

#endif

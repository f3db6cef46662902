/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_FILE_H
#define VARVE_PARQUET_READ_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "parquet/format.h"
#include "parquet/read/leaf.h"
#include "parquet/read/page.h"

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

/* Rows of a row group, from `first` on, `end` not included. */
struct parquet_range {
    uint64_t first, end;
};

/* Which rows of a row group are read, in order and apart from each other. */
struct parquet_kept {
    const struct parquet_range *ranges;
    uint32_t count;
    uint64_t rows; /* in all of them */
};

/* A file whose footer has been read. A zeroed struct is a closed one. */
struct parquet_file {
    struct parquet_source source;
    uint64_t footer_offset; /* pages and indexes end here at the latest */
    struct buf footer;      /* what the metadata points into, with the arena */
    struct arena arena;
    struct parquet_file_metadata metadata;
    struct parquet_leaf *leaves;
    uint32_t leaves_count;
    const struct parquet_field *root; /* the same as a tree */
    /* By row group; NULL: all rows. Who opened the file may set it before the first row is read:
     * cursor.h leaves the others out. In the arena. */
    const struct parquet_kept *kept;
};

enum {
    /* Other readers refuse footers that are much smaller than this. */
    PARQUET_FOOTER_MAX = 64 * 1024 * 1024,
};

/*
 * Read and check the frame of the file: both magics, the footer, the schema; every row group has a
 * chunk for every leaf. ERR_FORMAT if it is no Parquet file, truncated or damaged, ERR_UNSUPPORTED
 * if it is encrypted, ERR_LIMIT, or what the source says. The source must outlive the file.
 * `f` is empty after an error.
 */
int parquet_file_open(struct parquet_file *f, const struct parquet_source *source, struct err *err)
    __attribute__((warn_unused_result));

/* The same for a file that is open or closed: the memory of the one before is used again. */
int parquet_file_reopen(struct parquet_file *f, const struct parquet_source *source,
                        struct err *err) __attribute__((warn_unused_result));

/* Gives the memory back, accepts a closed file. */
void parquet_file_close(struct parquet_file *f);

/* How many rows of a row group are read. */
uint64_t parquet_file_rows(const struct parquet_file *f, uint32_t row_group);

/* The value of an entry of the footer, or a slice with a NULL pointer if there is none. */
struct slice parquet_file_value(const struct parquet_file *f, const char *key);

/* The number of the leaf with this name, or -1. */
int64_t parquet_file_leaf(const struct parquet_file *f, struct slice name);

/* True if the bounds that the file states of this leaf's values are meant in the order of their
 * type (parquet_leaf_compare). Only those are believed, and compared by parquet_verify. */
bool parquet_file_is_ordered(const struct parquet_file *f, uint32_t leaf);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_FILE_H
#define VARVE_PARQUET_READ_FILE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "parquet/format.h"
#include "parquet/read/field.h"
#include "parquet/read/leaf.h"
#include "parquet/read/page.h"

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

/* Gives the memory back, accepts a closed file. */
void parquet_file_close(struct parquet_file *f);

/* The value of an entry of the footer, or a slice with a NULL pointer if there is none. */
struct slice parquet_file_value(const struct parquet_file *f, const char *key);

/* The number of the leaf with this name, or -1. */
int64_t parquet_file_leaf(const struct parquet_file *f, struct slice name);

#endif

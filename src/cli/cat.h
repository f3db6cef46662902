/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_CAT_H
#define VARVE_CLI_CAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "follow/filter.h"
#include "object/object.h"
#include "parquet/read/file.h"

/* Who takes rows in place of stdout. */
struct cat_taker {
    void (*expect)(void *context,
                   uint64_t rows); /* of a table: so many come, if its log is right */
    void (*begin)(void *context);  /* the rows that come are of another stream */
    void (*take)(void *context, const struct slice *values); /* of the columns, in their order */
    /* Or in two steps, where no row is filtered: as in follow/reader.h, and what is taken then is
     * the record. NULL: in one. */
    void (*make)(void *context, const struct slice *values, void *record);
    void (*take_record)(void *context, const void *record);
    size_t record_size;
    void *context;
    const enum parquet_type *types; /* that they have */
};

/* `varve cat`: what was asked for, and what has been done so far. */
struct cat {
    const struct cat_taker *taker; /* NULL: rows are printed */
    const char *columns;           /* comma-separated, NULL: all */
    uint64_t left;                 /* rows that may still be printed */
    bool verbose;
    bool follow; /* go on with what is committed */
    struct filter filter;
    uint64_t files, groups; /* whose statistics were looked at */
    uint64_t files_skipped, groups_skipped;
    uint64_t pages, pages_skipped; /* of the compared columns */
    struct parquet_codec *codec;
    struct buf line;
};

/* Leave out of an open file the row groups and pages in which nothing can pass the filter; false if
 * nothing is left of it. `name` is for what -v says. */
bool cat_prune(struct cat *cat, struct parquet_file *file, const char *name);

/* Say on stderr that so many rows were passed over; none is nothing to say. */
void cat_tell_without(uint64_t rows);

/* What lies in a directory or a bucket without a log, or in one file: as cat_table, for a taker, in
 * the order of their sequences. *flat is false if the rows have none. */
int cat_plain(struct cat *cat, const char *path, bool *flat, struct err *err)
    __attribute__((warn_unused_result));

/* The folder that cat_plain opens for it: the path itself unless it is a file. */
void cat_append_folder(struct buf *out, const char *path);

/*
 * Print the rows of a table in the order of their streams; with `follow` also those of later
 * commits, until SIGTERM, SIGINT, or the end of who reads stdout. *flat is false, and nothing is
 * printed, if the rows are not of plain values. An output that can't be written ends it, and is for
 * the caller to see.
 */
int cat_table(struct cat *cat, struct object_store *store, bool *flat, struct err *err)
    __attribute__((warn_unused_result));

#endif

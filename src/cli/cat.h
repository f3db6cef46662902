/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_CAT_H
#define VARVE_CLI_CAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/filter.h"
#include "object/object.h"
#include "parquet/read/file.h"

/* `varve cat`: what was asked for, and what has been done so far. */
struct cat {
    const char *columns; /* comma-separated, NULL: all */
    uint64_t left;       /* rows that may still be printed */
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

/*
 * Print the rows of a table in the order of their streams; with `follow` also those of later
 * commits, until SIGTERM, SIGINT, or the end of who reads stdout. *flat is false, and nothing is
 * printed, if the rows are not of plain values. An output that can't be written ends it, and is for
 * the caller to see.
 */
int cat_table(struct cat *cat, struct object_store *store, bool *flat, struct err *err)
    __attribute__((warn_unused_result));

#endif

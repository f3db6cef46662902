/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_ROWS_H
#define VARVE_VERIFY_ROWS_H

#include <stdbool.h>

#include "base/map.h"
#include "batch/seqset.h"
#include "parquet/codec.h"
#include "parquet/read/file.h"
#include "parquet/read/rows.h"
#include "verify/report.h"

enum {
    /* Ranges of one file: a file of one simulation among many has about one a row. */
    VERIFY_RANGES_MAX = 1 << 24,
};

/* True if the footer says that varve wrote the file: the rows can then be checked against it. */
bool verify_rows_applies(const struct parquet_file *file);

/* True if its rows say where they stand in their stream, as those of a table do whoever wrote the
 * file. */
bool verify_rows_are_numbered(const struct parquet_file *file);

/*
 * Read the rows of a file of varve: its sequences against what the footer says of them, and the
 * time and names in them against `path`, where the file is, unless that is NULL. Of `path` only the
 * end matters, as long as the template: so it may be absolute. What is wrong is reported; the
 * sequences go to `sequences`, sorted. `shared`: they may be of several streams, so one may be
 * there more than once. False if the rows can't be read, which parquet_verify has told already.
 * *memory is kept for the next file: NULL at first, for parquet_rows_free in the end.
 */
bool verify_rows(const struct parquet_file *file, const char *path, bool shared,
                 struct parquet_codec *codec, struct parquet_rows **memory, struct report *report,
                 struct seqset *sequences);

/* Add the subjects of the rows of a file of varve to `subjects`, which stays below
 * VERIFY_SUBJECTS_MAX + 2: so one can see that there are more. A file without them adds none. */
void verify_subjects(const struct parquet_file *file, struct parquet_codec *codec,
                     struct map *subjects);

#endif

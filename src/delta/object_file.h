/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_OBJECT_FILE_H
#define VARVE_DELTA_OBJECT_FILE_H

#include "base/err.h"
#include "base/sha256.h"
#include "delta/snapshot.h"
#include "object/object.h"
#include "parquet/read/file.h"

/* Append the name of the object that a path of the log means. ERR_FORMAT for one that does not lie
 * below the folder of the table, as those of a shallow clone: nothing else is ever opened. */
int delta_object_name(struct buf *out, struct slice path, struct err *err)
    __attribute__((warn_unused_result));

/* The same of all live files: the error is that of the first one that lies elsewhere. */
int delta_object_names_check(const struct delta_snapshot *s, struct err *err)
    __attribute__((warn_unused_result));

/* A Parquet file that is an object. A zeroed struct is a closed one; it must not move while it is
 * open. */
struct delta_object_file {
    struct object_store *store;
    struct buf name;
    bool whole;       /* it is small: all of it is in `bytes` */
    struct buf bytes; /* else what was read last; kept for its memory */
    struct parquet_source source;
    struct parquet_file file;
};

/* *found: there is an object of this name. `file` is closed after an error. */
int delta_object_file_open(struct delta_object_file *f, struct object_store *store,
                           const char *name, bool *found, struct err *err)
    __attribute__((warn_unused_result));
void delta_object_file_close(struct delta_object_file *f);

#endif

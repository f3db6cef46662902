/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_FILE_SOURCE_H
#define VARVE_FOLLOW_FILE_SOURCE_H

#include "base/buf.h"
#include "base/err.h"
#include "object/object.h"
#include "parquet/read/page.h"

/* An object as a parquet_source. It must not move while it is open: the source points to it. */
struct object_source {
    struct object_store *store;
    const char *name;
    struct buf read;  /* what was read last, */
    uint64_t read_at; /* from there on */
    struct parquet_source source;
};

/* `name` is borrowed. ERR_SYSTEM if there is no such object, with ENOENT. Its name is not in the
 * error text. */
int object_source_open(struct object_source *o, struct object_store *store, const char *name,
                       struct err *err) __attribute__((warn_unused_result));

/* Accepts a zeroed struct. */
void object_source_close(struct object_source *o);

/* A file, or an object by its URL; the same holds. */
struct file_source {
    int fd;
    struct object_store *bucket; /* of an object, from its root on */
    struct object_source object;
    struct parquet_source source;
};

/* `path` is borrowed. ERR_SYSTEM if it can't be opened, or is no regular file. The path is not in
 * the error text. */
int file_source_open(struct file_source *f, const char *path, struct err *err)
    __attribute__((warn_unused_result));
void file_source_close(struct file_source *f);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_FILE_SOURCE_H
#define VARVE_FOLLOW_FILE_SOURCE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "follow/feed.h"
#include "object/object.h"
#include "parquet/read/page.h"

/* An object as a parquet_source. It must not move while it is open: the source points to it. */
struct object_source {
    struct object_store *store;
    const char *name;
    struct buf read;         /* what was read last, */
    uint64_t read_at;        /* from there on */
    struct feed *feed;       /* NULL: it is read in the store, */
    struct feed_place place; /* else here, as long as it is there */
    struct parquet_source source;
};

/* `name` is borrowed. ERR_SYSTEM if there is no such object, with ENOENT. Its name is not in the
 * error text. */
int object_source_open(struct object_source *o, struct object_store *store, const char *name,
                       struct err *err) __attribute__((warn_unused_result));

/* The same, of bytes with this SHA-256 (NULL: not known): from the feed where that has them, and
 * while it has. It counts which. `reader` may be NULL. */
int object_source_open_fed(struct object_source *o, struct object_store *store, const char *name,
                           struct slice sha256, struct feed_reader *reader, struct err *err)
    __attribute__((warn_unused_result));

/* Accepts a zeroed struct. */
void object_source_close(struct object_source *o);

/* A file, or an object by its URL; the same holds. */
struct file_source {
    int fd;
    struct buf small;            /* all of a small file, once something of it was read */
    struct object_store *bucket; /* of an object, from its root on */
    struct object_source object;
    struct parquet_source source;
};

/* `path` is borrowed. ERR_SYSTEM if it can't be opened, or is no regular file. The path is not in
 * the error text. */
int file_source_open(struct file_source *f, const char *path, struct err *err)
    __attribute__((warn_unused_result));
void file_source_close(struct file_source *f);

/* The SHA-256 of all of it, for a file that is small enough to be in memory; false: it is not. */
bool file_source_hash(const struct file_source *f, char out[static SHA256_TEXT_MAX]);

#endif

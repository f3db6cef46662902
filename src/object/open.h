/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_OPEN_H
#define VARVE_OBJECT_OPEN_H

#include <stdbool.h>

#include "object/object.h"
#include "object/s3_client.h"
#include "object/system.h"

/*
 * Where a store lies: a directory (object/posix.h), or a bucket (object/bucket.h). Whoever opens
 * one opens it here.
 */
struct object_config {
    const char *root;        /* a directory, or s3://BUCKET/PREFIX */
    const char *entries;     /* the folder of entries: one part of a name, and a '/' */
    const char *writer;      /* its name, for people. NULL: only reads */
    const char *writer_name; /* as part of a file name: distinct for distinct writers */
    struct system system;    /* of a directory. Zeroed: the plain system */
    struct buf *doubts;      /* of a writer that is to probe the place, else NULL */
};

/* NULL on errors: see object_posix_open and object_bucket_open. */
struct object_store *object_open(const struct object_config *config, struct err *err)
    __attribute__((warn_unused_result));

/* Whether this is the URL of a bucket, s3://..., rather than a path. */
bool object_is_url(const char *root);

/* How buckets are reached, for all that this process opens from now on: bucket and prefix of it are
 * not looked at. Borrowed until the end. Without this, as the environment says. */
void object_reach(const struct s3_options *options);
const struct s3_options *object_reached(void);

#endif

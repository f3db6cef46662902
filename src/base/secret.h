/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_SECRET_H
#define VARVE_BASE_SECRET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"

/*
 * Read a regular file of at most `max` bytes into `out`, which was empty: its memory never moves,
 * so that no copy of a secret is left behind, and has room for a byte more. A pipe that nobody
 * writes to holds nobody up. `mode` may be NULL. The error says why, not which file: its caller
 * knows what it is to the user. `out` is to be freed in any case, by secret_free where it is
 * secret.
 */
int secret_read(const char *path, size_t max, struct buf *out, mode_t *mode, struct err *err)
    __attribute__((warn_unused_result));

/* Whether this process can read the file. */
bool secret_is_readable(const char *path);

/* The permissions of a file; false: they can't be had. */
bool secret_mode(const char *path, mode_t *mode);

/*
 * Files that are read ahead, on a thread that may hang as long as their file system does, for one
 * that must not. A zeroed struct has none.
 */
struct secret_file {
    char *path;
    size_t max;
    mode_t mode; /* and what secret_read makes of it: */
    struct buf content;
    int result;
    struct err err;
};

struct secret_files {
    ARRAY(struct secret_file);
};

/* A file that is to be read: at most so much of it. "" is none. */
void secret_files_add(struct secret_files *files, const char *path, size_t max);
void secret_files_read(struct secret_files *files);
void secret_files_free(struct secret_files *files);

/* From now on the functions above, on this thread, take these files from here: as they were when
 * they were read. NULL: from the file system, as all others. Borrowed. */
void secret_read_from(const struct secret_files *files);

/* Whether a file of this mode can be read, or changed, by whom it should not. Its group may read
 * it: that is how systemd and Kubernetes let a service have its files. */
bool secret_is_exposed(mode_t mode);

/* Overwrite, in a way that no compiler leaves out, and free. */
void secret_free(struct buf *b);

#endif

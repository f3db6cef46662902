/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_DIRECTORY_H
#define VARVE_OBJECT_DIRECTORY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "object/system.h"

/*
 * Directories, so that they outlive a crash: a new name is durable when the directory that holds it
 * has been synced. Paths are relative to `dir` and lead through no symbolic link; "." is `dir`.
 */
enum directory_flags {
    DIRECTORY_MAKE = 1,    /* it and its parents, where they are missing */
    DIRECTORY_DURABLE = 2, /* ... and sync all that hold its name: who made it may not have */
    DIRECTORY_FOLLOW = 4,  /* a path that the user chose: any, with links */
};

/* Open a directory: a descriptor, or -1. `flags` are of directory_flags. */
int directory_open(const struct system *system, int dir, const char *path, unsigned flags,
                   struct err *err) __attribute__((warn_unused_result));

/* Make what is missing of `path`, but for its first `known` bytes, which are the path of a
 * directory that should be there. Whether what was there is a directory, who opens it finds out. */
int directory_make(const struct system *system, int dir, struct slice path, size_t known,
                   struct err *err) __attribute__((warn_unused_result));

/* The error of an open without links: `what`, such as "the directory ", is put in front of the
 * path. Returns -1. */
int directory_open_failed(const char *what, const char *path, int error, struct err *err);

/* Put the path of the directory in which `path` lies into `out`. */
void directory_parent(struct buf *out, struct slice path);

/* The last part of a path. */
const char *directory_base(const char *path);

/* Visit the names in a directory that the user has named, see system_list. -1 with errno. */
int directory_list(const char *path, system_visit *visit, void *context);

/* fsync one directory. It may be repeated after an error, unlike that of a file: directories are
 * journaled, and a journal that could not be written keeps failing. */
int directory_sync(const struct system *system, int dir, const char *path, struct err *err)
    __attribute__((warn_unused_result));

/* The same for each path in `paths`; for more than `each_max` of them, syncfs where there is one.
 */
int directory_sync_all(const struct system *system, int dir, const struct map *paths,
                       uint32_t each_max, struct err *err) __attribute__((warn_unused_result));

#endif

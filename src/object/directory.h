/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_DIRECTORY_H
#define VARVE_OBJECT_DIRECTORY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "object/system.h"

/*
 * Directories, so that they outlive a crash: a new name is durable when the directory that holds it
 * has been synced. Paths are relative to `dir`, or absolute; "." is `dir` itself.
 */

/* Open a directory, making it and its parents where they are missing; what is made here is durable.
 * A descriptor, or -1. */
int store_directory_open(const struct store_system *system, int dir, const char *path,
                         struct err *err) __attribute__((warn_unused_result));

/* Make the directories in which `path` lies. Nothing is synced; where `made` is given, the
 * directories that got a new name in them are added to it. */
int store_directory_make_parents(const struct store_system *system, int dir, const char *path,
                                 struct map *made, struct err *err)
    __attribute__((warn_unused_result));

/* Put the path of the directory in which `path` lies into `out`. */
void store_directory_parent(struct buf *out, struct slice path);

/* fsync one directory. It may be repeated after an error, unlike that of a file: directories are
 * journaled, and a journal that could not be written keeps failing. */
int store_directory_sync(const struct store_system *system, int dir, const char *path,
                         struct err *err) __attribute__((warn_unused_result));

/* The same for each path in `paths`. */
int store_directory_sync_all(const struct store_system *system, int dir, const struct map *paths,
                             struct err *err) __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_LOG_H
#define VARVE_STORE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "batch/position.h"
#include "object/system.h"

/*
 * The files of a Delta log: `dir` is a descriptor of _delta_log. Entries are numbered from 0 in
 * their names and are never changed; those with small numbers may be gone where some other tool has
 * made a checkpoint and cleaned up.
 */
enum { STORE_LOG_NAME_MAX = 32 };

/* The name of an entry: 20 digits and ".json". */
void store_log_name(char out[static STORE_LOG_NAME_MAX], uint64_t version);

/* The versions that are there, ascending. A zeroed struct is empty. */
struct store_versions {
    ARRAY(uint64_t);
};

int store_log_list(const struct store_system *system, int dir, struct store_versions *out,
                   struct err *err) __attribute__((warn_unused_result));
void store_versions_free(struct store_versions *versions);

/* Append the content of a file in `dir`, which is at most STORE_ENTRY_MAX bytes; where `line` is
 * true only its first line, without the newline. */
int store_log_read(const struct store_system *system, int dir, const char *name, bool line,
                   struct buf *out, struct err *err) __attribute__((warn_unused_result));

/*
 * Find the newest entry of `instance` and the positions in it, going back from the newest one of
 * all. *found says whether there is one; *read counts those that were looked at.
 */
int store_log_positions(const struct store_system *system, int dir,
                        const struct store_versions *versions, const char *instance,
                        struct positions *out, bool *found, uint64_t *read, struct err *err)
    __attribute__((warn_unused_result));

/* Find the entry that is the same file as `inode`; *found says whether there is one. */
int store_log_find_inode(const struct store_system *system, int dir,
                         const struct store_versions *versions, ino_t inode, bool *found,
                         struct err *err) __attribute__((warn_unused_result));

/* Write a whole file in `dir` and make its content durable. What had that name before goes. */
int store_log_write(const struct store_system *system, int dir, const char *name,
                    struct slice content, struct err *err) __attribute__((warn_unused_result));

#endif

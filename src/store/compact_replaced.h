/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_COMPACT_REPLACED_H
#define VARVE_STORE_COMPACT_REPLACED_H

#include "base/array.h"
#include "base/map.h"
#include "delta/snapshot.h"
#include "object/object.h"

/*
 * Files that a swap has left for readers of old versions, until a time that was settled when it
 * left them: a list beside the log, `_delta_log/_varve/%replaced`, a line a file. A file is on it
 * before the log removes it, and goes only when the log does not have it: so a crash at any point
 * neither loses a row nor leaves a file for good.
 */
struct replaced_list {
    ARRAY(char *); /* names of objects */
};

/* Add these, to go at `until` (ns since 1970); those that are on it already go then, too. */
int replaced_note(struct object_store *store, const struct replaced_list *names, int64_t until,
                  struct err *err) __attribute__((warn_unused_result));

/* Whether the time of any has come at `now`. */
int replaced_due(struct object_store *store, int64_t now, bool *due, struct err *err)
    __attribute__((warn_unused_result));

/* Put the names of all of them into `out`, whether they are there still or not. */
int replaced_names(struct object_store *store, struct map *out, struct err *err)
    __attribute__((warn_unused_result));

/* Remove those whose time has come at `now`; *removed: how many there were. `table` is as new as
 * `now`. */
int replaced_remove(struct object_store *store, const struct delta_snapshot *table, int64_t now,
                    uint64_t *removed, struct err *err) __attribute__((warn_unused_result));

void replaced_free(struct replaced_list *names);

#endif

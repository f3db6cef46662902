/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_DURABLE_H
#define VARVE_DELTA_DURABLE_H

#include <stdbool.h>

#include "base/err.h"
#include "batch/position.h"
#include "delta/snapshot.h"
#include "object/object.h"

/*
 * What of its streams one instance has made durable, and where that is written so that it survives
 * what other engines do to a log:
 *
 *   - `through` is the version of a txn action, which checkpoints keep (PROTOCOL.md, "Transaction
 *     Identifiers");
 *   - the commitInfo of each entry has the sequences that it adds. No checkpoint keeps that, so it
 *     counts only as long as the entry is there;
 *   - _delta_log/_varve/<instance>.json has all of it up to a version: saved.h;
 *   - the tag varve.sequences of an add has the sequences of a file until somebody rewrites it.
 *
 * The first three together are complete unless entries were removed that the third does not cover.
 */
/*
 * All positions of `instance`, by a snapshot that was loaded with want_varve. *complete: nothing
 * that is durable can be missing; else it may be in files with greater sequences than `through`.
 * *saved: the file need not be written anew. *forgotten: entries were removed and nothing at all
 * was found of this instance. `out` is filled anew. `subjects`, or NULL, gets the text of
 * delta_saved_write behind it.
 */
int delta_durable_read(struct positions *out, const struct delta_snapshot *snapshot,
                       struct object_store *store, const char *instance, bool *complete,
                       bool *saved, bool *forgotten, struct buf *subjects, struct err *err)
    __attribute__((warn_unused_result));

/*
 * What no checkpoint keeps, put into a snapshot that began with one (want_varve), as far as the
 * entries before it are still there: sequences that have a row, dead letters, files beside the
 * table. Not positions. It reads all of these entries.
 */
int delta_durable_add_history(struct delta_snapshot *snapshot, struct object_store *store,
                              struct err *err) __attribute__((warn_unused_result));

#endif

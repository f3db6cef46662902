/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_QUALITY_H
#define VARVE_FOLLOW_QUALITY_H

#include "config/config.h"
#include "follow/target.h"
#include "quality/quality.h"

/*
 * The target of kind `quality`: what there is to know of each run, as _quality/<simulation_id>.json
 * of the store, brought up to date with each commit. What it knows lies in _quality/_state/<name>/:
 * `state`, which says which rows are counted, and the identities of their events
 * (follow/identities.h). It is put in place at once, so that a row is counted once wherever it
 * ends.
 *
 * Rows are looked at in the order in which they are committed.
 */

#define FOLLOW_QUALITY_FOLDER "_quality/"
#define FOLLOW_QUALITY_STATE FOLLOW_QUALITY_FOLDER "_state/"

/* `config` is finished, and borrowed until the target is freed. ERR_USAGE for payloads that can't
 * be described. */
struct follow_target *follow_quality_new(const struct config *config,
                                         const struct config_follower *follower, struct err *err)
    __attribute__((warn_unused_result));

/* Forget what it has counted; the caller has made its position forgotten, and keeps it from
 * running.
 */
int follow_quality_restart(const struct config *config, const struct config_follower *follower,
                           struct err *err) __attribute__((warn_unused_result));

/* Put the report of each simulation below _quality/ of a store; with `changed` alone, of those that
 * rows have come of since the last time. */
int follow_quality_save(struct quality *q, struct object_store *store, bool changed,
                        struct err *err) __attribute__((warn_unused_result));

#endif

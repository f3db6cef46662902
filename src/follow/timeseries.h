/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_TIMESERIES_H
#define VARVE_FOLLOW_TIMESERIES_H

#include "config/config.h"
#include "follow/target.h"

/*
 * The target of kind `timeseries`: rows as points of a time-series database. A row always becomes
 * the same line, and a database keeps what comes again once, so that rows may come again. What the
 * database refuses, or can't be made a line of, is kept with the reason in the store, in
 *
 *     _refused/FOLLOWER/STREAM-GENERATION-SEQUENCE.jsonl
 *
 * by the first row of each file, and holds nothing up. The oldest of these files go when there are
 * too many (series_notes.h).
 */

/* `config` is finished, and borrowed until the target is freed. ERR_USAGE for points that can't be
 * made. */
struct follow_target *follow_timeseries_new(const struct config *config,
                                            const struct config_follower *follower, struct err *err)
    __attribute__((warn_unused_result));

/* Whether all rows, brought once more, make the points again that a database has of them. ERR_USAGE
 * if not: counts are made of the rows of a commit, and would stand beside the old ones. */
int follow_timeseries_same(const struct config *config, const struct config_follower *follower,
                           struct err *err) __attribute__((warn_unused_result));

#endif

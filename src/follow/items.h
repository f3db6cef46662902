/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_ITEMS_H
#define VARVE_FOLLOW_ITEMS_H

#include "base/buf.h"
#include "config/config.h"
#include "delta/follower.h"

/*
 * What a follower is configured to make of rows, a line each, as it is noted beside its position: a
 * position says which rows were read, and not where they were brought. What is added later begins
 * with the rows that come then. Kinds that say themselves what they have got have none.
 */
void follow_items(struct buf *out, const struct config *config,
                  const struct config_follower *follower);

/* Append, for people, what is in `now` and was not when `done` was noted, and how to have it for
 * all rows; nothing where there is none, or nothing was read yet. */
void follow_items_new(struct buf *out, const struct delta_follower *done, struct slice now);

#endif

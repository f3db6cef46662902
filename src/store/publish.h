/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_PUBLISH_H
#define VARVE_STORE_PUBLISH_H

#include "base/err.h"
#include "store/store.h"

/*
 * Bring the commit in store->entry from store->stage to its end: the one way in which files and
 * entries become visible, for store_commit and for what store_open finds after a crash. See
 * commit.h for the steps. On an error the stage says where to go on; each step may be repeated.
 * Afterwards the stage is STORE_IDLE and store->current are those of the commit.
 */
int store_publish(struct store *store, struct err *err) __attribute__((warn_unused_result));

/* The name of the commit under way in _delta_log, and of what is not even that yet. */
void store_pending_name(struct buf *out, const struct store *store);
void store_writing_name(struct buf *out, const struct store *store);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_RECOVER_H
#define VARVE_STORE_RECOVER_H

#include "base/err.h"
#include "store/store.h"

/*
 * What store_open does once it has the lock. May end at any point and be begun again.
 *
 *   1. Make _delta_log durable as it is seen: nothing is built on what could still vanish.
 *   2. Make the table if there is none, or check it.
 *   3. If there is a commit under way, finish it: forward, never back. Its files are durable under
 *      one of their names, since .pending is written after them.
 *   4. Otherwise read the positions from the newest entry of this instance.
 *   5. Remove unfinished files of this instance. No entry names them.
 */
int store_recover(struct store *store, struct err *err) __attribute__((warn_unused_result));

/* Step 2 alone. */
int store_recover_table(struct store *store, struct err *err) __attribute__((warn_unused_result));

#endif

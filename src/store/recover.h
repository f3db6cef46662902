/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_RECOVER_H
#define VARVE_STORE_RECOVER_H

#include "base/err.h"
#include "store/store.h"

/*
 * What store_open does once it has the objects. May end at any point and be begun again.
 *
 *   1. Make the table if there is none, or check it.
 *   2. If there is a commit under way, bring it to its end (object_resume).
 *   3. Otherwise read the positions from the newest entry of this instance.
 *   4. Remove unfinished files of this instance. No entry names them.
 */
int store_recover(struct store *store, struct err *err) __attribute__((warn_unused_result));

/* Step 1 alone. */
int store_recover_table(struct store *store, struct err *err) __attribute__((warn_unused_result));

/*
 * Find the newest entry of this instance and the positions in it, going back from the newest one of
 * all. *found says whether there is one; *read counts those that were looked at.
 */
int store_read_positions(struct store *store, struct positions *out, bool *found, uint64_t *read,
                         struct err *err) __attribute__((warn_unused_result));

#endif

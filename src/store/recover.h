/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_RECOVER_H
#define VARVE_STORE_RECOVER_H

#include "base/err.h"
#include "store/store.h"

/*
 * What store_open does once it has the objects. May end at any point and be begun again.
 *
 *   1. Read what the log says, make the table if there is none, check it, and give it what this
 *      version of varve has and it lacks.
 *   2. If there is a commit under way, bring it to its end, or take it back where others have
 *      stored meanwhile what it has (interrupted.c).
 *   3. Put together the positions of this instance (delta/durable.h), and what others have stored
 *      (known.h).
 *   4. Give the messages that are no rows the names that they have now (path.h).
 *   5. Remove unfinished files of this instance. No entry names them.
 */
int store_recover(struct store *store, const struct store_config *config, struct err *err)
    __attribute__((warn_unused_result));

/* Step 1 alone. */
int store_recover_table(struct store *store, struct err *err) __attribute__((warn_unused_result));

/* Step 2 alone. */
int store_recover_commit(struct store *store, struct err *err) __attribute__((warn_unused_result));

/* Whether a Parquet file with this name is there, and this instance has written it: a commit of
 * another one may be under way and look for its own. */
int store_is_own_file(struct store *store, const char *name, bool *own, struct err *err)
    __attribute__((warn_unused_result));

/* Remember what the newest entry that we know is like: an older state of the table that has gone on
 * may have another one of its number. */
void store_note_newest(struct store *store);

/*
 * Look what others have done to the table since: store->table is up to date, and the next entry is
 * the one behind it. ERR_REFUSED if somebody else commits under the name of this instance,
 * ERR_UNSUPPORTED if the table asks for more now than varve does. Where it is not the table that we
 * know any more, an error, and store_is_outdated says so.
 */
int store_refresh_table(struct store *store, struct err *err) __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_RECOVER_H
#define VARVE_STORE_RECOVER_H

#include "base/err.h"
#include "store/store.h"

/*
 * What store_open does once it has the objects. May end at any point and be begun again.
 *
 *   1. Read what the log says; if there is none make the table, with the files of varve that are
 *      there; check it, and give it what this version of varve has and it lacks.
 *   2. If there is a commit under way, bring it to its end, or take it back where others have
 *      stored meanwhile what it has (interrupted.c).
 *   3. Put together the positions of this instance (delta/durable.h), and what others have stored
 *      (known.h).
 *   4. Give the messages that are no rows the names that they have now (path.h).
 *   5. Remove unfinished files of this instance. No entry names them.
 *   6. Look for the files of the newest entries.
 */
int store_recover(struct store *store, const struct store_config *config, struct err *err)
    __attribute__((warn_unused_result));

/* Files that are in the directory while the log is gone: they become part of the new one. A zeroed
 * struct is empty. */
struct store_adopted {
    struct arena texts;
    ARRAY(struct delta_commit_file) files; /* they own their sequences */
};

/*
 * Find the files that varve has written to a place that has no log any more, table and quarantine:
 * their rows need not be stored again, and readers of the directory find each once. Of two files
 * with a row in common the first by name is taken. It is said of which others that are left alone.
 * An error if a file can't be read.
 */
int store_adopt(struct store *store, struct store_adopted *out, struct err *err)
    __attribute__((warn_unused_result));
void store_adopted_free(struct store_adopted *adopted);

/* Step 1 alone. */
int store_recover_table(struct store *store, const struct store_config *config, struct err *err)
    __attribute__((warn_unused_result));

/* Step 2 alone, of one commit: *found, there may be another one. */
int store_recover_commit(struct store *store, bool *found, struct err *err)
    __attribute__((warn_unused_result));

/* Whether a Parquet file with this name is there, and this instance has written it: a commit of
 * another one may be under way and look for its own. An error if it can't be read as one. */
int store_is_own_file(struct store *store, const char *name, bool *own, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Remove what was renounced (object_renounce) and came nevertheless: what is there under such a
 * name, no entry names, and is `ours`, where that is not NULL. *removed counts on.
 */
typedef int store_is_ours(void *context, const char *name, bool *ours, struct err *err);
int store_sweep(struct object_store *objects, store_is_ours *ours, void *context, uint32_t *removed,
                struct err *err) __attribute__((warn_unused_result));

/* Log an error where files of the newest entries are not there: the log was restored without them.
 * Not for a bucket, where each look takes a request: varve check lists all. */
void store_look_for_files(struct store *store);

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

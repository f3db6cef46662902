/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_ANEW_H
#define VARVE_FOLLOW_ANEW_H

#include "base/array.h"
#include "base/err.h"
#include "batch/schema.h"

/*
 * Typed tables that are made anew in a bucket, where nothing can be renamed (rebuild.h does it in a
 * directory):
 *
 *   1. An entry of the table says that number N of these begins: the transaction `varve-rebuild`
 *      has version N then. Whoever had begun one before is refused in step 3.
 *   2. What earlier ones have left is removed. The new table is made in `_anew/N/` of the table, as
 *      one of its own with a log of its own. Nobody who goes by the log of the table sees it, and
 *      engines that look for unused files pass over folders with a '_'.
 *   3. One entry removes all files of the table and adds those in `_anew/N/` (delta/replace.h).
 *   4. The log in `_anew/N/` is removed, and the old files when the table remembers them no longer.
 *
 * Ended before 3, whatever is there is removed by the next one, or when a day has passed; ended in
 * 4, it is brought to its end by then.
 */
#define FOLLOW_ANEW_FOLDER "_anew/"

struct follow_anew_table {
    char *root;   /* of the table */
    char *beside; /* of the new one */
    char *folder; /* the same within the table, with a '/' */
    int64_t number;
};

/* Zeroed but for the first two it is empty. */
struct follow_anew {
    const char *follower;
    int64_t keep; /* ns that old files stay at least */
    ARRAY(struct follow_anew_table) tables;
};

/* Steps 1 and 2 of the table at `root`, which is made with the columns of `schema` where there is
 * none. Returns where the new one is to be made, borrowed from `a`; NULL on errors. */
const char *follow_anew_begin(struct follow_anew *a, const char *root, const struct schema *schema,
                              struct err *err) __attribute__((warn_unused_result));

/* Steps 3 and 4 of all tables that were begun, of which nobody has anything open. After an error
 * some are new, and all are whole. ERR_REFUSED if another one has begun meanwhile, ERR_LIMIT for
 * more files than an entry can name. */
int follow_anew_end(struct follow_anew *a, struct err *err) __attribute__((warn_unused_result));

void follow_anew_free(struct follow_anew *a);

struct object_store;

/* What processes that have ended have left in the table of `store`: what was begun and has had no
 * commit for a day is given up, what is in its place is brought to its end, and old files go whose
 * time has come. `store` is a bucket, and a
 * writer's. `now`: ns since 1970. */
int follow_anew_tidy(struct object_store *store, int64_t now, struct err *err)
    __attribute__((warn_unused_result));

#endif

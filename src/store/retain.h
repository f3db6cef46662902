/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_RETAIN_H
#define VARVE_STORE_RETAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "batch/schema.h"
#include "delta/snapshot.h"
#include "object/object.h"
#include "store/keeper.h"

/*
 * Retention: rows that are old enough go, by whole partitions. A partition is what lies in one
 * folder; its age is that of its newest row, by the time under which rows are filed: their own, or
 * where that is absurd, when they came. The statistics of the files say it, whatever the folder is
 * called.
 *
 *   1. choose partitions;
 *   2. write down the sequences of their rows, which count as stored for ever, and their files
 *      (delta/expired.h);
 *   3. commit one entry that removes these files from the table; where another writer comes first,
 *      from 2 on;
 *   4. remove the files, and folders that are empty then.
 *
 * What somebody who follows the table has not read (delta/follower.h) stays, and its partition with
 * it. It may end at any point. The next time goes on with 4 where 3 was done, and removes no file
 * but those which that entry has removed from the table, as they were. Positions are no concern of
 * this: they are in transactions and in the file of their instance, of which nothing is removed.
 */

/* Which columns have the times of a row. */
struct retain_columns {
    const char *time;    /* its own: ns since 1970, COLUMN_INT64 */
    const char *arrival; /* when it came: COLUMN_TIME_MICROS */
    int64_t ahead_max;   /* own times that are not positive, or so many ns ahead when the row came,
                            are absurd */
};

struct retain_options {
    const char *version;         /* of varve, for the log */
    const struct schema *schema; /* of the table */
    struct retain_columns columns;
    int64_t max_age;    /* ns; 0: any age */
    uint64_t max_bytes; /* of all live files; 0: any number. The newest partition stays */
};

/* A partition that was chosen. Borrowed for the call. */
struct retain_partition {
    struct slice folder; /* as in the log; empty: the root of the store */
    uint64_t files, bytes;
    int64_t newest; /* the time of its newest row, ns */
};
typedef void retain_report(void *context, const struct retain_partition *partition);

struct retain_done {
    uint64_t partitions; /* that have gone as a whole */
    uint64_t files, bytes;
    uint64_t finished; /* files of these that an earlier run had not come to */
    uint64_t held;     /* partitions that were due, and stay */
    char why[128];     /* of one of them */
    bool more;         /* there is more to remove: call again */
};

/* What would go at `now` (ns since 1970), in its order; changes nothing. `store` may be a reader's.
 */
int retain_look(struct object_store *store, const struct retain_options *options, int64_t now,
                retain_report *report, void *context, struct err *err)
    __attribute__((warn_unused_result));

/* Finish what was interrupted, and make one commit of what is due. `store` is the keeper's. Soon
 * after *stop becomes true it gives up with ERR_REFUSED, and no harm is done. ERR_UNSUPPORTED for a
 * table that varve can't write to. */
int retain(struct object_store *store, const struct retain_options *options, int64_t now,
           const atomic_bool *stop, struct retain_done *out, struct err *err)
    __attribute__((warn_unused_result));

/* What has gone since the start. */
struct retain_counters {
    atomic_uint_least64_t files, bytes;
};

/* The job: look now and then. Options are copied; what they point to, and the counters, is
 * borrowed. */
void keeper_add_retention(struct keeper *keeper, const struct retain_options *options,
                          struct retain_counters *counters);

#endif

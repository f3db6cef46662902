/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_STORE_H
#define VARVE_STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "batch/schema.h"
#include "delta/entry.h"
#include "batch/position.h"
#include "object/system.h"

/*
 * One directory that holds a table of Parquet files with a Delta Lake commit log, opened for
 * writing by one instance of varve. Any number of instances may write to one directory, each under
 * its own name. In the directory:
 *
 *     <template>                              the files of the table, whole and never changed
 *     _delta_log/<20 digits>.json             the log: what is named there is the table
 *     _delta_log/.pending-<instance>          a commit under way
 *     _quarantine/                            messages that are no rows, as Parquet
 *     .varve/<instance>/lock                  held while the instance runs
 *     .varve/<instance>/<id>.inprogress       files that are being written
 *
 * Files are written in one private directory, not beside their place: it is on the same file
 * system, one fsync makes all their names durable, what a crash leaves is found without walking the
 * table, and no pattern that ends in .parquet matches there.
 *
 * Threads: one thread may call store_commit while others use store_file_*, each on files of its
 * own, store_free_bytes, and what store_open has found. Everything else is for one thread, before
 * or after.
 */
struct store_config {
    const char *root;     /* made if missing, with its parents */
    const char *instance; /* 1 to 255 bytes of any kind. The lock and the positions are its own:
                             under another name, varve knows nothing of them */
    const char *engine;   /* for the log: "varve/<version>" */
    const struct schema *schema; /* of the table; outlives the store */
    struct store_system system;  /* zeroed: the plain system */
};

/* What store_open found and did, for a line in the log. */
struct store_recovery {
    bool created;           /* the table is new */
    bool rolled_forward;    /* a commit that had been interrupted was finished */
    uint32_t files_removed; /* unfinished files that were removed */
    uint64_t entries;       /* entries in the log */
    uint64_t entries_read;  /* entries that were looked at to find this instance's last one */
    bool forgotten;         /* nothing of this instance was found, but old entries of the log are
                               gone: its positions may have been in them */
};

/* Where an interrupted commit goes on: see commit.h. */
enum store_stage {
    STORE_IDLE,
    STORE_STAGE_PENDING, /* write .pending */
    STORE_STAGE_MOVE,    /* give the files their names */
    STORE_STAGE_LINK,    /* make .pending an entry of the log */
    STORE_STAGE_SYNC,    /* make the entry durable */
};

/* Belongs to src/store/; others read `positions` and `recovery`, which are what store_open found
 * and stay as they are. */
struct store {
    struct store_system system;
    char *root;
    char *instance;      /* as configured */
    char *instance_name; /* as part of a file name */
    char *engine;
    const struct schema *schema;
    int root_dir, temporary_dir, log_dir, lock; /* file descriptors, -1 if not open */
    int64_t opened;                             /* wall time: makes file ids of runs distinct */
    atomic_uint_fast64_t next_file;
    uint64_t next_version; /* of the log, as far as we know */
    struct positions positions;
    struct store_recovery recovery;
    struct positions current; /* positions with all that was committed since */

    const struct store_epoch *epoch; /* the commit under way */
    enum store_stage stage;
    struct store_entry entry;  /* its log entry */
    struct positions coming;   /* the positions once it is done */
    struct map durable;        /* directories of the table that are known to be durable */
    bool reopening;            /* store_reopen has begun */
    struct store_fault *fault; /* only in build/varve-fault */
};

/*
 * Make the directory where it is missing, lock it for this instance, finish or clean up what a
 * crash left (recover.h), make the table where there is none, and read the positions. NULL on
 * errors: ERR_REFUSED if another process runs as this instance, ERR_UNSUPPORTED if there is a table
 * of another shape, ERR_FORMAT for a damaged log, ERR_SYSTEM. Nothing that is durable is lost by an
 * error or a crash in here; opening again goes on.
 */
struct store *store_open(const struct store_config *config, struct err *err)
    __attribute__((warn_unused_result));

/* Free the memory and the lock. Files that are not committed stay for the next store_open to
 * remove, and a commit under way for it to finish. Accepts NULL. */
void store_close(struct store *store);

/*
 * After a failure: if somebody has removed the directory under us, or in it those of the log or of
 * unfinished files, make them again, and a table where there is none. A commit under way is
 * forgotten, as are finished files that had no place yet: *reopened says that the files of its
 * epoch must be abandoned, written anew, and committed as if for the first time. The positions stay
 * what they were: what was removed is not written again. Call it from the thread of store_commit.
 */
int store_reopen(struct store *store, bool *reopened, struct err *err)
    __attribute__((warn_unused_result));

/* Bytes that can still be written to the file system of the store. */
int store_free_bytes(const struct store *store, uint64_t *bytes, struct err *err)
    __attribute__((warn_unused_result));

#endif

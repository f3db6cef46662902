/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_STORE_H
#define VARVE_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "batch/position.h"
#include "batch/schema.h"
#include "delta/entry.h"
#include "delta/snapshot.h"
#include "object/object.h"
#include "object/system.h"

/*
 * One place that holds a table of Parquet files with a Delta Lake commit log, opened for writing by
 * one instance of varve. Any number of instances may write to one place, each under its own name.
 * Its objects:
 *
 *     <template>                          the files of the table, whole and never changed
 *     _delta_log/<20 digits>.json         the log: what is named there is the table
 *     _quarantine/                        messages that are no rows, as Parquet
 *
 * Files are staged in `objects` (object_stage, object_finish) and become rows of the table by
 * store_commit. Everything here is for one thread at a time, like `objects`.
 */
/* Where rows are going to come from: what is in the store of them already has to be known. */
struct store_source {
    const char *stream, *consumer;
    bool shared; /* other instances take from the consumer, too */
};

struct store_config {
    const char *root;     /* made if missing, with its parents */
    const char *instance; /* 1 to 255 bytes of any kind. The lock and the positions are its own:
                             under another name, varve knows nothing of them */
    const char *engine;   /* for the log: "varve/<version>" */
    const struct schema *schema; /* of the table; outlives the store */
    /* Make `schema` fit the table that is there, before it is checked; may be NULL. */
    int (*adapt)(void *context, struct slice schema_string, struct err *err);
    void *context;                      /* of adapt */
    struct system system;               /* zeroed: the plain system */
    struct buf *doubts;                 /* of object_config */
    const struct store_source *sources; /* for the call of store_open */
    size_t source_count;
};

/* What store_open found and did, for a line in the log. */
struct store_recovery {
    bool created;           /* the table is new */
    bool rolled_forward;    /* a commit that had been interrupted was finished, */
    bool withdrawn;         /* or taken back: meanwhile others have stored what it had */
    uint32_t files_removed; /* unfinished files that were removed */
    bool evolved;           /* the table got columns or properties that it lacked */
    uint64_t entries;       /* that were ever made in the log */
    uint64_t entries_read;  /* of these: behind the newest checkpoint */
    bool forgotten;         /* nothing of this instance was found, but old entries of the log are
                               gone: its positions may have been in them */
    bool removed;           /* another engine has removed rows since the last start: it was said */
    bool incomplete;        /* entries of this instance are gone, and with them perhaps what was
                               durable above its positions */
};

#define STORE_ANYBODY "" /* no consumer has this name */

/* What others have stored since the store was opened, as long as an epoch on its way may have it,
 * too. Belongs to known.h. */
struct store_others {
    struct delta_snapshot fresh; /* in entries behind the last commit of our own */
    struct positions told[2];    /* what store_take_others has told: of late, and before, */
    uint64_t told_at[2];         /* up to these epochs */
};

struct store_epoch;

/* Belongs to src/store/; others read `positions` and `recovery`, which are what store_open found
 * and stay as they are, and stage files in `objects`. */
struct store {
    struct object_store *objects;
    char *root;
    char *instance;
    char *engine;
    const struct schema *schema;
    struct delta_snapshot table; /* as far as we know: what it is, and its newest version */
    struct positions positions;  /* of this instance; and with the consumer STORE_ANYBODY, for each
                                    generation, what of it is known to be stored by whomever: all of
                                    it in `above` */
    struct store_recovery recovery;
    struct positions current; /* positions with all that was committed since */
    uint64_t saved_version;   /* up to which the file of the instance goes */
    struct buf subjects;      /* a text of the owner's that is kept with the positions */
    size_t unsaved_ranges;    /* added by commits since the file of the instance was written */
    bool saved_ranges;        /* that file has ranges above positions */

    /* The commit under way: */
    const struct store_epoch *epoch; /* NULL: there is none */
    struct object_group group;
    struct object_member *members; /* of the group; they own their names */
    struct positions added;        /* its positions as the entry says them */
    uint32_t conflicts;            /* entries of others that were where its own was to be */
    bool opened;                   /* store_open is done */
    bool lost;                     /* store_reopen has lost it, and is not done yet */

    struct store_others others;

    struct object_info newest; /* the entry store->table.version as it was; size 0: not known */
    bool outdated;             /* see store_is_outdated, */
    bool outrun;               /* and store_is_outrun */
};

/*
 * Make the place where it is missing, lock it for this instance, finish or clean up what a crash
 * left (recover.h), make the table where there is none, and read the positions. NULL on errors:
 * ERR_REFUSED if another process runs as this instance, ERR_UNSUPPORTED if there is a table of
 * another shape, ERR_FORMAT for a damaged log, ERR_SYSTEM. Nothing that is durable is lost by an
 * error or a crash in here; opening again goes on.
 */
struct store *store_open(const struct store_config *config, struct err *err)
    __attribute__((warn_unused_result));

/* Free the memory and the lock. Files that are not committed stay for the next store_open to
 * remove, and a commit under way for it to finish. Accepts NULL. */
void store_close(struct store *store);

/* Keep this text in place of store->subjects: also for later starts, at once where it is another.
 */
void store_keep_subjects(struct store *store, struct slice text);

/*
 * After a failure: if somebody has removed the directories of unfinished files under us, make them
 * again. A commit under way is forgotten, as are finished files that had no place yet: *reopened
 * says that the files of its epoch must be abandoned, written anew, and committed as if for the
 * first time. An error as long as that can't be done; and for good if the table itself was removed.
 */
int store_reopen(struct store *store, bool *reopened, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Somebody has removed the table under us, or put an older state of it in its place, so that what
 * we know to be stored may not be there any more; or another instance has stored messages that are
 * in the epoch which was to be committed. Nothing is ever committed with this store: close it and
 * open it again.
 */
bool store_is_outdated(const struct store *store);

/* It is the latter, and the other instance may go on. */
bool store_is_outrun(const struct store *store);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_RUNS_H
#define VARVE_STORE_RUNS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/err.h"
#include "base/map.h"
#include "batch/schema.h"
#include "object/object.h"
#include "store/compact.h"
#include "store/keeper.h"

/*
 * A run is what the rows of one table have in common that have one value in a column, such as a
 * simulation. It is over when a row of a certain kind says so, or when nothing of it has come for a
 * while. Then its folders are compacted, and what there is of it is written down beside the table:
 *
 *     _runs/<run>.json       rows, kinds, span, sequences, gaps, files with their SHA-256
 *     _runs/<run>.sha256     the same hashes for `sha256sum -c`, run in the root of the store
 *
 * <run> is escaped as in paths (text_escape). The first is written last: what it names is there.
 * Rows that come later open the run again, and its next end is another edition. All is decided by
 * what the log, the files and these manifests say, so it goes on after a restart.
 */
#define RUNS_FOLDER "_runs/"

/* Rows that came behind the one that ended their run make another edition when nothing of the run
 * has come for so long: not one a commit. */
#define RUNS_LATE (60 * CLOCK_SECOND)

enum {
    /* Of one manifest. A run of a hundred thousand files makes some 20 MB. */
    RUNS_BYTES_MAX = 256 * 1024 * 1024,
    RUNS_TEXT_MAX = 128, /* of a run's name in a line of the log: longer ones are cut */
};

struct runs_closed;

struct runs_options {
    const struct schema *schema; /* of the table */
    const char *run, *kind;      /* columns of texts: what runs are told apart by, and what kinds of
                                    rows there are */
    const char *time;            /* ns since 1970, COLUMN_INT64 */
    const char *arrival;         /* COLUMN_TIME_MICROS */
    int64_t close_after;         /* ns without a row; 0: however long that is */
    const char *end_kind;        /* of the row that ends a run; NULL: none does */
    const struct compact_options *compaction; /* of the folders of a run; NULL: they stay */
    struct compact_counters *compacted;       /* of these; NULL: nobody counts */
    /* For keeper_add_runs: a run was closed that has news. On the thread of the keeper; NULL:
     * nobody wants to know. */
    void (*told)(void *context, const struct runs_closed *closed);
    void *context;
};

/* A run that was closed. */
struct runs_closed {
    bool found; /* there was one */
    bool news;  /* it has rows that no edition had before */
    char run[RUNS_TEXT_MAX];
    uint64_t edition, rows, files;
    bool more;    /* look again at once */
    int64_t next; /* when the next one will be over if nothing comes, ns since 1970; INT64_MAX:
                     none */
};

/* What is known from earlier looks. A zeroed struct is empty. */
struct runs_memory {
    struct map runs;          /* that are written down, or can't be, */
    ARRAY(uint64_t) contents; /* with these files of each: see runs.c */
    struct runs_read {
        struct map paths; /* files of other runs, as in the log, */
        ARRAY(bool) ends; /* and whether they have a row of end_kind */
    } read;
};

/* Close one run that is over at `now` (ns since 1970) and was not yet, if there is one. `store` is
 * the keeper's. A run with a file that is damaged or missing is passed over, and logged once. Soon
 * after *stop becomes true it gives up with ERR_REFUSED. */
int runs_close(struct object_store *store, const struct runs_options *options, int64_t now,
               const atomic_bool *stop, struct runs_memory *memory, struct runs_closed *out,
               struct err *err) __attribute__((warn_unused_result));

void runs_memory_free(struct runs_memory *memory);

/* A run that was written down. Borrowed for the call. */
struct runs_entry {
    struct slice run, closed; /* closed: RFC 3339 */
    uint64_t edition, rows, bytes, files;
};
typedef void runs_visit(void *context, const struct runs_entry *entry);

/* Visit all of them, by the names of their files; those that can't be understood are passed over.
 */
int runs_list(struct object_store *store, runs_visit *visit, void *context, struct err *err)
    __attribute__((warn_unused_result));

/* The job. Options are copied, those of compaction too; what they point to is borrowed. */
void keeper_add_runs(struct keeper *keeper, const struct runs_options *options);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_COMPACT_H
#define VARVE_STORE_COMPACT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/err.h"
#include "base/map.h"
#include "batch/schema.h"
#include "delta/snapshot.h"
#include "object/object.h"
#include "store/compact_merge.h"
#include "store/keeper.h"

/*
 * Compaction: the small files of a folder become few large ones, with the same rows in the order of
 * the stream. First all new files are written, where nobody sees them; then each folder is swapped
 * (object_swap), one right after the other. The log says of each swap that no row has changed by
 * it, and tags and footers carry on what is known of the rows.
 *
 * A folder is left alone as long as it is written to, unless it has very many small files; and for
 * good if it holds anything that varve has not written.
 */
enum {
    /* So many small files are worth merging though the folder is still written to. */
    COMPACT_MANY = 16,
    /* New files that are prepared before they are swapped. */
    COMPACT_PREPARED_MAX = 4096,
};

#define COMPACT_AFTER (2 * 3600 * CLOCK_SECOND)
#define COMPACT_TARGET_BYTES (UINT64_C(128) << 20)
#define COMPACT_LEVEL 9
#define COMPACT_UNKNOWN UINT64_MAX

struct compact_options {
    const char *version;         /* of varve, for the log */
    const struct schema *schema; /* of the table */
    bool any_columns; /* the table may be another one: its log says then which columns it has, and
                         those of `schema` are as they are there */
    int64_t after;    /* ns: a folder is closed when its newest file is so old */
    uint64_t target_bytes; /* files are merged up to this size; those of half of it are left */
    int level;             /* of compression */
    int64_t keep; /* ns for which old files stay, for readers of old versions; 0: they don't */
    const struct map *only;  /* folders, each with its '/'; they count as closed. NULL: all */
    struct account *account; /* NULL: none */
};

/* A folder with files that are to be merged, or one that is left alone. Borrowed for the call. */
struct compact_folder_report {
    const char *folder;  /* ends with '/' */
    uint32_t from, into; /* files */
    uint64_t bytes;      /* of `from` */
    const char *why;     /* it is left alone; NULL: it is not */
};
typedef void compact_report(void *context, const struct compact_folder_report *folder);

struct compact_done {
    uint64_t swaps;         /* folders */
    uint64_t from, into;    /* files */
    uint64_t rows;          /* in these */
    uint64_t before, after; /* bytes */
    uint64_t left_alone;    /* folders, by what is in them */
    uint64_t removed;       /* files that earlier calls have kept */
    uint64_t given_up;      /* swaps: another writer had other plans with the same files */
    uint64_t live;          /* files of the table, afterwards; COMPACT_UNKNOWN: nobody knows */
    bool more;              /* there is more to merge: call again */
};

/* What would be done at `now` (ns since 1970); changes nothing. `store` may be a reader's. */
int compact_look(struct object_store *store, const struct compact_options *options, int64_t now,
                 compact_report *report, void *context, struct err *err)
    __attribute__((warn_unused_result));

/* How many files the table has. */
int compact_count(struct object_store *store, uint64_t *live, struct err *err)
    __attribute__((warn_unused_result));

/* Do it. `store` is the keeper's. `report` (or NULL) is called for folders that are left alone.
 * ERR_REFUSED soon after *stop becomes true (NULL: it never does). ERR_UNSUPPORTED for a table that
 * varve can't write to, and where the file system can't exchange folders: then with `keep` only. */
int compact(struct object_store *store, const struct compact_options *options, int64_t now,
            const atomic_bool *stop, compact_report *report, void *context,
            struct compact_done *out, struct err *err) __attribute__((warn_unused_result));

/* For whoever shows what the job does; any thread. `live` is COMPACT_UNKNOWN until it is known. */
struct compact_counters {
    _Atomic uint64_t swaps, live;
};

/* Merge the small files of these folders at once, whenever the job below has come by, and log and
 * count it; `counters` may be NULL. Errors as of compact. */
int compact_folders(struct object_store *store, const struct compact_options *options,
                    const struct map *folders, const atomic_bool *stop,
                    struct compact_counters *counters, struct err *err)
    __attribute__((warn_unused_result));

/* The job: at most once in `interval` ns, whichever instance does it. Options are copied, what they
 * point to is borrowed, as are the counters. */
void keeper_add_compaction(struct keeper *keeper, const struct compact_options *options,
                           int64_t interval, struct compact_counters *counters);

#endif

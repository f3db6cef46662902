/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_ARCHIVE_PLAN_H
#define VARVE_FOLLOW_ARCHIVE_PLAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/err.h"
#include "base/map.h"
#include "delta/action.h"
#include "object/object.h"

/* An entry of a log, taken apart. A zeroed struct is empty; it keeps its memory. */
struct archive_entry {
    uint64_t version;
    struct buf text;
    struct arena arena;
    ARRAY(struct delta_action) actions; /* they borrow from the two above */
    bool swaps; /* it has files in the place of others: a compaction, or another engine's rewrite */
};

/* ERR_SYSTEM if it is not there, ERR_UNSUPPORTED for a file with deleted rows in it. */
int archive_entry_read(struct archive_entry *e, struct object_store *store, uint64_t version,
                       struct err *err) __attribute__((warn_unused_result));
void archive_entry_free(struct archive_entry *e);

/*
 * What some entries of a log have made of its files, seen from behind the last of them. A file that
 * was swapped for others is not there to be copied any more, and those others have rows of entries
 * in between: so the files of all swaps that are linked by a file change as one, at the first entry
 * that has one of them.
 */
struct archive_path {
    uint32_t root;     /* of the files that change with it */
    uint32_t next;     /* of these, round and round */
    bool added;        /* by one of the entries */
    bool output;       /* and by a swap */
    bool taken;        /* removed by a swap */
    bool gone;         /* removed, and nothing in its place: what a retention does */
    bool live;         /* the archive has it */
    struct slice line; /* of an output: its action, as text */
};

struct archive_plan {
    struct map paths;                /* as in the log; its numbers are those of `list` */
    ARRAY(struct archive_path) list; /* with an account, as the map */
    struct arena lines;
};

/* Read the entries from `first` to `last` into an empty plan. What the archive has is guessed to be
 * all that was there before `first`. ERR_REFUSED soon after *stop has become true. */
int archive_plan_read(struct archive_plan *plan, struct object_store *store, uint64_t first,
                      uint64_t last, const atomic_bool *stop, struct err *err)
    __attribute__((warn_unused_result));

/* Whether files of the archive were swapped for some that are gone, or files that it should have
 * are not there: where their rows are now can't be told from the entries. */
bool archive_plan_is_torn(const struct archive_plan *plan);

/* What an archive gets with a file that an entry adds. A line or a path each, borrowed. */
struct archive_change {
    ARRAY(struct slice) adds;    /* actions as text */
    ARRAY(struct slice) removes; /* paths as in the log */
    bool data_change;            /* rows come that it has not */
};

/* Append what has to change with the file `add`, whose action as text is `line`; nothing if the
 * archive has it, or if it is gone. The plan counts it as done. */
void archive_plan_take(struct archive_plan *plan, const struct delta_add *add, struct slice line,
                       struct archive_change *out);

void archive_plan_free(struct archive_plan *plan);

#endif

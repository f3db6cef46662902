/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_TARGET_H
#define VARVE_FOLLOW_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/err.h"
#include "base/sha256.h"
#include "delta/follower.h"
#include "follow/reader.h"
#include "follow/select.h"
#include "quality/quality.h"

/*
 * Where a follower brings rows to. To add a kind: these functions in a file of its own, its line in
 * follow/kinds.c, and its word in config/keys.c and its value in enum config_kind. A target keeps
 * to one thread.
 *
 *     open -> take ... -> commit -> take ... -> commit -> close
 *
 * It may fail at any point: then it is closed, and opened again later. Rows that were taken since
 * the last commit come again then. After a crash between `commit` and the note of it that the
 * follower makes, rows that the target has committed come again as well: a target that must have
 * each row once keeps, in what it commits, what it has (`done` says it).
 */
struct follow_target;

/* A row of the store: the values of event_schema's columns, by number, as PLAIN bytes; a NULL
 * pointer is a null. Borrowed for the call. */
struct follow_event {
    const char *stream, *created; /* the generation that it is of */
    uint64_t sequence;
    const struct slice *values;
};

/* What a target has done since it was opened, for metrics and the page. */
struct follow_counts {
    uint64_t rows;    /* that it has committed */
    uint64_t refused; /* of these: those that it could not make anything of, and has noted */
    uint64_t removed; /* files of such notes, since there were too many */
    uint64_t alarms;  /* findings of kind quality, as quality.alerts chooses, */
    const struct quality_summary *quality; /* and what there is to say; NULL: it is none */
};

/* Open the store at `root` for something that follower `name` does alone, or NULL: it is noted as
 * "`what` `name`" for who else would do it, under a name of its own that begins with `mark`. */
struct object_store *follow_open_store(const char *root, const char *mark, const char *what,
                                       const char *name, struct err *err)
    __attribute__((warn_unused_result));

/* What a target that copies files sees of the store. */
struct follow_view {
    struct object_store *store;
    const struct delta_snapshot *table; /* as it is, without its files */
    struct feed_reader *feed;           /* what was committed last, as far as it is there */
    const atomic_bool *stop;            /* true: give up soon, with ERR_REFUSED */
    bool failed;                        /* set with an error: it is the store's */
    uint64_t rows;                      /* set: that came */
    int64_t behind_since;               /* set, as in struct follower_state */
    void (*tell)(void *context);        /* that something has come */
    void *context;
};

struct follow_target_operations {
    /* Get ready for rows; `done` is what the follower knows to be committed. */
    int (*open)(struct follow_target *t, const struct delta_follower *done, struct err *err);

    /* Take a row. In the order of its stream, each once between two failures, unless rows are
     * committed that are older: these come when they are there. */
    int (*take)(struct follow_target *t, const struct follow_event *row, struct err *err);

    /* Make durable what was taken. `done` is what the follower has then, with rows that no target
     * of this kind wants; it includes all that is committed now. */
    int (*commit)(struct follow_target *t, const struct delta_follower *done, struct err *err);

    /* Nothing is changed: whether the target can be reached, and what is there takes what would
     * come to it. What is worth knowing is appended, as the end of a sentence. */
    int (*check)(struct follow_target *t, struct buf *says, struct err *err);

    /* Forget what was taken and not committed, and let go of everything. Also if it is not open. */
    void (*close)(struct follow_target *t);

    void (*free)(struct follow_target *t);
};

/* The first member of what an implementation has. */
struct follow_target {
    const struct follow_target_operations *operations;
    struct follow_counts counts;
    struct follow_select select; /* rows that it does not want count as taken */
    struct account account;      /* what it holds, which varies with the rows */
    bool full;                   /* it wants a commit now */
    bool again;                  /* set by `close`: what has failed is worth another try at once */
    const atomic_bool *stop;     /* true: whatever it waits for is to end; NULL: nobody says so */
    char types[SHA256_TEXT_MAX]; /* of the descriptor sets that it was made by: see kinds.h */

    /* NULL, or what is done in place of `take`: bring all that the store has, by its log and its
     * files, with a position of one's own. `commit` comes next then, if rows came. After an error
     * of the store it may be called again, when that has moved on. */
    int (*bring)(struct follow_target *t, struct follow_view *view, struct err *err);

    /* NULL, or what is done now and then while it is open, also when no rows come: keep in order
     * what was committed. What fails says so itself, and is tried again. */
    void (*keep)(struct follow_target *t);
};

#endif

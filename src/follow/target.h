/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_TARGET_H
#define VARVE_FOLLOW_TARGET_H

#include <stdint.h>

#include "base/account.h"
#include "base/err.h"
#include "delta/follower.h"
#include "follow/reader.h"

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

    /* Forget what was taken and not committed, and let go of everything. Also if it is not open. */
    void (*close)(struct follow_target *t);

    void (*free)(struct follow_target *t);
};

/* The first member of what an implementation has. */
struct follow_target {
    const struct follow_target_operations *operations;
    struct follow_counts counts;
    struct account account; /* what it holds, which varies with the rows */
};

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_FOLLOWER_H
#define VARVE_FOLLOW_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/queue.h"
#include "follow/target.h"

/*
 * A follower brings the committed rows of a store to a target, each once, and keeps its own
 * position in the store (delta/follower.h). It reads the files: those that the log has and whose
 * rows it has not. So it can be added at any time, be away for any time, and nothing that
 * compaction or another engine does to files makes it repeat or miss a row. It holds back nobody:
 * what fails is tried again, later and later.
 */
enum {
    /* What is taken is committed at so many rows or bytes, and at the end of what there is. */
    FOLLOWER_COMMIT_ROWS = 262144,
    FOLLOWER_COMMIT_BYTES = 32 * 1024 * 1024,
};
#define FOLLOWER_LOOK_EVERY CLOCK_SECOND /* for what other instances commit */
#define FOLLOWER_RETRY_MIN CLOCK_SECOND
#define FOLLOWER_RETRY_MAX (60 * CLOCK_SECOND)

struct follower_options {
    const char *root; /* of the store */
    const char *name;
    bool once;               /* end when it has all that was committed when it looked */
    struct waker waker;      /* woken when it has ended */
    struct feed *feed;       /* borrowed until follower_free; NULL: it reads files alone */
    uint32_t number;         /* of its own there */
    struct account *account; /* that has its memory, too; NULL: none */

    /* NULL, or: make the target anew if what it was made by has changed; *fresh: NULL if it has
     * not. On the follower's thread. */
    int (*renew)(void *context, const struct follow_target *old, struct follow_target **fresh,
                 struct err *err);
    void *context;
};

/* Why it failed: the label `reason`. */
enum follower_reason {
    FOLLOWER_REASON_STORE,  /* the store can't be read, or the position not written */
    FOLLOWER_REASON_TARGET, /* the target can't be reached, or does not take it */
    FOLLOWER_REASON_BUSY,   /* another process runs this follower */
    FOLLOWER_REASONS,
};

/* "store"...: a literal. */
const char *follower_reason_name(enum follower_reason reason);

/* How it is. */
struct follower_state {
    uint64_t position;    /* the newest sequence that it has, of the newest generation; 0: none */
    uint64_t lag_rows;    /* that are committed in the store, and it has not */
    int64_t behind_since; /* clock_wall: when the oldest of these was committed; 0: there is none */
    uint64_t rows;        /* taken in this run */
    uint64_t refused;     /* see follow_counts */
    uint64_t removed;     /* likewise */
    uint64_t fed, read;   /* files that it has opened: see struct feed_reader */
    uint64_t memory;      /* bytes that it holds: rows, read and to be written */
    uint64_t errors[FOLLOWER_REASONS];
    uint64_t alarms;                /* see follow_counts */
    struct quality_summary quality; /* likewise, */
    bool has_quality;               /* if it is of that kind */
    bool looked;                    /* the figures above are known */
    bool failing;                   /* the last attempt failed: */
    char failure[ERR_TEXT_MAX];
    bool done; /* the thread has come to its end */
};

struct follower;

/* Nothing happens yet. Texts are copied; the target belongs to the follower now, and is NULL for
 * one that is only to be forgotten. Never NULL. */
struct follower *follower_new(const struct follower_options *options, struct follow_target *target);

/* Have the store know that it follows, so that nothing is removed before it was read, and note its
 * `items`, of which it is said what is new. The store is there; this is for before anything is
 * removed. */
int follower_register(struct follower *f, struct slice items, struct err *err)
    __attribute__((warn_unused_result));

/* It follows no more: the store forgets its position. Not while it runs. */
int follower_forget(struct follower *f, struct err *err) __attribute__((warn_unused_result));

/* Keep every other process from running it, until follower_free. ERR_REFUSED: one does. */
int follower_hold(struct follower *f, struct err *err) __attribute__((warn_unused_result));

/* Have, from now on, what the follower `name` has, which follows no more. While it is held. */
int follower_take_over(struct follower *f, const char *name, struct err *err)
    __attribute__((warn_unused_result));

/* Run on a thread from now on, at a low priority. */
int follower_start(struct follower *f, struct err *err) __attribute__((warn_unused_result));

/* Somebody has committed something: look. Any thread. */
void follower_note(struct follower *f);

/* Have its target made anew, soon and between two commits, by `renew`: what can't be made leaves
 * the old one, and is told in the log. Any thread. */
void follower_reload(struct follower *f);

/* How it is now. Any thread. */
void follower_look(struct follower *f, struct follower_state *out);

const char *follower_name(const struct follower *f);

/* Have the thread come to its end after an attempt to bring what is committed now; `done` of its
 * state says when it has. */
void follower_finish(struct follower *f);

/* End the thread, soon, with what was taken given up, and free all. Accepts NULL. */
void follower_free(struct follower *f);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_SESSION_H
#define VARVE_FOLLOW_SESSION_H

#include <stdatomic.h>

#include "follow/follower.h"

/*
 * A follower at work, from opening the store and the target to the first failure: a part of
 * follower.h. A zeroed struct with the first members is closed.
 */
struct follow_session {
    const char *root, *name;
    struct follow_target *target;
    const atomic_bool *stop;     /* soon after it becomes true, a round ends with ERR_REFUSED */
    void (*tell)(void *context); /* the figures have changed */
    void *context;

    struct object_store *store;
    struct delta_snapshot table;
    struct delta_follower have;  /* rows that were taken, committed or not */
    bool is_open;                /* the target is */
    bool loaded;                 /* `table` is */
    bool counting;               /* files are looked at for how far behind it is, which */
    bool counted;                /* was done in this round */
    size_t remembered;           /* files that it had when it was read to forget some */
    bool sure;                   /* what is in `table` and new is listed in its generations */
    struct seqjoin late;         /* of what was taken of the stream at hand */
    uint64_t rows, bytes;        /* taken since the last commit */
    struct feed_reader feed;     /* kept from opening to opening */
    struct follow_view view;     /* of a target that copies files */
    enum follower_reason reason; /* of the last failure */

    uint64_t position, lag_rows; /* see struct follower_state */
    int64_t behind_since;
};

/* Bring to the target what the store has now: *news says that there was something. After an error:
 * follow_session_close, and from the beginning. */
int follow_session_round(struct follow_session *s, bool *news, struct err *err)
    __attribute__((warn_unused_result));

/* Open the store, as the only process that runs this follower. */
int follow_session_open_store(struct follow_session *s, struct err *err)
    __attribute__((warn_unused_result));

/* The position, into s->have; *found: there is one. */
int follow_session_load(struct follow_session *s, bool *found, struct err *err)
    __attribute__((warn_unused_result));

/* Note that it has `have`. */
int follow_session_save(struct follow_session *s, struct err *err)
    __attribute__((warn_unused_result));

void follow_session_close(struct follow_session *s);

#endif

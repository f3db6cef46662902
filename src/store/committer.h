/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_COMMITTER_H
#define VARVE_STORE_COMMITTER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/queue.h"
#include "store/group.h"
#include "store/store.h"

/*
 * What waits for the disk: it writes the images of a sealed group to files and commits them. What
 * fails is tried again, from the images, until it works or the process ends; meanwhile nothing is
 * acked and nothing is dropped. In production it is a thread; where everything has to happen on one
 * thread, in an order that can be repeated, committer_step does its work.
 */
#define COMMITTER_RETRY_MIN (CLOCK_SECOND / 4)
#define COMMITTER_RETRY_MAX (5 * CLOCK_SECOND) /* soon enough to notice that a disk works again */

struct committer_view;

struct committer {
    struct queue sealed; /* groups from the encoder */
    struct queue done;   /* committed, in order */
    struct store *store;
    struct waker waker; /* woken whenever something changed */
    bool threaded;
    pthread_t thread;

    pthread_mutex_t lock; /* of `trouble` */
    struct store_trouble trouble;

    /* Of the thread, or of committer_step: */
    struct store_group *group;   /* being committed; NULL: none */
    struct committer_view *view; /* of it, once its files are written */
    uint64_t attempts;
    int64_t pause, retry_at; /* after a failure */
    bool broken;             /* a group was given up: nothing is committed behind it */
};

void committer_init(struct committer *c, struct store *store, struct waker waker);

/* Do the work on a thread from now on. */
int committer_start(struct committer *c, struct err *err) __attribute__((warn_unused_result));

/* Without the thread: make one attempt to commit the oldest group. Returns when to call again:
 * `now` while there are more, INT64_MAX until there is one, else when to try again. */
int64_t committer_step(struct committer *c, int64_t now);

struct store_trouble committer_trouble(struct committer *c);

/* Wait for the end, after `sealed` was closed. A group that could not be committed until then is
 * given up: its messages were not acked. */
void committer_end(struct committer *c);

#endif

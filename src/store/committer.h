/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_COMMITTER_H
#define VARVE_STORE_COMMITTER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "store/epoch.h"
#include "base/queue.h"
#include "store/store.h"

/*
 * The thread that waits for the disk: it writes the images of a sealed epoch to files and commits
 * them. What fails is tried again, from the images, until it works or the process ends; meanwhile
 * nothing is acked and nothing is dropped.
 */
#define COMMITTER_RETRY_MIN (CLOCK_SECOND / 4)
#define COMMITTER_RETRY_MAX (5 * CLOCK_SECOND) /* soon enough to notice that a disk works again */

/* How it stands, for readiness and alerts. */
struct committer_trouble {
    bool failing;    /* the newest attempt failed */
    uint64_t failed; /* attempts since the last commit */
    int64_t since;   /* clock_monotonic of the first of them */
    struct err err;  /* of the newest */
};

struct committer {
    struct queue sealed; /* epochs from the encoder */
    struct queue done;   /* committed, in order */
    struct store *store;
    int wake; /* an eventfd that is written whenever something changed */
    pthread_t thread;

    pthread_mutex_t lock; /* of `trouble` */
    struct committer_trouble trouble;
};

void committer_init(struct committer *c, struct store *store, int wake);

/* Start the thread. */
int committer_start(struct committer *c, struct err *err) __attribute__((warn_unused_result));

struct committer_trouble committer_trouble(struct committer *c);

/* Wait for the end, after `sealed` was closed. An epoch that could not be committed until then is
 * given up: its messages were not acked. */
void committer_join(struct committer *c);

#endif

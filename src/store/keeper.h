/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_KEEPER_H
#define VARVE_STORE_KEEPER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/queue.h"
#include "object/object.h"
#include "object/system.h"

/*
 * Who keeps a store in order beside those that write to it: a thread of its own at the lowest
 * priority, which does several jobs, one after the other. It is one for all instances on a store:
 * whoever has the lock of the keeper. Nothing waits for it; what fails is tried again later. Where
 * everything has to happen on one thread, keeper_step does its work.
 *
 * To add a job: a struct with what it needs to know, a function of the type keeper_work, and a
 * keeper_add between keeper_new and the start; as in keeper_log.c.
 */
struct keeper;

/* After a failure, and where another process is the keeper. */
#define KEEPER_RETRY (60 * CLOCK_SECOND)

struct keeper_options {
    const char *root;
    struct system system;
    uint64_t version; /* of the table, at start */
    /* Of who calls keeper_step: soon after it becomes true what is under way is given up. NULL:
     * nobody says so. Outlives the keeper. */
    const atomic_bool *stop;
    struct waker waker; /* woken when the thread has come to its end */
};

/* A job is due when both are reached, or with `either` one of them. */
struct keeper_due {
    int64_t at;       /* clock_monotonic, or KEEPER_AT_ONCE */
    uint64_t version; /* of the table; 0: any */
    bool either;
};

/* Due at once, whatever the time is: the next piece of what was begun. */
#define KEEPER_AT_ONCE INT64_MIN

/* What a job gets to do its work. All is borrowed for the call. */
struct keeper_turn {
    struct object_store *store; /* open as the keeper's. Others write to the table meanwhile */
    uint64_t version;           /* of the table, as last heard; the log may be further */
    int64_t now;                /* clock_monotonic, when the job was begun */
    const atomic_bool *stop;    /* true: give up soon, with ERR_REFUSED; no harm is done by that */
};

/*
 * Do what is due and say in *next when there will be more to do; it holds the last such, and is
 * ignored after an error: the job is then due again in KEEPER_RETRY, and its error is logged unless
 * it is ERR_REFUSED. It may take as long as it likes, but others wait for it, so that work of
 * unknown length is better done in pieces: KEEPER_AT_ONCE has the others go first.
 */
typedef int keeper_work(void *state, const struct keeper_turn *turn, struct keeper_due *next,
                        struct err *err);

struct keeper_job {
    const char *name; /* for its errors, such as "checkpoint"; a literal */
    keeper_work *work;
    void (*free)(void *state); /* NULL: nothing to do. Called by keeper_free */
    void *state;
    struct keeper_due due; /* for the first time */
};

/* A keeper without jobs, which does nothing yet. Texts are copied. Never NULL. */
struct keeper *keeper_new(const struct keeper_options *options);

enum { KEEPER_JOBS_MAX = 8 };

/* Add a job, which is copied; its state belongs to the keeper now. The jobs that are due are done
 * in the order in which they were added. Before the first step, or the thread. */
void keeper_add(struct keeper *keeper, const struct keeper_job *job);

/* The jobs of keeper_log.c: checkpoints after every `interval` commits, or what the table asks for
 * later on, and the clean-up of the log each day. */
void keeper_add_log_jobs(struct keeper *keeper, uint64_t interval);

/* Do the work on a thread from now on. */
int keeper_start(struct keeper *keeper, struct err *err) __attribute__((warn_unused_result));

/* Without the thread: do each job that is due once. Returns when to call again, INT64_MAX: not
 * before there is news. */
int64_t keeper_step(struct keeper *keeper, int64_t now);

/* The table has this version now. Any thread. */
void keeper_note(struct keeper *keeper, uint64_t version);

/* Have the thread come to its end after what is due now, and whether it has: there is none, too. */
void keeper_finish(struct keeper *keeper);
bool keeper_is_done(struct keeper *keeper);

/* End the thread, as soon as possible, with what is under way given up. Accepts NULL. */
void keeper_free(struct keeper *keeper);

/* A keeper that ended in the middle of a swap has left files in a place where the log does not have
 * them: set that right, unless another keeper is at it. `objects` is open for reading at least. */
int keeper_settle(struct object_store *objects, const char *root, const struct system *system,
                  struct err *err) __attribute__((warn_unused_result));

/* Open the store as its keeper, and settle what an earlier one has left: ERR_REFUSED if another
 * process is it at the moment. */
struct object_store *keeper_open(const char *root, const struct system *system, struct err *err)
    __attribute__((warn_unused_result));

/* The same for a command: wait a minute for one that keeps the store in order at the moment, which
 * it does for seconds at a time. */
struct object_store *keeper_open_patiently(const char *root, struct err *err)
    __attribute__((warn_unused_result));

#endif

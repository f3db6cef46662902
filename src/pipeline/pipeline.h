/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_PIPELINE_H
#define VARVE_PIPELINE_PIPELINE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/errand.h"
#include "config/config.h"
#include "drain/acker.h"
#include "object/space.h"
#include "drain/connection.h"
#include "drain/dead_letter.h"
#include "pipeline/epoch.h"
#include "pipeline/flow.h"
#include "pipeline/followers.h"
#include "pipeline/upkeep.h"
#include "store/keeper.h"
#include "drain/source.h"
#include "watch/watch.h"

/*
 * The one place that knows all stages. A loop on one thread serves the network and moves rows into
 * batches; an encoder and a committer thread do what takes time. Everything hangs from here.
 */
enum pipeline_phase {
    PIPELINE_RUNNING,
    PIPELINE_DRAINING,  /* no more messages; epochs are being committed */
    PIPELINE_ACKING,    /* all is committed; the server is being told */
    PIPELINE_FINISHING, /* a run that comes to its end by itself: what follows and keeps the store
                         * does what is due. After it may come nothing but such runs */
    PIPELINE_DONE,
};

/* Behind the last commit: a server that does not answer by then delivers again, which is harmless.
 */
#define PIPELINE_ACK_GRACE (3 * CLOCK_SECOND)
/* The same where the end of the streams was reached, and acks are what is asked for: a server takes
 * seconds for a million of them. */
#define PIPELINE_ONCE_GRACE (60 * CLOCK_SECOND)
/* A lame duck server still delivers what it was asked for; then it is time to go elsewhere. */
#define PIPELINE_LAME_GRACE (5 * CLOCK_SECOND)

enum {
    /* Failed attempts to commit after which the end does not wait any longer. */
    PIPELINE_LAST_ATTEMPTS = 3,
};

struct pipeline_options {
    bool once; /* drain to the end that the streams have at start; ending otherwise is a failure */
    int64_t timeout; /* with `once`: give up after so many nanoseconds; 0: never */
    /* No threads: pipeline_turn does all the work, in an order that depends on nothing but the
     * clock and what comes in. So a test can run all of varve in its own process, and run the same
     * history again. */
    bool stepped;
    bool stand_by;               /* the pipeline before was outrun: see source_stand_by */
    const struct system *system; /* the disk of the store; NULL: the plain one */
    /* Read the configuration again into `fresh`, which is initialised; NULL: can't. Called by a
     * thread that may outlive the pipeline: `context` is there as long as the process. */
    int (*reload)(void *context, struct config *fresh, struct err *err);
    void *context;
};

/* What the loop waits for. */
enum {
    PIPELINE_WAIT_WAKE,
    PIPELINE_WAIT_NETWORK,
    PIPELINE_WAIT_WATCH,
    PIPELINE_WAITS_MAX = PIPELINE_WAIT_WATCH + HTTP_WAITS_MAX,
};

struct pipeline {
    const struct config *config; /* as it was at start */
    struct pipeline_options options;
    struct config *reloaded;        /* the newest that was read since, NULL: none */
    struct errand *errand;          /* one that is being read, NULL: none, */
    struct reload_reading *reading; /* by that */
    uint64_t memory_limit;          /* in force */
    bool once;
    int64_t give_up_at; /* clock_monotonic; INT64_MAX: never */
    bool stop_asked, reload_asked;
    enum pipeline_phase phase;
    struct err failure; /* why it ends with an error */
    int64_t wall;       /* clock_wall of this turn: one is enough for all its messages */

    struct account account; /* of all that grows with what is drained */
    struct store_path path;
    struct store *store;
    struct store_writer *writer;
    struct keeper *keeper;
    struct upkeep upkeep;
    struct followers followers;
    struct epochs epochs;
    struct store_trouble trouble; /* of commits, as of this turn */
    struct connection connection;
    struct source *sources;
    uint32_t source_count;
    struct acker acker;
    struct dead_letters dead_letters;
    struct event_decoder decoder;
    struct waker waker;                        /* a thread has something for the loop */
    struct net_wait waits[PIPELINE_WAITS_MAX]; /* and what the last wait has found */
    size_t watched;                            /* how many of these are the watch's */

    uint32_t pauses; /* enum flow_pause, as bits */
    struct space *space;
    uint64_t disk_free;   /* as last heard of it, SPACE_UNKNOWN if not */
    int64_t next_disk;    /* when to have it asked again */
    int64_t move_at;      /* leave a lame duck; INT64_MAX: stay */
    int64_t ack_deadline; /* of PIPELINE_ACKING */
    struct view view;     /* what the watch is shown */
    struct buf denied;    /* for it */
    struct watch watch;
};

/*
 * A pipeline from its first turn to its last:
 *
 *     struct pipeline *p = pipeline_new(&config, &options, &err);
 *     while (!pipeline_is_done(p)) {
 *         int64_t deadline = pipeline_turn(p);
 *         size_t count = pipeline_waits(p);
 *         net_wait(p->waits, count, deadline);
 *     }
 *     int result = pipeline_free(p, &err);
 *
 * `varve run` does that, with signals. A simulation sets options.stepped, replaces the clock and
 * the network (clock_replace, network_replace), and lets its own world go on where its network is
 * told to wait. One that has several pipelines asks each what it waits for, and fills in `ready` of
 * each itself.
 */

/* Open the store and all else that can fail. `config` is finished and outlives the pipeline. NULL
 * and ERR_USAGE if another varve runs as the same instance. */
struct pipeline *pipeline_new(const struct config *config, const struct pipeline_options *options,
                              struct err *err) __attribute__((warn_unused_result));

/* Do all that is due. Returns the time of clock_monotonic at which to call again if nothing gets
 * ready before; what is not later than now means at once. */
int64_t pipeline_turn(struct pipeline *p);

/* Fill in p->waits, and return how many there are. The next turn looks at what is ready of them. */
size_t pipeline_waits(struct pipeline *p);

/* From the next turn on: come to an orderly end; read the configuration again. */
void pipeline_stop(struct pipeline *p);
void pipeline_reload(struct pipeline *p);

/* True when no more turns are needed. */
bool pipeline_is_done(const struct pipeline *p);

/* True if it has ended because somebody has removed the table, or put an older state of it in its
 * place, or was faster: a new pipeline begins with what is there, as after a restart. */
bool pipeline_must_start_over(const struct pipeline *p);

/* True if another instance was faster, with messages that were about to be stored: the next
 * pipeline is to stand by. */
bool pipeline_was_outrun(const struct pipeline *p);

/* What it has done so far. */
struct pipeline_summary {
    uint64_t rows, files, dead_letters;
};
struct pipeline_summary pipeline_summary(const struct pipeline *p);

/* Free it, at any time. 0 if it has come to its end and all that was received is committed, and
 * acked where it had to come to the end of the streams; of what was not committed, nothing was
 * acked. */
int pipeline_free(struct pipeline *p, struct err *err) __attribute__((warn_unused_result));

#endif

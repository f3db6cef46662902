/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_WATCH_H
#define VARVE_WATCH_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "config/config.h"
#include "net/http.h"
#include "net/notify.h"
#include "store/runs.h"
#include "watch/alerts.h"
#include "watch/guard.h"
#include "watch/view.h"

/*
 * What is counted of the whole process; drain/counters.h has what is counted of each source. Only
 * the network thread touches it; metrics, status page and logs read it.
 */
enum {
    STATS_COMMITS = 8,  /* that the status page shows */
    STATS_REASONS = 16, /* for which an epoch is sealed, at most */
    STATS_SAMPLES = 60, /* of the rates */
};
#define STATS_INTERVAL (5 * CLOCK_SECOND) /* of the samples: five minutes in all */

/* One commit. */
struct stats_commit {
    int64_t time; /* clock_wall */
    uint64_t epoch, rows, files, bytes;
    uint32_t reason;    /* index of the view's reason_names */
    int64_t commit_ns;  /* sealed to committed */
    int64_t encode_ns;  /* CPU time of its encoding */
    uint32_t conflicts; /* see struct store_committed */
};

/* What went through in one interval. */
struct stats_sample {
    uint64_t received, committed, written; /* messages, rows, bytes */
    uint64_t lag;                          /* messages, at its end */
};

struct stats {
    uint64_t bytes_written;
    uint64_t files_committed[STATS_REASONS];
    uint64_t conflicts;
    struct histogram commit; /* sealed to committed */
    struct histogram encode; /* CPU time of an epoch's encoding */
    uint64_t reconnects;
    uint64_t epochs;
    int64_t last_commit; /* clock_wall, 0: none yet */
    struct stats_commit
        commits[STATS_COMMITS]; /* of epoch count n in place (n - 1) % STATS_COMMITS */

    struct stats_sample samples[STATS_SAMPLES]; /* sample n in place n % STATS_SAMPLES */
    struct stats_sample sampled;                /* the totals at the last sample */
    uint64_t sample_count;
    int64_t next_sample;
};

/* An epoch is in the store. */
void stats_committed(struct stats *s, const struct stats_commit *commit);

/* The samples of one of their members, named by its offset, oldest first. */
struct stats_curve {
    uint64_t values[STATS_SAMPLES];
    size_t count;
};
struct stats_curve stats_curve(const struct stats *s, size_t offset);

/* Take a sample of the rates if it is time; `totals` are those of all sources. Returns when the
 * next is due. */
int64_t stats_sample(struct stats *s, struct stats_sample totals, int64_t now);

/*
 * How others see the pipeline: the HTTP endpoint, alerts, the service manager. It is shown a view
 * once a turn, counts what it is told, and changes nothing.
 */
struct watch {
    const struct view *view;
    uint64_t alarms[CONFIG_FOLLOWERS_MAX]; /* of each follower, that were alerted of */
    struct stats stats;
    struct http_server http;
    struct alerts alerts;
    struct notify notify;
    int64_t started; /* clock_wall */
    bool told_ready, told_stopping;
    struct guard guard;
    struct buf body;   /* of the response */
    struct buf policy; /* of the page */
    struct {
        bool ready;    /* as seen last */
        int64_t since; /* clock_wall: it is so since then; 0: never looked */
    } verdict;
};

/* Before anything can fail; then watch_close is fine at any time. */
void watch_init(struct watch *w);

/* Listen. With `once` an address that is taken is only worth a warning: the service beside which a
 * single drain runs may have it. `config` and `view` are borrowed; `key` is random. */
int watch_open(struct watch *w, const struct config *config, bool once,
               const uint64_t key[static 2], const struct view *view, struct err *err)
    __attribute__((warn_unused_result));
void watch_close(struct watch *w);

/* Read the files of metrics.token_file and metrics.tls again. What can't be used is logged, and
 * what there was stays in force. */
void watch_reload(struct watch *w);

/* As for http_waits. */
size_t watch_waits(const struct watch *w, struct net_wait list[static HTTP_WAITS_MAX]);

/* At the end of a turn, with the view filled in: answer requests, raise and resolve alerts, feed
 * the watchdog. Returns when it wants the next turn. */
int64_t watch_turn(struct watch *w, const struct net_wait *list, size_t count, int64_t now);

/* All of a run is in the store and written down. */
void watch_run_closed(struct watch *w, const struct runs_closed *run);

/* The connection is ready; the one to `server` was lost. */
void watch_connected(struct watch *w);
void watch_lost(struct watch *w, const char *server, int64_t now);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_STATS_H
#define VARVE_WATCH_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/histogram.h"

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
    uint32_t reason;   /* index of the view's reason_names */
    int64_t commit_ns; /* sealed to committed */
    int64_t encode_ns; /* CPU time of its encoding */
};

/* What went through in one interval. */
struct stats_sample {
    uint64_t received, committed, written; /* messages, rows, bytes */
};

struct stats {
    uint64_t bytes_written;
    uint64_t files_committed[STATS_REASONS];
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

/* Take a sample of the rates if it is time; `totals` are those of all sources. Returns when the
 * next is due. */
int64_t stats_sample(struct stats *s, struct stats_sample totals, int64_t now);

#endif

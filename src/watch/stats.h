/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_STATS_H
#define VARVE_WATCH_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "event/event.h"
#include "store/epoch.h"

/*
 * What is counted. Only the network thread touches it; metrics, status page and logs read it. At
 * rest, for each source: received = committed + dead_lettered + deduplicated + pending.
 */
enum {
    STATS_BUCKETS = 14,
    STATS_COMMITS = 8,  /* that the status page shows */
    STATS_SAMPLES = 60, /* of the rates */
};
#define STATS_INTERVAL (5 * CLOCK_SECOND) /* of the samples: five minutes in all */

/* Seconds, with the upper bounds of stats_bounds and one bucket for all above. */
struct stats_histogram {
    uint64_t counts[STATS_BUCKETS + 1]; /* not cumulative */
    double sum;
};

extern const double stats_bounds[STATS_BUCKETS];

void stats_observe(struct stats_histogram *h, int64_t ns);

struct stats_source {
    uint64_t messages_received; /* every delivery, redeliveries included */
    uint64_t bytes_received;
    uint64_t rows_committed;
    uint64_t rows_deduplicated;
    uint64_t rows_clock_suspect;
    uint64_t dead_lettered[EVENT_RESULTS]; /* by reason: by subject or into quarantine */
    uint64_t pending;                      /* received, and none of the four yet */
    uint64_t acks_sent;
    uint64_t gaps;                /* sequences that the stream skipped */
    uint64_t lost;                /* messages that were gone before they were drained, at most */
    struct stats_histogram delay; /* stored by the stream to committed here */

    /* As the server said last: */
    uint64_t consumer_pending;
    uint64_t consumer_ack_floor;
    uint64_t stream_last_sequence;
};

/* One commit. */
struct stats_commit {
    int64_t time; /* clock_wall */
    uint64_t epoch, rows, files, bytes;
    enum epoch_reason reason;
    int64_t commit_ns;
};

/* What went through in one interval. */
struct stats_sample {
    uint64_t received, committed, written; /* messages, rows, bytes */
};

struct stats {
    uint64_t bytes_written;
    uint64_t files_committed[EPOCH_REASONS];
    struct stats_histogram commit; /* sealed to committed */
    struct stats_histogram encode; /* CPU time of an epoch's encoding */
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
void stats_committed(struct stats *s, const struct epoch *epoch, int64_t wall);

/* Take a sample of the rates if it is time; `totals` are those of all sources. */
void stats_sample(struct stats *s, struct stats_sample totals, int64_t now);

/* All messages that were dead-lettered, whatever the reason. */
uint64_t stats_dead_lettered(const struct stats_source *s);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_COUNTERS_H
#define VARVE_DRAIN_COUNTERS_H

#include <stdint.h>

#include "base/histogram.h"

/* What is counted of one source, by the network thread alone; metrics and status page read it. At
 * rest: received = committed + dead-lettered + deduplicated + pending. */
enum {
    /* Reasons for which a message is dead-lettered: numbers of the caller's. */
    SOURCE_REASONS_MAX = 16,
};

struct source_counters {
    uint64_t messages_received; /* every delivery, redeliveries included */
    uint64_t bytes_received;
    uint64_t rows_committed;
    uint64_t rows_deduplicated;
    uint64_t rows_clock_suspect;
    uint64_t dead_lettered[SOURCE_REASONS_MAX]; /* by subject or into quarantine */
    uint64_t pending;                           /* received, and none of the four yet */
    uint64_t acks_sent;
    uint64_t gaps;                  /* sequences that the stream skipped */
    uint64_t lost;                  /* messages that were gone before they were drained, at most, */
    uint64_t lost_first, lost_last; /* and the newest range that they are in */
    struct histogram delay;         /* stored by the stream to committed here */

    /* As the server said last: */
    uint64_t consumer_pending;
    uint64_t consumer_ack_floor;
    uint64_t stream_last_sequence;
};

/* All messages that were dead-lettered, whatever the reason. */
static inline uint64_t source_counters_dead_lettered(const struct source_counters *c)
{
    uint64_t total = 0;
    for (int i = 0; i < SOURCE_REASONS_MAX; i++)
        total += c->dead_lettered[i];
    return total;
}

#endif

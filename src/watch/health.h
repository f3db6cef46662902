/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_HEALTH_H
#define VARVE_WATCH_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct pipeline;
struct committer_trouble;

/* Readiness: do rows become durable? */

enum {
    /* A row that waits longer than this many times batching.max_age is stuck, whatever the reason:
     * one for its epoch to fill, one for the epoch before, one for slow disks. */
    HEALTH_AGES_MAX = 3,
};

/* True if they do. If not, one line for each reason is appended, without a full stop. */
bool health_is_ready(struct pipeline *p, int64_t now, struct buf *reasons);

/* Why commits fail, in the words of the system: the whole error, which is in the log, may name
 * paths, and these are made of values from events. */
const char *health_commit_failure(const struct committer_trouble *trouble);

/* How long the oldest message of a source waits for its commit and, where it is owed one, for its
 * ack; nanoseconds, 0 if none waits. */
int64_t health_oldest_unacked(const struct pipeline *p, uint32_t source, int64_t now);

#endif

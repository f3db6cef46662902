/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_REPLAY_H
#define VARVE_CLI_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "follow/filter.h"
#include "delta/snapshot.h"
#include "follow/publisher.h"
#include "object/object.h"

/* When rows are published. A zeroed struct: as fast as the server takes them. */
struct replay_pace {
    double speed;    /* of the time of the rows; 0: no matter */
    bool by_event;   /* event_time, else stream_time */
    int64_t max_gap; /* ns, between two messages; 0: any */
    bool started;
    int64_t latest; /* time of the rows so far, us since 1970 */
    int64_t due;    /* clock_monotonic: when it is its turn */
};

/* A term of the filter, for a column of events. */
struct replay_test {
    uint32_t column; /* enum event_column */
    struct parquet_leaf leaf;
    struct filter_test test;
};

/* `varve replay`: what was asked for, and how far it has come. */
struct replay {
    const char *path;
    struct filter filter;
    struct replay_test *tests; /* of the terms */
    struct replay_pace pace;
    bool force, dry_run;
    bool progress;         /* tell it on stderr */
    int64_t next_progress; /* clock_monotonic */
    bool stopped;          /* by a signal */

    struct object_store *store;
    struct delta_snapshot table;
    struct publisher_options to;
    struct publisher publisher;
    uint64_t rows; /* that passed, again where they had to be sent again */
};

/* What the terms of the filter mean. ERR_USAGE for one that does not fit its column. */
int replay_bind(struct replay *r, struct err *err) __attribute__((warn_unused_result));

/* When a row is due, in the time of `now` (clock_monotonic): the first one at once. Rows whose time
 * runs backwards, or is not known, are due with the one in front of them. */
int64_t replay_due(struct replay_pace *pace, const struct slice *values, int64_t now);

/* Publish the rows behind publisher_place, in order, and wait until all are confirmed; or count
 * them. Ends early, without an error, when r->stopped. */
int replay_rows(struct replay *r, struct err *err) __attribute__((warn_unused_result));

#endif

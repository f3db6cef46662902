/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_SERIES_COUNTS_H
#define VARVE_FOLLOW_SERIES_COUNTS_H

#include "base/map.h"
#include "delta/follower.h"
#include "follow/series_writer.h"
#include "follow/target.h"

/*
 * Events, counted by series and second: the lines of points without fields. The rows that one
 * commit brings of a series and a second make one line, at a time within that second which the
 * first of these rows determines; so lines of several commits stand beside each other, and add up.
 *
 * Rows come again after a crash, perhaps with newer ones, and must make the same lines as before.
 * So which rows a commit has is written down before it is sent, and rows that were written down
 * together are counted together from then on.
 */
struct series_window {
    uint64_t count;
    uint64_t first; /* sequence of the first row */
    uint32_t origin;
    uint32_t place; /* of the first row's stream, in its nanoseconds */
    int64_t second;
    size_t series; /* where it begins in the key */
};

/* A zeroed struct is empty, once it has a name. */
struct series_counts {
    const char *name; /* of the note in the store */
    struct map keys;
    ARRAY(struct series_window) windows; /* each of a key */
    struct delta_follower known;         /* rows that were written down, by "GROUP:STREAM" */
    unsigned groups;
    bool again;                  /* some of them have come */
    struct delta_follower fresh; /* rows that have come and are not known */
    unsigned group;              /* of the row that has come last */
    struct buf key;
};

/* Read what was written down. */
int series_counts_open(struct series_counts *c, struct object_store *store, struct err *err)
    __attribute__((warn_unused_result));

/* A row has come; and it counts for a series, in the second of `time`. `origin` is for the line. */
void series_counts_take(struct series_counts *c, const struct follow_event *row);
void series_counts_add(struct series_counts *c, const struct follow_event *row, uint32_t origin,
                       struct slice series, int64_t time);

/* Write down what has come, and append its lines. */
int series_counts_lines(struct series_counts *c, struct object_store *store,
                        struct series_lines *lines, struct err *err)
    __attribute__((warn_unused_result));

/* Forget all that has come: it is committed, or comes again. */
void series_counts_reset(struct series_counts *c);
void series_counts_free(struct series_counts *c);

#endif

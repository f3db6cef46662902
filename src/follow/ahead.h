/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_AHEAD_H
#define VARVE_FOLLOW_AHEAD_H

#include "follow/reader.h"

/*
 * Rows that are read on a thread of their own, ahead of whoever does something with them: a few
 * parcels of rows go back and forth between the two, so that memory is bounded. The rows are those
 * of a reader, in its order. Where no thread can be had, they are read when they are asked for.
 */
enum {
    FOLLOW_AHEAD_PARCELS = 3,
    FOLLOW_AHEAD_ROWS = 4096,        /* of a parcel */
    FOLLOW_AHEAD_BYTES = 512 * 1024, /* of it, and one row */
};

struct follow_ahead;

/* Begin. The reader has `columns` columns, no records, and is borrowed until follow_ahead_free,
 * which comes first. Only rows that `wanted` says are wanted are passed on; it is called on the
 * other thread. */
struct follow_ahead *follow_ahead_new(struct follow_reader *reader, uint32_t columns,
                                      bool (*wanted)(const void *context,
                                                     const struct slice *values),
                                      const void *context);

/* As follow_reader_next. After 0 or -1 it is not called any more. */
int follow_ahead_next(struct follow_ahead *a, struct follow_row *row, struct err *err)
    __attribute__((warn_unused_result));

/* At any time: what was read and not taken is forgotten. It waits until the other thread has read
 * the window of its reader at most. Accepts NULL. */
void follow_ahead_free(struct follow_ahead *a);

#endif

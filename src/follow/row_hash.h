/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_ROW_HASH_H
#define VARVE_FOLLOW_ROW_HASH_H

#include "event/event.h"

/*
 * A row by all that it has: of streams that were mixed, a sequence alone does not say which row it
 * is. Two rows that are equal in each column, the time in their streams included, are the same to
 * us: which of them is where makes no difference to anybody.
 */
enum {
    ROW_HASH = 16
}; /* of a SHA-256: no two differing rows of all that were ever stored share it */

struct row_hash {
    uint8_t bytes[ROW_HASH];
};

/* Of the values of the event's columns, as a reader gives them. */
struct row_hash row_hash_of(const struct slice values[static EVENT_COLUMNS]);

#endif

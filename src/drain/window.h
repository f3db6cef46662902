/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_WINDOW_H
#define VARVE_DRAIN_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "batch/seqset.h"

/*
 * Which of the newest messages were delivered. In a stream that has other subjects, too, a ledger
 * takes what the consumer passed over for nothing of ours; a window tells the two apart until the
 * stream was asked how many of ours it has. A zeroed struct is a closed one, which lacks nothing.
 */
struct window {
    bool open;
    uint64_t after;    /* up to here nothing is known */
    struct seqset got; /* what was delivered behind it */
};

/* Ranges that it holds: half a megabyte. With more than that between two messages of others it
 * forgets the oldest. */
enum { WINDOW_RANGES_MAX = 1 << 15 };

/* Open a closed one: all that is delivered behind `after` will be added to it. */
void window_open(struct window *w, uint64_t after);
void window_close(struct window *w);

/* These were delivered. */
void window_add(struct window *w, uint64_t first, uint64_t last);
void window_add_all(struct window *w, const struct seqset *sequences);

/* True if it is known that this one was not delivered. */
bool window_lacks(const struct window *w, uint64_t sequence);

/* How many of these were, as far as is known. */
uint64_t window_count(const struct window *w, uint64_t first, uint64_t last);

/* It will have to forget some soon. */
bool window_is_filling(const struct window *w);

/* Forget what it says of all up to here. */
void window_forget(struct window *w, uint64_t through);

#endif

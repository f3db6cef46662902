/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_CUT_H
#define VARVE_DRAIN_CUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "batch/position.h"

/*
 * Up to where a stream that was set back still is what we know of it. A stream stores messages in
 * the order of time: what it has from before our newest message is what we know, and all that it
 * got since is newer than that. So the cut is found by halving, with one question to the stream
 * (STREAM.MSG.GET) at a time; the marks of the position below it then have to be what the stream
 * has, else clocks went back and the cut is moved down to below the mark.
 */
enum cut_state {
    CUT_IDLE,
    CUT_HALVING,  /* asks for the first message at or behind a sequence */
    CUT_CHECKING, /* asks for the message that a mark is of */
    CUT_DONE,
};

struct cut {
    enum cut_state state;
    struct position_marks marks;
    int64_t newest_time;  /* of what we know */
    uint64_t first, last; /* HALVING: the cut is at first, or at a message from there to last */
    int64_t first_time;   /* when the message at `first` was stored */
    size_t mark;          /* CHECKING: which one */
};

/* `known`, of the stream before it was set back; it now ends with `last_seq`, and up to `first`, 0:
 * nothing, need not be asked for. */
void cut_begin(struct cut *c, const struct position *known, uint64_t first, uint64_t last_seq);

/* Append the body of the next question. False: there is none, it is DONE. */
bool cut_ask(const struct cut *c, struct buf *body);

/* The answer: the message, or that there is none. */
void cut_answer(struct cut *c, bool found, uint64_t sequence, int64_t time);

/* Of a DONE one: what is durable of `known` up to the cut. Its set is the caller's to free; texts
 * are not set. */
void cut_take(struct cut *c, const struct position *known, struct position *out);

#endif

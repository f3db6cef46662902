/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BATCH_SEQSET_H
#define VARVE_BATCH_SEQSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/json.h"

/*
 * A set of stream sequences as sorted, disjoint, non-adjacent ranges. A drained stream is nearly
 * contiguous, so the set stays small however many members it has. A zeroed struct is empty.
 */
struct seqrange {
    uint64_t first, last; /* both included, first <= last */
};

struct seqset {
    ARRAY(struct seqrange);
};

enum {
    /* Ranges above a position. The most messages that can be unacknowledged at a server are below
     * it. */
    SEQSET_RANGES_MAX = 1 << 20,
    /* Ranges of a set that is read as text: more than any text has whose size is bounded by that of
     * an entry of a log, with 9 bytes or more for each. What was written can be read. */
    SEQSET_TEXT_RANGES_MAX = 1 << 25,
};

/* Add one sequence; false if it was there already. Appending in order is O(1). */
bool seqset_add(struct seqset *set, uint64_t sequence);

/* Add first..last; what is there already stays. */
void seqset_add_range(struct seqset *set, uint64_t first, uint64_t last);

/* Add all of `from`. */
void seqset_add_all(struct seqset *set, const struct seqset *from);

/* Add what is in `from`, but neither in `without` nor below or at `through`. */
void seqset_add_new(struct seqset *set, const struct seqset *from, const struct seqset *without,
                    uint64_t through);

bool seqset_contains(const struct seqset *set, uint64_t sequence);

/* The range that has `sequence`, or else the next one behind it; NULL if there is none. Valid until
 * the set changes. */
const struct seqrange *seqset_find(const struct seqset *set, uint64_t sequence);

/* Whether two sets have a sequence in common: *first gets the lowest one. */
bool seqset_meet(const struct seqset *a, const struct seqset *b, uint64_t *first);

/* The greatest member up to `sequence`; 0 if there is none. */
uint64_t seqset_last_through(const struct seqset *set, uint64_t sequence);

/* How many sequences are in the set; UINT64_MAX if it does not fit. */
uint64_t seqset_size(const struct seqset *set);

/* The largest N such that all of `from`..N are in the set; `from` - 1 if `from` is not. */
uint64_t seqset_contiguous_end(const struct seqset *set, uint64_t from);

/* Drop all members up to `sequence`. */
void seqset_remove_through(struct seqset *set, uint64_t sequence);

/* Append ranges as text, "1-5,7,9-20", ascending, nothing for an empty set, or put that text as a
 * member; and parse it. The parser adds to `out` and returns false for anything else, and for more
 * than SEQSET_TEXT_RANGES_MAX ranges. */
void seqset_write_text(struct buf *out, const struct seqset *set);
void seqset_put_json(struct json_writer *w, const char *name, const struct seqset *set);
bool seqset_parse_text(struct seqset *out, struct slice text) __attribute__((warn_unused_result));

/* How many ranges this thread has moved so far to make place for others, or to close gaps: what
 * tests hold against how many there are. */
uint64_t seqset_moved(void);

/* Bytes of memory held. */
size_t seqset_memory(const struct seqset *set);

void seqset_reset(struct seqset *set);
void seqset_free(struct seqset *set);

#endif

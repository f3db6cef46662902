/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BATCH_SEQJOIN_H
#define VARVE_BATCH_SEQJOIN_H

#include "batch/seqset.h"

/*
 * The union of many sets, where each may lie between all that came before: those of a log to which
 * several have committed parts of one stream, or rows that come late. To put each into one set at
 * once moves whatever is behind it, so that the work grows with the square of what there is. Here
 * what would move much waits in runs, each with less than half as many ranges as the one before,
 * and `into` with more than twice as many as the first: what is added is moved once for each, and
 * all of them together hold no more than `into`.
 *
 * Until seqjoin_finish, `into` lacks what waits. A zeroed struct is empty; a run is booked to the
 * account of `into`.
 */
struct seqjoin {
    ARRAY(struct seqset) runs;
};

/* Add one sequence; false if `into`, or what waits, has it already. */
bool seqjoin_add(struct seqjoin *join, struct seqset *into, uint64_t sequence);

/* Add all of `from`. */
void seqjoin_add_all(struct seqjoin *join, struct seqset *into, const struct seqset *from);

/* Put what waits into `into`. `join` is empty afterwards. */
void seqjoin_finish(struct seqjoin *join, struct seqset *into);

void seqjoin_free(struct seqjoin *join);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_SEAL_H
#define VARVE_PIPELINE_SEAL_H

#include "pipeline/pipeline.h"

/* Epoch after epoch: when the open one is sealed, and what a committed one changes. */

/* Seal the open epoch, which is not empty, and give it to the encoder. */
void seal_seal(struct pipeline *p, enum epoch_reason reason, int64_t now);

/* The same if it has as many rows or bytes as an epoch may have, whatever else waits. */
void seal_if_full(struct pipeline *p, int64_t now);

/* The same if it is old enough, or of an old generation of a stream, and there is room for one more
 * sealed epoch. Returns when to ask again. */
int64_t seal_if_due(struct pipeline *p, int64_t now);

/* Streams that were made again go on once nothing of the old one is open. */
void seal_adopt_generations(struct pipeline *p, int64_t now);

/* Take over what the committer has done: ledgers, counters, acks. */
void seal_collect_committed(struct pipeline *p);

/* At the end: seal what is open, and what else is known that no epoch says. */
void seal_last(struct pipeline *p, enum epoch_reason reason, int64_t now);

#endif

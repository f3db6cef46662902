/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_MEMORY_H
#define VARVE_PIPELINE_MEMORY_H

#include "pipeline/pipeline.h"

/*
 * What counts against memory_limit: all that grows with what is drained, in whatever form it is.
 * Beside it the process has some MiB that don't grow: its code, stacks, small buffers.
 */
enum {
    /* Of what is asked for, an allocator takes so much more for its classes of sizes: an eighth. */
    MEMORY_ROUNDING = 8,
};

uint64_t memory_held(const struct pipeline *p);

/* Take over a memory_limit: what batches, pulls and row groups may take. */
void memory_set_limit(struct pipeline *p, uint64_t limit);

#endif

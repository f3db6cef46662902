/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_FLOW_H
#define VARVE_PIPELINE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "pipeline/epoch.h"

/*
 * Whether more may be asked for. Nothing that was asked for can be refused later, so this is where
 * a slow disk, a full one and the memory limit act: no new pulls, while all else goes on.
 */
enum flow_pause {
    FLOW_COMMIT,   /* commits fail, or can't keep up */
    FLOW_ENCODER,  /* compression can't keep up */
    FLOW_MEMORY,   /* memory_limit */
    FLOW_DISK_LOW, /* output.min_free */
    FLOW_PAUSES,
};

enum {
    /* Sealed epochs that are not committed: one that is being written, one behind it. */
    FLOW_EPOCHS_MAX = 2,
};

/* Shares of memory_limit. The open epoch may take half of it, compressed; the other half is for the
 * one that is being committed meanwhile, for rows that wait for compression (some 50 ms of work at
 * the default limit), for batches that fill, and for what is on its way. */
#define FLOW_QUEUE_BYTES(memory_limit) ((memory_limit) / 16)
#define FLOW_BATCH_BYTES(memory_limit) ((memory_limit) / 128)
#define FLOW_DISK_INTERVAL (2 * CLOCK_SECOND)

/* "commit", "encoder"...: the `reason` of varve_paused. A literal. */
const char *flow_pause_name(enum flow_pause pause);

struct flow_state {
    uint32_t epochs; /* sealed, not committed */
    bool failing;    /* the newest commit attempt failed */
    uint64_t queued; /* bytes of rows that wait for the encoder */
    uint64_t memory; /* of rows in all forms */
    uint64_t memory_limit;
    uint64_t disk_free;
    uint64_t min_free;
};

/* Bits 1 << enum flow_pause of all that speaks against asking for more; 0: go on. */
uint32_t flow_pauses(const struct flow_state *s);

/* Memory at which the open epoch is sealed early: what is left is for the epoch that is being
 * committed meanwhile, for what is on its way, and for the rest of the process. */
uint64_t flow_seal_memory(uint64_t memory_limit);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_UPKEEP_H
#define VARVE_PIPELINE_UPKEEP_H

#include "base/account.h"
#include "base/queue.h"
#include "config/config.h"
#include "store/compact.h"
#include "store/keeper.h"
#include "store/retain.h"
#include "store/runs.h"

/* What keeps a table of events in order: what store/ does with any table, told which columns events
 * have. */

/* Retention of events; zeros for no limit. */
struct retain_options upkeep_retention(int64_t max_age, uint64_t max_bytes);

/* Compaction of events; NULL: by the defaults of the configuration. */
struct compact_options upkeep_compaction(const struct config *config);

/* A run was closed; to be freed. */
struct upkeep_news {
    struct queue_item item;
    struct runs_closed run;
};

/* What the keeper tells others, on its own thread. */
struct upkeep {
    struct retain_counters retained;
    struct compact_counters compacted;
    struct account memory; /* of compaction */
    struct queue news;     /* of struct upkeep_news */
    struct waker waker;
};

void upkeep_init(struct upkeep *u, struct waker waker);

/* The jobs that the configuration asks for. `u` outlives the keeper. */
void upkeep_add_jobs(struct keeper *keeper, const struct config *config, struct upkeep *u);

/* What nobody took is dropped. */
void upkeep_free(struct upkeep *u);

#endif

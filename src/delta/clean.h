/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_CLEAN_H
#define VARVE_DELTA_CLEAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "object/object.h"

/*
 * Removing what of a log is older than the table keeps it (Delta PROTOCOL.md, "Metadata Cleanup"):
 * entries, checkpoints, checksums and compacted entries before the newest checkpoint that is itself
 * old enough, oldest first, so that what is left has no holes whenever a crash comes. The entry of
 * that checkpoint stays.
 *
 * More is kept than the protocol asks for: what the checkpoint named by _last_checkpoint needs, and
 * entries of an instance of varve that say what is durable above its positions and is written
 * nowhere else (durable.h).
 */
struct delta_cleaned {
    uint64_t removed; /* objects */
    bool held;        /* by an instance, whose entry `at` must stay */
    uint64_t at;
};

/* `store` is a writer's; `wall_time` in ns. Nothing is removed unless the checkpoint that the log
 * is going to begin with was read from end to end. */
int delta_log_clean(struct object_store *store, int64_t wall_time, struct delta_cleaned *out,
                    struct err *err) __attribute__((warn_unused_result));

#endif

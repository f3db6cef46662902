/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_CHECKPOINT_MAKE_H
#define VARVE_DELTA_CHECKPOINT_MAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "delta/log.h"
#include "object/object.h"

/*
 * Making a checkpoint in the classic form, one file: the newest state of a table out of its last
 * checkpoint and the entries behind it (Delta PROTOCOL.md, "Checkpoints", "Action Reconciliation").
 * What was there is streamed; in memory are the paths that the entries name, so that a table of
 * millions of files takes no more than one of a few. Entries that name very many are dealt with in
 * several checkpoints, each good for itself.
 *
 * A checkpoint is read back and compared, action by action, before _last_checkpoint names it.
 */
enum {
    /* Paths in memory, some 100 bytes each; one entry more may come on top. */
    DELTA_CHECKPOINT_PATHS_MAX = 1 << 15,
};

struct delta_checkpoint_made {
    uint64_t newest;   /* version of the table, as far as it was read */
    uint64_t interval; /* commits between checkpoints that the table asks for */
    bool has_checkpoint;
    uint64_t version;               /* of the newest checkpoint */
    uint32_t count;                 /* checkpoints that were made by this call */
    uint64_t actions, files, bytes; /* of the last of these */
};

/*
 * Make one if `interval` entries have come since the last one; 0: as many as the table asks for.
 * Tombstones that have expired at `wall_time` (ns) are left out. ERR_REFUSED, and nothing is
 * changed, soon after *stop becomes true (NULL: it never does). `store` is a writer's. ERR_FORMAT
 * or ERR_LIMIT for a log that can't be one file, ERR_UNSUPPORTED for a table that varve can't write
 * to: nothing was changed then. The names of all files may be left to object_clean by a crash.
 */
int delta_checkpoint_make(struct object_store *store, uint64_t interval, int64_t wall_time,
                          const atomic_bool *stop, struct delta_checkpoint_made *out,
                          struct err *err) __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_COMMIT_H
#define VARVE_STORE_COMMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "batch/seqset.h"
#include "object/file.h"
#include "batch/position.h"
#include "delta/stats.h"
#include "store/store.h"

/* One finished file of an epoch. All is borrowed until the commit is done. */
struct store_epoch_file {
    struct store_file *file;
    bool quarantine; /* not part of the table: gets its place, but no `add` */
    const char *key; /* from store_path_key or store_path_quarantine_key */
    const char *stream, *created;
    const struct seqset *sequences;           /* exactly those of its rows; not empty. Of more than
                                                 STORE_ADD_RANGES_MAX ranges only both ends are looked at */
    uint64_t rows;                            /* at least 1 */
    const struct store_column_stats *columns; /* of any of the columns; each once */
    size_t column_count;
};

/*
 * Everything that becomes visible at once. `positions`: what is durable when this is committed, for
 * each generation of a stream that took part, each once. `dead_letters`: sequences that are durable
 * because a dead letter stream has confirmed them; they are noted for who looks for gaps later. An
 * epoch without files is fine: it moves positions, for instance over such messages.
 */
struct store_epoch {
    const struct store_epoch_file *files;
    size_t file_count;
    const struct position *positions;
    size_t position_count;
    const struct seqset *dead_letters; /* of each position; NULL: none of any */
};

enum {
    /* Ranges that the log keeps of one file, beyond that only first and last: a file of a table
     * with many simulations can have about as many ranges as rows. */
    STORE_ADD_RANGES_MAX = 256,
};

/*
 * Commit an epoch. Returns 0 once its entry in the log is durable: now, and not before, the
 * messages may be acknowledged. In this order:
 *
 *   1. the files are finished already (store_file_finish); their temporary names are made durable;
 *   2. the log entry is written to _delta_log/.pending-<instance> and made durable;
 *   3. each file is moved to its place, replacing nothing; the directories are made durable;
 *   4. .pending becomes the next entry of the log, replacing nothing; made durable.
 *
 * -1 means that the epoch is not known to be committed. Nothing is lost and nothing may be
 * acknowledged: call again, with the same epoch and all that it borrows unchanged, as soon as the
 * disk may work again, until it returns 0. It goes on with the step that failed. No other epoch can
 * be committed before. Who writes what anew after an error: the data files never (all of their
 * bytes are durable before a commit begins; a failed store_file_finish is the caller's to repair);
 * .pending, when its own fsync failed, this function, as a new file; moves are repeated; fsync of a
 * directory is repeated, which is sound since directories are journaled and a journal that failed
 * keeps failing. If the process ends instead, store_open finishes the commit from step 3 on, or,
 * before that, removes all of it.
 */
int store_commit(struct store *store, const struct store_epoch *epoch, struct err *err)
    __attribute__((warn_unused_result));

#endif

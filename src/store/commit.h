/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_COMMIT_H
#define VARVE_STORE_COMMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "batch/position.h"
#include "batch/seqset.h"
#include "delta/entry.h"
#include "object/object.h"
#include "store/store.h"

/* One finished file of an epoch. All is borrowed until the commit is done. */
struct store_epoch_file {
    struct object_staged *file;
    bool quarantine; /* not part of the table: gets its place, but no `add` */
    const char *key; /* from store_path_key or store_path_quarantine_key */
    const char *stream, *created;
    const struct seqset *sequences;           /* exactly those of its rows; not empty. Of more than
                                                 DELTA_ADD_RANGES_MAX ranges only both ends are looked at */
    uint64_t rows;                            /* at least 1 */
    const char *sha256;                       /* of its bytes, as text; NULL: not known */
    const struct store_column_stats *columns; /* of any of the columns; each once */
    size_t column_count;
};

/*
 * Everything that becomes visible at once. `positions`: what is durable when this is committed, for
 * each generation of a stream that took part, each once. `rows_of`: the sequences of each that this
 * epoch stores, wherever they are; `dead_letters`: those among them that are durable because a dead
 * letter stream has confirmed them; they are noted for who looks for gaps later. An epoch without
 * files is fine: it moves positions, for instance over such messages.
 */
struct store_epoch {
    const struct store_epoch_file *files;
    size_t file_count;
    const struct position *positions;
    size_t position_count;
    const struct seqset *rows_of;      /* of each position; NULL: not known of any */
    const struct seqset *dead_letters; /* of each position; NULL: none of any */
    uint64_t number, heard;            /* see struct store_seal; 0: others don't matter */
};

/*
 * Commit an epoch: its files and one entry of the log, by object_commit. Returns 0 once the entry
 * is durable: now, and not before, the messages may be acknowledged. -1 means that the epoch is not
 * known to be committed. Nothing is lost and nothing may be acknowledged: call again, with the same
 * epoch and all that it borrows unchanged, as soon as the disk may work again, until it returns 0;
 * unless store_is_outdated.
 * No other epoch can be committed before. If the process ends instead, store_open finishes the
 * commit, or removes all of it.
 */
int store_commit(struct store *store, const struct store_epoch *epoch, struct err *err)
    __attribute__((warn_unused_result));

/* Forget the commit under way; for store_reopen and store_close. */
void store_forget_commit(struct store *store);

/* Write down how far this instance has come: delta/saved.h. */
int store_save(struct store *store, struct err *err) __attribute__((warn_unused_result));

/* The name of the next entry, for struct object_group; the context is the store. */
int store_next_entry(void *context, bool taken, struct buf *out, struct err *err);

#endif

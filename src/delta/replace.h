/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_REPLACE_H
#define VARVE_DELTA_REPLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "batch/position.h"
#include "delta/snapshot.h"

/*
 * One entry by which a table becomes another one, whose files lie in a folder of it: for a reader
 * it is the old one before and the new one after. It has the metaData of the new one with its id,
 * so that nothing which was written down of the old one, and bears its id, counts any more.
 * (Delta PROTOCOL.md, "Actions".)
 */
struct delta_replacement {
    const char *instance, *engine;
    int64_t wall_time; /* ns */
    /* What `instance` has in the new table, and the sequences of its rows. */
    const struct position *positions;
    const struct seqset *rows_of;
    size_t position_count;
    const struct delta_snapshot *old, *fresh; /* with their files, `old` without what is of them */
    const char *folder;                       /* where those of `fresh` are; ends with '/' */
};

/* Append the entry: about 1 kB for each new file and 0.2 kB for each old one. All is borrowed.
 * False: it would have more than `limit` bytes, and `out` is of no use. */
bool delta_replacement_write(struct buf *out, const struct delta_replacement *r, size_t limit)
    __attribute__((warn_unused_result));

#endif

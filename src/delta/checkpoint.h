/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_CHECKPOINT_H
#define VARVE_DELTA_CHECKPOINT_H

#include "base/err.h"
#include "delta/action.h"
#include "delta/log.h"

/* An action, borrowed for the call. Not 0: stop, with that result. */
typedef int delta_visit(void *context, const struct delta_action *action, struct err *err);

/*
 * Visit what a checkpoint in the classic form, of one part or many, says that the table is:
 * protocol, metaData, txn, add and remove (a tombstone, for who removes files); actions that varve
 * does not know are passed over.
 * (Delta PROTOCOL.md, "Checkpoint Schema", "Checkpoint Format".) *found is false if a part is not
 * there, or not any more. ERR_UNSUPPORTED for one that has its actions in other files, ERR_FORMAT.
 */
int delta_checkpoint_read(struct object_store *store, const struct delta_checkpoint *checkpoint,
                          delta_visit *visit, void *context, bool *found, struct err *err)
    __attribute__((warn_unused_result));

#endif

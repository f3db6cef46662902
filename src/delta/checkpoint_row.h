/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_CHECKPOINT_ROW_H
#define VARVE_DELTA_CHECKPOINT_ROW_H

#include "base/err.h"
#include "batch/batch.h"
#include "delta/action.h"

/*
 * The columns of a checkpoint in the classic form, one for each kind of action, and an action as a
 * row of them (Delta PROTOCOL.md, "Checkpoint Schema"). All is optional, as older readers want it.
 */
extern const struct schema delta_checkpoint_schema;

/* Append an action that a checkpoint keeps: txn, add, remove, metaData, protocol (ASSERT). Texts of
 * other engines' checkpoints are hostile: ERR_FORMAT, and the batch as it was, for one that is not
 * UTF-8, for sizes of 2^63 and more, and for deletion vectors; ERR_LIMIT for a row that is too
 * large. */
int delta_checkpoint_append(struct batch *batch, const struct delta_action *action, struct err *err)
    __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_TABLE_H
#define VARVE_FOLLOW_TABLE_H

#include "config/config.h"
#include "follow/target.h"

/*
 * The target of kind `table`: for each of `payloads` a Delta table of its own below `target`, in
 * the folder that is called as the event type, with the columns of the envelope, `payload_error`,
 * and the payload's as typed columns. It is made with the first row of its type. Its commits say
 * which rows the follower had then, in their transactions, so that a row comes into it once.
 */

/* `config` is finished, and borrowed until the target is freed. ERR_USAGE for payloads that can't
 * be described. */
struct follow_target *follow_table_new(const struct config *config,
                                       const struct config_follower *follower, struct err *err)
    __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_TABLE_H
#define VARVE_FOLLOW_TABLE_H

#include "config/config.h"
#include "event/payload.h"
#include "follow/anew.h"
#include "follow/target.h"

/*
 * The target of kind `table`: for each of `payloads` a Delta table of its own below `target`, in
 * the folder that is called as the event type, with the columns of the envelope, `payload_error`,
 * and the payload's as typed columns. It is made with the first row of its type. An entry for `*`
 * makes one for each event type that has none of its own and whose payloads it can decode. Its
 * commits say which rows the follower had then, in their transactions, so that a row comes into it
 * once.
 */

/* The messages of an entry of `payloads` that is not of format json, by its descriptor_set; without
 * one, those of the simulation. NULL on errors. */
struct payload_types *follow_types_read(const struct config_payload *settings, struct err *err)
    __attribute__((warn_unused_result));

/* The same for each entry of `payloads`, whose messages have to be there: `types` has room for
 * CONFIG_PAYLOADS_MAX, zeroed, and is the caller's to free, also after an error. */
int follow_types_read_all(const struct config *config, struct payload_types **types,
                          struct err *err) __attribute__((warn_unused_result));

/* The hash of all files that `payloads` names, one behind the other. */
int follow_types_hash(const struct config *config, char out[static SHA256_TEXT_MAX],
                      struct err *err) __attribute__((warn_unused_result));

/* `config` is finished, and borrowed until the target is freed. ERR_USAGE for payloads that can't
 * be described. */
struct follow_target *follow_table_new(const struct config *config,
                                       const struct config_follower *follower, struct err *err)
    __attribute__((warn_unused_result));

/* Before it is opened: make its tables anew, with all rows that come; borrowed. What is begun then
 * is the caller's to end, when the target is freed. */
void follow_table_anew(struct follow_target *target, struct follow_anew *anew);

#endif

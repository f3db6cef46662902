/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_NATS_H
#define VARVE_FOLLOW_NATS_H

#include "config/config.h"
#include "follow/target.h"

/*
 * The target of kind `nats`: each row as a message of a stream (follow/publisher.h), once. What a
 * crash has left between the stream and the note of it in the store is read from the last messages
 * of the stream.
 */

/* `config` is finished, and borrowed until the target is freed. ERR_USAGE for a subject that is
 * none. */
struct follow_target *follow_nats_new(const struct config *config,
                                      const struct config_follower *follower, struct err *err)
    __attribute__((warn_unused_result));

#endif

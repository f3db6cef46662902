/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_KINDS_H
#define VARVE_FOLLOW_KINDS_H

#include "config/config.h"
#include "follow/target.h"

/* "table"...: a literal. */
const char *follow_kind_name(enum config_kind kind);

/* The target that a follower's configuration asks for. `config` is finished, and borrowed until the
 * target is freed. NULL on errors: ERR_USAGE for what is wrong in it. */
struct follow_target *follow_target_new(const struct config *config,
                                        const struct config_follower *follower, struct err *err)
    __attribute__((warn_unused_result));

void follow_target_free(struct follow_target *target);

/* Of one, borrowed as there. */
struct follow_settings {
    const struct config *config;
    const struct config_follower *follower;
};

/* The target of `settings`, a struct follow_settings, anew, if the files of its descriptor sets
 * have other bytes than those that `old` was made by. *fresh: NULL if they have not, or on errors.
 */
int follow_target_renew(void *settings, const struct follow_target *old,
                        struct follow_target **fresh, struct err *err)
    __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
#include "follow/kinds.h"

#include "follow/table.h"

const char *follow_kind_name(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_KIND_TABLE:
        return "table";
    }
    return "";
}

struct follow_target *follow_target_new(const struct config *config,
                                        const struct config_follower *follower, struct err *err)
{
    struct follow_target *target = NULL;
    switch (follower->kind) {
    case CONFIG_KIND_TABLE:
        target = follow_table_new(config, follower, err);
        break;
    }
    if (target == NULL)
        (void)err_prefix(err, "follower %s", follower->name);
    return target;
}

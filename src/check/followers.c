/* SPDX-License-Identifier: MIT */
#include "check/check.h"
#include "follow/kinds.h"
#include "object/open.h"

static void check_follower(struct check_report *r, const struct config *config,
                           const struct config_follower *follower)
{
    struct buf found = {0}, says = {0};
    struct err err = {0};
    struct follow_target *target = follow_target_new(config, follower, &err);
    if (target == NULL) {
        check_say(r, CHECK_PROBLEM, "%s", err.text);
        return;
    }
    bool directory = config_has_target(follower->kind) && !object_is_url(follower->target);
    if (directory && !check_directory(r, follower->target, &found))
        check_say(r, CHECK_PROBLEM, "follower %s can't bring anything to its target",
                  follower->name);
    else if (target->operations->check(target, &says, &err) != 0)
        check_say(r, CHECK_PROBLEM, "follower %s: %s", follower->name, err.text);
    else
        check_say(r, CHECK_OK, "follower %s: %s", follower->name, buf_text(&says));
    target->operations->free(target);
    buf_free(&found);
    buf_free(&says);
}

void check_followers(struct check_report *r, const struct config *config)
{
    for (size_t i = 0; i < config->follower_count; i++)
        check_follower(r, config, &config->followers[i]);
}

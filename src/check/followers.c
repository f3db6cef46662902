/* SPDX-License-Identifier: MIT */
#include "check/check.h"
#include "delta/log.h"
#include "delta/snapshot.h"
#include "follow/items.h"
#include "follow/kinds.h"
#include "object/open.h"

/* NULL where it can't be made, which is told. */
static struct follow_target *make_target(struct check_report *r, const struct config *config,
                                         const struct config_follower *follower)
{
    struct err err = {0};
    struct follow_target *target = follow_target_new(config, follower, &err);
    if (target == NULL)
        check_say(r, CHECK_PROBLEM, "%s", err.text);
    return target;
}

void check_follower_settings(struct check_report *r, const struct config *config)
{
    for (size_t i = 0; i < config->follower_count; i++) {
        struct follow_target *target = make_target(r, config, &config->followers[i]);
        if (target != NULL)
            follow_target_free(target);
    }
}

static void check_follower(struct check_report *r, const struct config *config,
                           const struct config_follower *follower)
{
    struct buf found = {0}, says = {0};
    struct err err = {0};
    struct follow_target *target = make_target(r, config, follower);
    if (target == NULL)
        return;
    bool directory = config_has_target(follower->kind) && !object_is_url(follower->target);
    if (directory && !check_directory(r, follower->target, &found))
        check_say(r, CHECK_PROBLEM, "follower %s can't bring anything to its target",
                  follower->name);
    else if (target->operations->check(target, &says, &err) != 0)
        check_say(r, CHECK_PROBLEM, "follower %s: %s", follower->name, err.text);
    else
        check_say(r, CHECK_OK, "follower %s: %s", follower->name, buf_text(&says));
    follow_target_free(target);
    buf_free(&found);
    buf_free(&says);
}

/* What was added to it since it began to follow. */
static void check_items(struct check_report *r, const struct config *config,
                        const struct config_follower *follower, struct object_store *store,
                        struct slice table)
{
    struct delta_follower done = {0};
    struct buf items = {0}, new = {0};
    struct err err = {0}; /* it says so itself when it runs */
    bool found = false;
    follow_items(&items, config, follower);
    if (delta_follower_read(&done, store, follower->name, table, &found, &err) == 0 && found)
        follow_items_new(&new, &done, buf_slice(&items));
    if (new.len > 0)
        check_say(r, CHECK_WARNING, "follower %s: %s", follower->name, buf_text(&new));
    delta_follower_free(&done);
    buf_free(&items);
    buf_free(&new);
}

void check_followers(struct check_report *r, const struct config *config)
{
    struct object_config place = {.root = config->output.log_output_directory,
                                  .entries = DELTA_LOG_FOLDER};
    struct delta_snapshot table = {0};
    struct err err = {0}; /* said of the table */
    for (size_t i = 0; i < config->follower_count; i++)
        check_follower(r, config, &config->followers[i]);
    struct object_store *store = config->follower_count > 0 ? object_open(&place, &err) : NULL;
    if (store != NULL && delta_snapshot_load(&table, store, &err) == 0 && table.found)
        for (size_t i = 0; i < config->follower_count; i++)
            check_items(r, config, &config->followers[i], store, table.metadata.id);
    delta_snapshot_free(&table);
    object_store_close(store);
}

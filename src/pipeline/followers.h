/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_FOLLOWERS_H
#define VARVE_PIPELINE_FOLLOWERS_H

#include "config/config.h"
#include "follow/follower.h"
#include "watch/view.h"

/* The followers of the configuration, each on a thread of its own. A zeroed struct has none. */
struct followers {
    struct follower *list[CONFIG_FOLLOWERS_MAX];
    uint32_t count;
    struct follower_state states[CONFIG_FOLLOWERS_MAX]; /* as of this turn, */
    struct view_follower views[CONFIG_FOLLOWERS_MAX];   /* and what the watch is shown of them */
};

/* Have the store, which is there, know that they follow: before anything is removed from it. */
int followers_register(struct followers *f, const struct config *config, struct err *err)
    __attribute__((warn_unused_result));

int followers_start(struct followers *f, struct err *err) __attribute__((warn_unused_result));

/* Something was committed. */
void followers_note(struct followers *f);

void followers_look(struct followers *f, const struct config *config, struct view *view);

/* End them; `finish`: when they have brought what is committed, or have failed once more, else
 * soon: the next run brings the rest. */
void followers_free(struct followers *f, bool finish);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_FOLLOWERS_H
#define VARVE_PIPELINE_FOLLOWERS_H

#include "config/config.h"
#include "follow/follower.h"
#include "follow/kinds.h"
#include "watch/view.h"

/* The followers of the configuration, each on a thread of its own. A zeroed struct has none. */
struct followers {
    struct follower *list[CONFIG_FOLLOWERS_MAX];
    uint32_t count;
    struct follow_settings settings[CONFIG_FOLLOWERS_MAX];
    struct feed *feed;      /* NULL: there is no follower */
    struct account account; /* of what they hold, but for what they are fed with */
    struct follower_state states[CONFIG_FOLLOWERS_MAX]; /* as of this turn, */
    struct view_follower views[CONFIG_FOLLOWERS_MAX];   /* and what the watch is shown of them */
};

/* Have the store, which is there, know that they follow: before anything is removed from it. Each
 * wakes the waker when it has come to its end. */
int followers_register(struct followers *f, const struct config *config, struct waker waker,
                       struct err *err) __attribute__((warn_unused_result));

int followers_start(struct followers *f, struct err *err) __attribute__((warn_unused_result));

/* The files that the configuration names may be others now: descriptor sets are read again. */
void followers_reload(struct followers *f);

/* `version` was committed. Its group (may be NULL) is fed to those that keep up, and belongs to
 * them; `most`: bytes that are kept in all. */
void followers_note(struct followers *f, uint64_t version, struct store_group *group,
                    uint64_t most);

/* What they are fed with: the account of its groups has it, too. */
uint64_t followers_fed_bytes(const struct followers *f);

/* Let go of that: what they have not taken they read from the store. */
void followers_starve(struct followers *f);

void followers_look(struct followers *f, const struct config *config, struct view *view);

/* Have each come to its end when it has brought what is committed, or has failed once more, and
 * whether they have. */
void followers_finish(struct followers *f);
bool followers_are_done(const struct followers *f);

/* End them soon: the next run brings the rest. A second call does nothing. */
void followers_free(struct followers *f);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_SOURCE_CONSUMER_H
#define VARVE_DRAIN_SOURCE_CONSUMER_H

#include "config/config.h"
#include "drain/ledger.h"
#include "nats/consumer.h"
#include "nats/stream.h"

/* What a source wants of its consumer, and how that is told to a server. `varve check` judges with
 * it, too. */
struct consumer_wish {
    struct nats_consumer_config config;
    struct slice filters[CONFIG_LIST_MAX]; /* what config.filters points to */
};

/* Where varve stands with the stream that the consumer is of. */
struct consumer_scene {
    const struct config *config;
    const struct config_source *settings;
    enum nats_retention retention;
    bool shared;        /* others take messages from it, too */
    bool covers_stream; /* our subjects are all that the stream has: no filter is needed */
    bool renewed;       /* it takes the place of one that had acked all up to `floor` */
    uint64_t floor;
    bool whole;             /* all of it is wanted, whatever `start` says of the first time */
    uint64_t position;      /* what a new consumer starts behind; 0: nothing is known */
    struct slice ephemeral; /* the name of a consumer without acks */
};

/* True if the stream takes no other subjects than those that are configured. */
bool consumer_covers(const struct config_source *settings, const struct nats_stream_info *info);

/* The consumer to make. Slices are of the scene, its configuration, and the wish itself. */
void consumer_wish(struct consumer_wish *wish, const struct consumer_scene *scene);

/* What we want of one that is there, and how it differs. */
void consumer_compare(struct consumer_wish *wish, const struct consumer_scene *scene,
                      const struct nats_consumer_info *found, struct nats_consumer_diff *diff);

/* It would do but for its ack policy, which a server can't change: it takes one ack for all up to a
 * sequence, and others take messages from it, too. */
bool consumer_is_to_be_renewed(const struct consumer_wish *wish, const struct consumer_scene *scene,
                               const struct nats_consumer_info *found,
                               const struct nats_consumer_diff *diff);

#endif

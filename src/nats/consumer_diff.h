/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_CONSUMER_DIFF_H
#define VARVE_NATS_CONSUMER_DIFF_H

#include "nats/consumer.h"

/*
 * How a consumer differs from what we want, also right after we made it: servers ignore fields that
 * they don't know.
 */
struct nats_consumer_diff {
    unsigned count;       /* fields that differ */
    unsigned fixed;       /* of these, those that no update can change */
    bool filters_ignored; /* we asked for filters and the server has none: it is older than 2.10 */
    char text[ERR_TEXT_MAX]; /* "ack_wait is 30s, want 2m; ack_policy is none, want explicit
                                (fixed)" */
};

void nats_consumer_compare(const struct nats_consumer_config *wanted,
                           const struct nats_consumer_config *found,
                           struct nats_consumer_diff *diff);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_SOURCE_TALLY_H
#define VARVE_DRAIN_SOURCE_TALLY_H

#include "drain/source.h"
#include "nats/consumer.h"

/* Pulling begins: from here on the ledger's window knows what is delivered. */
void source_open_window(struct source *s);

/* The consumer was asked how it stands: look at what it has passed over, if it is time for it. */
void source_tally_passed(struct source *s, const struct nats_consumer_info *info, int64_t now);

/* While pulling: what has come is looked at. */
void source_tick_tally(struct source *s, struct nats_client *client, int64_t now);

/* True if the event was the answer to its question. */
bool source_tally_reply(struct source *s, struct nats_client *client,
                        const struct nats_event *event, int64_t now);

/* The server does not let us ask this. */
void source_tally_denied(struct source *s, struct slice subject);

/* Give it up; the next one finds the same. `client` may be NULL. */
void source_end_tally(struct source *s, struct nats_client *client);

#endif

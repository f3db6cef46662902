/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_SOURCE_FLOOR_H
#define VARVE_DRAIN_SOURCE_FLOOR_H

#include "drain/source.h"
#include "nats/consumer.h"

/* What a consumer says is done, against what the store has; for source_attach.c. */

/* The first contact of an empty store with the stream's consumer, which varve has just made or has
 * found: from where on are messages wanted? */
void source_anchor(struct source *s, const struct nats_consumer_info *info, bool made);

/* Deliveries that the consumer has as acked and that never came here: the store is older than the
 * consumer, or somebody else took them. What the stream has of them is fetched again. */
void source_compare_floor(struct source *s, const struct nats_consumer_info *info, int64_t now);

#endif

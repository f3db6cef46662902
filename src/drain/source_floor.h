/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_SOURCE_FLOOR_H
#define VARVE_DRAIN_SOURCE_FLOOR_H

#include "drain/source.h"
#include "nats/consumer.h"

/* What a consumer says is done, against what the store has; for source_attach.c. */

/* The first contact of an empty store with the stream's consumer, which varve has just made or has
 * found: from where on are messages wanted? */
void source_anchor(struct source *s, const struct nats_consumer_info *info, bool made);

/* Another generation: what its position says of the deliveries before. */
void source_begin_count(struct source *s);

/* What the consumer had delivered when we came: to an earlier life of ours, whose position knows
 * of those that were acked, or to others. Behind source_anchor. */
void source_take_count(struct source *s, const struct nats_consumer_info *info);

/* The stream had dropped something, see dropped_before, and the consumer was asked. Without acks,
 * where nothing is known of a stream, it begins for us where it does. */
void source_take_dropped(struct source *s);

/* While pulling: what came of s->drop. Returns when something is due. */
int64_t source_tick_drop(struct source *s, int64_t now);

/* A message that was delivered before, which accounts for earlier deliveries of it; `held`: it had
 * come to us. */
void source_explain(struct source *s, const struct nats_ack *ack, bool held);

/* Deliveries up to this one are dealt with. So many of them were to others and are not explained.
 */
uint64_t source_settle_others(struct source *s, uint64_t consumer_seq);

/* Deliveries that the consumer has as acked and that never came here: the store is older than the
 * consumer, or somebody else took them. What the stream has of them is fetched again. */
void source_compare_floor(struct source *s, const struct nats_consumer_info *info, int64_t now);

/* What is acked is not in a work queue. True if it has some of it: the stream was set back, and has
 * others under these numbers, which its consumer will never deliver. That is made anew, where it is
 * ours to make. */
bool source_take_passed(struct source *s, struct nats_client *client, int64_t now);

/* A consumer that has counted deliveries of the stream before that was set back: whoever saw it did
 * not get to making the consumer anew. True if that is done now. */
bool source_is_of_former(struct source *s, struct nats_client *client,
                         const struct nats_consumer_info *info, int64_t now);

#endif

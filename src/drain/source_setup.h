/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_SOURCE_SETUP_H
#define VARVE_DRAIN_SOURCE_SETUP_H

#include "nats/consumer_diff.h"
#include "drain/source.h"

/*
 * The questions that a source asks JetStream, and what it makes of the answers (facts: nats.md
 * sections 3.4, 4.4, 6.2). Shared by the files of the source only: source.c pulls, source_setup.c
 * asks and waits, source_stream.c knows streams, source_consumer.c consumers. `varve check` judges
 * with some of it.
 */

/* --- source_setup.c */

/* Start over: ask for the stream; all else follows. */
void source_begin(struct source *s, struct nats_client *client, int64_t now);

/* The same after a while; the pause doubles. With a reason: logged, but not each time. */
void source_retry(struct source *s, struct nats_client *client, int64_t now);
void source_retry_because(struct source *s, struct nats_client *client, const char *why,
                          int64_t now);

/* Give up until a human has acted. `why` goes into the log and into s->refusal. */
void source_refuse(struct source *s, const char *why);

/* While pulling: ask how the consumer or the stream stands. */
void source_poll(struct source *s, struct nats_client *client, int64_t now);

/* Send the request in s->body to the API; s->request is then its id. `consumer` may be NULL. */
void source_ask(struct source *s, struct nats_client *client, const char *call,
                const char *consumer, int64_t now);

void source_close_pull(struct source *s, struct nats_client *client);
bool source_is_durable(const struct source *s);
void source_raise(struct source *s, enum source_alert alert);
void source_resolve(struct source *s, enum source_alert alert);

/* Begin a log line that names the stream. */
void source_log_begin(const struct source *s, struct log_line *line, enum log_level level,
                      const char *event);

/* --- source_stream.c */

/* The reply to STREAM.INFO, and to STREAM.MSG.GET of our newest message. */
void source_on_stream(struct source *s, struct nats_client *client, struct slice payload,
                      int64_t now);
void source_on_position(struct source *s, struct nats_client *client, struct slice payload,
                        int64_t now);

/* Take over what an info says. */
void source_stream_note(struct source *s, const struct nats_stream_info *info);

/* True if it is the generation that we are draining; else source_adopt has to come first. */
bool source_stream_is_ours(struct source *s, const struct nats_stream_info *info);

/* Messages that the stream dropped before we had them. */
void source_stream_count_lost(struct source *s, const struct nats_stream_info *info);

/* Take next_created as the generation being drained. */
void source_stream_adopt(struct source *s);

/* --- source_consumer.c */

/* Ask for the durable consumer; make an ephemeral one. */
void source_consumer_ask(struct source *s, struct nats_client *client, int64_t now);
void source_consumer_create(struct source *s, struct nats_client *client, int64_t now);

/* How a durable consumer that is there differs from what we want of it. */
void source_consumer_compare(const struct source *s, const struct nats_consumer_info *info,
                             struct nats_consumer_diff *diff);

/* The reply to CONSUMER.INFO or CONSUMER.CREATE; and to the former while pulling. */
void source_on_consumer(struct source *s, struct nats_client *client, struct slice payload,
                        int64_t now);
void source_on_consumer_poll(struct source *s, struct nats_client *client, struct slice payload,
                             int64_t now);

#endif

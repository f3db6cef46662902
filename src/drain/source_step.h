/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_SOURCE_STEP_H
#define VARVE_DRAIN_SOURCE_STEP_H

#include "drain/source.h"

/* The steps that a source takes from many places. For the files of the source alone: source.c
 * pulls, source_setup.c asks for the stream, source_attach.c for the consumer. */

/* Start over: ask for the stream; all else follows. */
void source_begin(struct source *s, struct nats_client *client, int64_t now);

/* The same after a while; the pause doubles. With a reason: logged, but not each time. */
void source_retry(struct source *s, struct nats_client *client, int64_t now);
void source_retry_because(struct source *s, struct nats_client *client, const char *why,
                          int64_t now);
/* The server that leads the stream does not have yet what another one of it has. */
void source_wait_for_leader(struct source *s, struct nats_client *client, int64_t now);

/* Give up until a human has acted. `why` goes into the log and into s->refusal. */
void source_refuse(struct source *s, struct nats_client *client, const char *why);

/* The generation has another name now; source_adopt goes on. */
void source_leave(struct source *s, struct nats_client *client);

/* Nothing that is on the way, or was asked, counts any more. `client` may be NULL. */
void source_let_go(struct source *s, struct nats_client *client);

/* Ask the API about the stream, or about a consumer (NULL: none), with what is in s->body. `state`
 * waits for the answer. */
void source_ask(struct source *s, struct nats_client *client, enum source_state state,
                const char *call, const char *consumer, int64_t now);

/* Send the request that is in s->subject and s->body. False if too many are open. */
bool source_send(struct source *s, struct nats_client *client, int64_t timeout, int64_t now)
    __attribute__((warn_unused_result));

/* Bytes that may be on the way: a server may have less room than we. */
uint64_t source_target(const struct source *s);

/* A connection to this server is ready: if it is the one that has cut us off, ask it for less. */
void source_note_cut(struct source *s, uint64_t server, int64_t now);

/* It has not for a while: ask for more again. */
void source_raise_cap(struct source *s, int64_t now);

bool source_is_durable(const struct source *s);
void source_raise(struct source *s, enum source_alert alert);
void source_resolve(struct source *s, enum source_alert alert);

/* Somebody else takes messages from the consumer, beyond doubt. */
void source_found_others(struct source *s);

/* So many messages, at most, of these that are not in the stream any more were never stored. */
void source_count_lost(struct source *s, struct seqrange range, uint64_t count);

/* A stream with limits retention begins with `first_seq` now: count what it dropped before that.
 * Where others may have stored it, that takes a while (s->drop), and source_tick_drop counts it. */
uint64_t source_count_dropped(struct source *s, uint64_t first_seq);
uint64_t source_count_gone(struct source *s, uint64_t first_seq);

/* Write a line that names the stream and the consumer. */
void source_log(const struct source *s, enum log_level level, const char *event, const char *text);

/* From "the stream is fine" to a consumer that is pulled from; for source_setup.c. */

/* Ask for the durable consumer; make an ephemeral one. */
void source_attach(struct source *s, struct nats_client *client, int64_t now);

/* True if it stands by, still: then the way on is taken. For source_attach. */
bool source_stands_by(struct source *s, struct nats_client *client, int64_t now);

/* Make a second consumer like the `wanted` one, so that the stream keeps what only ours waits for;
 * the reply, upon which ours is deleted; and when ours is there again. */
void source_ask_guard(struct source *s, struct nats_client *client,
                      const struct nats_consumer_config *wanted, int64_t now);
void source_on_guard(struct source *s, struct nats_client *client, struct slice payload,
                     int64_t now);
void source_delete_guard(struct source *s, struct nats_client *client);

/* What the consumer holds as not acked when pulling begins; while pulling, twice in a row, what
 * nobody will ack; and a message of these that is new to us has come. */
void source_plan_recovery(struct source *s, const struct nats_consumer_info *info, int64_t now);
void source_look_for_unacked(struct source *s, const struct nats_consumer_info *info, int64_t now);
void source_note_unacked(struct source *s, uint64_t sequence);

/* This delivery leaves a hole behind the one before; while pulling: look at it. */
void source_note_hole(struct source *s, const struct nats_ack *ack, int64_t now);
void source_note_passed(struct source *s, const struct nats_consumer_info *info, int64_t now);
void source_look_at_hole(struct source *s);

/* Say so, once, where a stream that changes subjects has messages, and none for this source. */
void source_look_unmatched(struct source *s);

/* CONSUMER.DELETE was answered, however. */
void source_on_deleted(struct source *s, struct nats_client *client, int64_t now);

/* The reply to CONSUMER.INFO or CONSUMER.CREATE; and below, to the former while pulling. */
void source_on_consumer(struct source *s, struct nats_client *client, struct slice payload,
                        int64_t now);

/* The stream is still the one that it was before the consumer was asked for. */
void source_on_confirmed(struct source *s, struct nats_client *client, int64_t now);

void source_on_consumer_poll(struct source *s, struct nats_client *client, struct slice payload,
                             int64_t now);

/* The questions that a source asks JetStream, and what it makes of the answers: all states but
 * PULLING, and the polls while pulling. For source.c. */

/* The question that s->request names was answered, or was not. */
void source_take_answer(struct source *s, struct nats_client *client,
                        const struct nats_event *event, int64_t now);

/* While pulling: ask how the consumer or the stream stands. */
void source_poll(struct source *s, struct nats_client *client, int64_t now);

#endif

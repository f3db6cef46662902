/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_SERVER_H
#define VARVE_TESTS_SIM_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * A model of nats-server with JetStream, one server or the face of a cluster: bytes in, bytes out
 * for each connection, no descriptor, no clock, nothing random. What it does is checked against a
 * real server by tests/sim/test_model_server.py; where releases differ, `version` decides.
 *
 * Times are clock_monotonic's; the wall clock, which stamps messages, is `wall` ahead of it.
 */
struct server_options {
    uint32_t minor, patch; /* of the release 2.minor.patch */
    int64_t wall;
    uint64_t max_payload;
    uint64_t max_pending; /* of output that nobody reads, before a connection is cut */
    uint32_t replicas;    /* 1, or more: pulls are told of a change of leaders */
    const char *name;
};

/* What may go wrong between the parts of a cluster, where TCP does not help: asked about each
 * message of a kind, the answer is whether it is lost. */
enum server_loss {
    SERVER_LOSES_DELIVERY,
    SERVER_LOSES_STATUS,
    SERVER_LOSES_ACK,
    SERVER_LOSES_REQUEST,
    SERVER_LOSES_REPLY,
    SERVER_LOSSES,
};
typedef bool server_loses(void *context, enum server_loss what);

struct server;

struct server *server_new(const struct server_options *options);
void server_free(struct server *s);
void server_set_losses(struct server *s, server_loses *loses, void *context);

/* A client connects: its number, above 0, or 0 while the server is down. */
uint32_t server_connect(struct server *s, int64_t now);

/* Bytes from the client. What comes to a connection that is closed is ignored. */
void server_input(struct server *s, uint32_t connection, struct slice bytes, int64_t now);

/* What waits to be sent to it. Valid until the next call. */
struct slice server_output(const struct server *s, uint32_t connection);
void server_sent(struct server *s, uint32_t connection, size_t len);

/* The server has given the connection up: end of file behind the output. */
bool server_is_closed(const struct server *s, uint32_t connection);

/* The client's end is gone, and the server knows it. The number is not used again. */
void server_disconnect(struct server *s, uint32_t connection);

/* -ERR to a connection, and close it if asked. */
void server_error(struct server *s, uint32_t connection, const char *text, bool close);

/* A line as it is, for what a model has no reason to say. */
void server_say(struct server *s, uint32_t connection, const char *text);

/* What is due: redeliveries, expired pulls, heartbeats, expired messages. */
void server_tick(struct server *s, int64_t now);
int64_t server_deadline(const struct server *s);

/* A request to the API from nowhere, such as STREAM.CREATE.X. The reply is valid until the next. */
struct slice server_ask(struct server *s, const char *call, struct slice body, int64_t now);

/* Publish without a connection. The sequence, or 0 if no stream took it. */
uint64_t server_publish(struct server *s, struct slice subject, struct slice header,
                        struct slice payload, int64_t now);

struct server_stored {
    uint64_t seq;
    int64_t time;
    struct slice subject, header, payload;
};
/* The first message of the stream at `seq` or behind it; false if there is none. Valid until the
 * stream changes. */
bool server_next_message(const struct server *s, const char *stream, uint64_t seq,
                         struct server_stored *out);

uint64_t server_last_seq(const struct server *s, const char *stream);

/* All state is on the disk of the server: what a power cut from now on leaves. */
void server_sync(struct server *s, const char *stream);
/* The consumer's state alone, as the server writes it many times a second. */
void server_sync_consumer(struct server *s, const char *stream, const char *consumer);

enum server_end {
    SERVER_STOPS,  /* SIGTERM: pulls are told */
    SERVER_KILLED, /* SIGKILL: consumers as last synced, streams whole */
    SERVER_POWER,  /* streams and consumers as last synced */
    SERVER_ROLLED, /* streams as last synced, consumers as they are (nats-server#5412) */
};
void server_end(struct server *s, enum server_end how, int64_t now);
void server_start(struct server *s, int64_t now);
bool server_is_up(const struct server *s);

/* Another leader for the consumer; `forgets`: which knows only what was synced. */
void server_change_leader(struct server *s, const char *stream, const char *consumer, bool forgets,
                          int64_t now);

/* End all pulls of a consumer with a status, such as "408 Interest Expired"; with `pending` it says
 * what was left of each. */
void server_end_pulls(struct server *s, const char *stream, const char *consumer,
                      const char *status, bool pending, int64_t now);

/* Until then, each request to the API is answered with these bytes; with none, by silence. What it
 * asks for is not done. */
void server_fail_api(struct server *s, const char *answer, int64_t until);

/* INFO with ldm to all. */
void server_lame_duck(struct server *s);

bool server_has_consumer(const struct server *s, const char *stream, const char *consumer);

/* What a consumer has acked, for the oracle: true if it considers `seq` done. False if there is no
 * such consumer. */
bool server_is_acked(const struct server *s, const char *stream, const char *consumer,
                     uint64_t seq);

/* Told of each ack that takes effect: the sequences that were pending or delivered before it. */
typedef void server_on_ack(void *context, const char *stream, const char *consumer, uint64_t seq,
                           bool all, int64_t now);
void server_watch_acks(struct server *s, server_on_ack *on_ack, void *context);

/* Told of each message that the server drops at its start though no consumer of an interest stream
 * has acked it: its floor is above, since the stream was set back. */
typedef void server_on_drop(void *context, const char *stream, uint64_t seq);
void server_watch_drops(struct server *s, server_on_drop *on_drop, void *context);

#endif

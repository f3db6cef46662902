/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_CLIENT_H
#define VARVE_NATS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "nats/ack.h"
#include "nats/header.h"
#include "nats/random.h"
#include "nats/session.h"

/*
 * Requests that wait for one reply each, over one inbox subscription: the last token of the reply
 * subject says which. Replies that come late or twice find no entry and are ignored.
 */
enum {
    /* At most a question for each of 64 sources, some dead letters and alerts, and the rest for
     * acks that wait to be confirmed, one for each source and epoch. */
    NATS_REQUESTS_MAX = 512,
};

struct nats_request {
    uint64_t id; /* 0: free */
    int64_t deadline;
    char token[NATS_TOKEN_LEN + 1];
};

struct nats_requests {
    uint64_t last_id; /* never reused, so that an old id can't meet a new reply */
    unsigned count;
    struct nats_request entries[NATS_REQUESTS_MAX]; /* the free ones at the front are taken first */
};

/* A new request; its token stays in *token until it is finished. Returns its id, or 0 if too many
 * are waiting. */
uint64_t nats_request_begin(struct nats_requests *r, struct nats_random *random, int64_t deadline,
                            struct slice *token) __attribute__((warn_unused_result));

/* A reply came for this token: the id of the request, which is finished by this, or 0. */
uint64_t nats_request_finish(struct nats_requests *r, struct slice token);

/* The id of a request whose time is over, which is finished by this, or 0. */
uint64_t nats_request_expire(struct nats_requests *r, int64_t now);

/* Forget one, for instance because its asker is gone. */
void nats_request_cancel(struct nats_requests *r, uint64_t id);

/* Forget all; ids go on. */
void nats_request_reset(struct nats_requests *r);

/* The earliest deadline, INT64_MAX if none waits. */
int64_t nats_request_deadline(const struct nats_requests *r);

/*
 * The read buffer of a connection: contiguous, so that frames are parsed where they arrived. Reads
 * append at the tail; the partial frame moves to the front only when little tail is left or the
 * frame would not fit. A zeroed struct is empty and has no memory yet.
 */
enum {
    NATS_INPUT_START = 1024 * 1024, /* what a read takes at full speed is a quarter of this */
};

struct nats_input {
    uint8_t *data;
    size_t cap;
    struct account *account; /* of the memory */
    size_t start;            /* the first byte that is not consumed */
    size_t end;
};

struct nats_space {
    uint8_t *data;
    size_t len;
};

/*
 * Free space for the next read, never empty. `need` is the total length that the partial frame
 * needs (nats_parser.need, or 0); the buffer grows to hold it, so the parser's limits bound it.
 * Invalidates all slices into the buffer.
 */
struct nats_space nats_input_space(struct nats_input *in, size_t need);

/* `len` bytes were written to the space. */
void nats_input_filled(struct nats_input *in, size_t len);

/* What is there and not consumed. Valid until the next nats_input_space. */
struct slice nats_input_bytes(const struct nats_input *in);

/* Consume the first `len` bytes. They stay where they are until the next nats_input_space. */
void nats_input_consume(struct nats_input *in, size_t len);

/* Give back what a large frame took, unless `need` (as above) or what is there wants it.
 * Invalidates all slices into the buffer if there is something to give back. */
void nats_input_trim(struct nats_input *in, size_t need);

/* Memory that has changed hands. */
struct nats_memory {
    void *data;
    size_t size;
    struct account *account; /* to which it is booked */
};

/* Give the memory away, with all slices into it, and go on in another one with what is not
 * consumed. */
struct nats_memory nats_input_detach(struct nats_input *in);

/* Forget the content, keep the memory. */
void nats_input_reset(struct nats_input *in);
void nats_input_free(struct nats_input *in);

/*
 * One connection: read buffer, parser, session, requests and subscriptions tied together. The owner
 * moves bytes between the socket and `client`, and asks for events until there are none:
 *
 *     struct nats_space space = nats_client_space(c);
 *     n = read(fd, space.data, space.len);
 *     nats_client_received(c, n, now);
 *     while ((got = nats_client_next(c, now, &event, &err)) > 0)
 *         ...
 *     write(fd, c->out.data, c->out.len), buf_consume(&c->out, written)
 *
 * At end of file, ask for the events of what was received first, then give up the connection.
 * nats_client_next must also be called when nats_client_deadline has passed.
 */
enum {
    /* Subscriptions of one connection: the slots of 64 pulls, the replies, and some to spare. A sid
     * is a multiple of this plus the index of its entry. */
    NATS_SUBSCRIPTIONS_MAX = 1024,
    /* What the output keeps when it is empty. */
    NATS_OUTPUT_KEPT = 1024 * 1024,
};

struct nats_subscription {
    uint64_t sid; /* 0: free */
    void *owner;
    uint32_t slot;
};

struct nats_client {
    struct buf out; /* to be written, then consumed by the owner */
    struct nats_input in;
    struct nats_parser parser;
    struct nats_session session;
    struct nats_random random;
    struct nats_requests requests;
    struct buf inbox;   /* subject of the reply subscription up to the token: "_INBOX.<id>.r." */
    struct buf subject; /* scratch */
    struct nats_subscription subscriptions[NATS_SUBSCRIPTIONS_MAX];
    uint64_t generation; /* of sids */
    uint64_t reply_sid;
    uint64_t unknown_sids; /* messages for subscriptions that are gone */
    uint64_t
        foreign_messages; /* messages on a subscription that are neither JetStream nor status */
    struct err failure;   /* why the session is dead */
    bool lame_duck;
};

enum nats_event_kind {
    NATS_EVENT_START_TLS,    /* handshake now, then nats_client_tls_done */
    NATS_EVENT_READY,        /* subscriptions and requests may begin; c->session.info is there */
    NATS_EVENT_MESSAGE,      /* JetStream data: owner, slot, subject, header, payload, ack, bytes */
    NATS_EVENT_STATUS,       /* owner, slot, subject, status */
    NATS_EVENT_PLAIN,        /* core NATS: owner, slot, subject, reply, header, payload */
    NATS_EVENT_REPLY,        /* request, outcome, header, payload; empty ones if none came */
    NATS_EVENT_SERVER_ERROR, /* error; if it closes, the next call returns -1 */
    NATS_EVENT_INFO,         /* c->session.info changed: merge its URLs into the pool */
    NATS_EVENT_LAME_DUCK,    /* like INFO, and the server will close soon: move */
};

enum nats_outcome {
    NATS_OUTCOME_REPLY,         /* see payload */
    NATS_OUTCOME_NO_RESPONDERS, /* 503: nobody serves the subject */
    NATS_OUTCOME_STATUS,        /* another status, for instance 429: see status */
    NATS_OUTCOME_TIMEOUT,
};

/* Slices point into the read buffer: valid until the next nats_client_space. Fields that the kind
 * does not name are not set. */
struct nats_event {
    enum nats_event_kind kind;
    void *owner;   /* as given to nats_client_subscribe */
    uint32_t slot; /* the same */
    struct slice subject, reply, header, payload;
    struct nats_ack ack;
    uint64_t bytes; /* of MESSAGE: what it counts against max_bytes of its pull */
    struct nats_header status;
    uint64_t request;
    enum nats_outcome outcome;
    struct nats_server_error error;
};

/* A TCP connection was made: start over. Requests that wait and subscriptions of an earlier
 * connection are gone without an event; memory is reused. `options` is borrowed until
 * nats_client_free or the next start. A zeroed struct is fine. */
void nats_client_start(struct nats_client *c, const struct nats_options *options, int64_t now);
void nats_client_free(struct nats_client *c);

/* Where the next read goes. Invalidates the slices of all events. */
struct nats_space nats_client_space(struct nats_client *c);

/* When there are no more events: give back the memory that large messages took. Invalidates the
 * slices of all events. */
void nats_client_trim(struct nats_client *c);

/* Book the memory of what is on its way in and out there from now on; none may be held yet. */
void nats_client_set_account(struct nats_client *c, struct account *account);

/* `len` > 0 bytes were read into it. */
void nats_client_received(struct nats_client *c, size_t len, int64_t now);

/* The next event: 1. Nothing until more bytes or the deadline: 0. The connection is of no more use:
 * -1, now and from now on, with the same error. */
int nats_client_next(struct nats_client *c, int64_t now, struct nats_event *event, struct err *err)
    __attribute__((warn_unused_result));

/* The TLS handshake that was asked for is done. */
int nats_client_tls_done(struct nats_client *c, struct err *err)
    __attribute__((warn_unused_result));

bool nats_client_is_ready(const struct nats_client *c);

/* When nats_client_next has something to do even if nothing arrives. */
int64_t nats_client_deadline(const struct nats_client *c);

/* Give away the memory that the slices of the newest event point into, and with it the event: for a
 * message that is too large to be copied. */
struct nats_memory nats_client_detach(struct nats_client *c);

/* Subscribe; events of it carry owner and slot. Returns the sid, or 0 if there are
 * NATS_SUBSCRIPTIONS_MAX already. `owner` is not touched, only handed back. */
uint64_t nats_client_subscribe(struct nats_client *c, struct slice subject, void *owner,
                               uint32_t slot) __attribute__((warn_unused_result));
void nats_client_unsubscribe(struct nats_client *c, uint64_t sid);

/*
 * Ask a question; the answer, or its absence at now + timeout, is an event of kind REPLY with the
 * id that this returns. 0, and nothing was sent, if NATS_REQUESTS_MAX are waiting. `header` may be
 * empty. Ids are unique over the life of the struct.
 */
uint64_t nats_client_request(struct nats_client *c, struct slice subject, struct slice header,
                             struct slice payload, int64_t timeout, int64_t now)
    __attribute__((warn_unused_result));

/* Publish without waiting for anything. */
void nats_client_publish(struct nats_client *c, struct slice subject, struct slice header,
                         struct slice payload);

/* Ask the JetStream API to delete a consumer, and don't wait for the answer: for one that goes by
 * itself if this does not arrive. `subject` is scratch space. */
void nats_client_delete_consumer(struct nats_client *c, struct buf *subject, const char *stream,
                                 const char *consumer);

/* Demand a sign of life within NATS_PROBE_TIMEOUT. */
void nats_client_probe(struct nats_client *c, int64_t now);

/* Under which the JetStream API is asked: for nats_api_subject and its like. */
const char *nats_client_api_prefix(const struct nats_client *c);

/* Append a subject of our own that nobody can guess: "<inbox prefix>.<22 characters>". */
void nats_client_inbox(struct nats_client *c, struct buf *out);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_SESSION_H
#define VARVE_NATS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "nats/command.h"
#include "nats/info.h"
#include "nats/parse.h"

/* What the text of an -ERR means (the texts are in nats-server's errors.go and client.go). */
enum nats_error_kind {
    NATS_ERROR_OTHER, /* not in our table */
    NATS_ERROR_UNKNOWN_OPERATION,
    NATS_ERROR_CONTROL_LINE,
    NATS_ERROR_PAYLOAD_SIZE,
    NATS_ERROR_AUTHORIZATION,
    NATS_ERROR_AUTHENTICATION_TIMEOUT,
    NATS_ERROR_AUTHENTICATION_EXPIRED,
    NATS_ERROR_AUTHENTICATION_REVOKED,
    NATS_ERROR_STALE_CONNECTION,
    NATS_ERROR_CONNECTIONS_EXCEEDED,
    NATS_ERROR_SUBSCRIPTIONS_EXCEEDED,
    NATS_ERROR_PUBLISH_PERMISSION,
    NATS_ERROR_SUBSCRIBE_PERMISSION,
    NATS_ERROR_INVALID_SUBJECT,
    NATS_ERROR_TLS_REQUIRED,
    NATS_ERROR_THROTTLED,
    NATS_ERROR_CLIENT_PROTOCOL,
    NATS_ERROR_WRONG_PORT,
    NATS_ERROR_ACCOUNT_REGISTRATION,
};

enum nats_error_action {
    NATS_ACTION_RETRY,      /* transient: reconnect with the usual backoff */
    NATS_ACTION_RETRY_SLOW, /* needs a human or time: alert, long backoff, read credentials again */
    NATS_ACTION_CONSUMER,   /* the connection stays; what `subject` serves does not work: alert */
    NATS_ACTION_LOG,        /* the connection stays, nothing is known to be broken */
};

struct nats_server_error {
    enum nats_error_kind kind;
    enum nats_error_action action;
    bool closes;          /* the server closes the connection behind it */
    struct slice text;    /* as it was sent */
    struct slice subject; /* of permission violations: the subject, a part of `text` */
};

/* Matches by prefix, letters without regard to case. */
struct nats_server_error nats_error_classify(struct slice text);

/*
 * One connection's life: INFO, perhaps TLS, CONNECT and PING, ready at PONG; then PINGs both ways
 * until somebody stops answering. Times are monotonic.
 */
#define NATS_CONNECT_TIMEOUT (5 * CLOCK_SECOND) /* from the TCP connection to the first PONG */
#define NATS_PING_INTERVAL (10 * CLOCK_SECOND)  /* without a byte received */
#define NATS_PROBE_TIMEOUT (5 * CLOCK_SECOND)

enum {
    NATS_PINGS_MAX = 2, /* unanswered */
    /* A peer that sends PINGs and does not read the answers gets no more of them. */
    NATS_PONG_BACKLOG_MAX = 1024 * 1024,
};

enum nats_session_state {
    NATS_SESSION_WAIT_INFO,
    NATS_SESSION_WAIT_TLS,
    NATS_SESSION_WAIT_PONG,
    NATS_SESSION_READY,
    NATS_SESSION_DEAD,
};

struct nats_session {
    enum nats_session_state state;
    const struct nats_options *options;
    struct nats_info info;
    int64_t connect_deadline;
    int64_t last_received;
    int64_t probe_deadline; /* 0: no probe is out */
    unsigned pings;         /* sent since the last byte received */
};

enum nats_session_event {
    NATS_SESSION_NOTHING,
    NATS_SESSION_START_TLS, /* do the handshake, then call nats_session_tls_done */
    NATS_SESSION_BECAME_READY,
    NATS_SESSION_NEW_INFO,  /* a later INFO: URLs or other things changed */
    NATS_SESSION_LAME_DUCK, /* a later INFO that says that the server will close soon */
    NATS_SESSION_ERROR,     /* an -ERR: see *server_error; if it closes, the session is dead */
};

/* A TCP connection was made. `options` is borrowed for the session's life. Memory of an earlier
 * life is reused; a zeroed struct is fine. */
void nats_session_start(struct nats_session *s, const struct nats_options *options, int64_t now);

/* Some bytes arrived. */
void nats_session_received(struct nats_session *s, int64_t now);

/* A frame that is not a message; answers go to `out`. `more` says that bytes follow the frame in
 * the buffer, which is an attack if it was the INFO before a TLS handshake. On -1 the session is
 * dead. */
int nats_session_frame(struct nats_session *s, const struct nats_frame *frame, bool more,
                       struct buf *out, enum nats_session_event *event,
                       struct nats_server_error *server_error, struct err *err)
    __attribute__((warn_unused_result));

/* The TLS handshake is done: says CONNECT. */
int nats_session_tls_done(struct nats_session *s, struct buf *out, struct err *err)
    __attribute__((warn_unused_result));

/* Ask the server for a sign of life within NATS_PROBE_TIMEOUT. */
void nats_session_probe(struct nats_session *s, int64_t now, struct buf *out);

/* Send a PING if it is time to, find out whether the peer is dead (-1). */
int nats_session_tick(struct nats_session *s, int64_t now, struct buf *out, struct err *err)
    __attribute__((warn_unused_result));

/* When nats_session_tick has something to do. */
int64_t nats_session_deadline(const struct nats_session *s);

void nats_session_free(struct nats_session *s);

#endif

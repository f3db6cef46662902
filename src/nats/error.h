/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_ERROR_H
#define VARVE_NATS_ERROR_H

#include <stdbool.h>

#include "base/buf.h"

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

#endif

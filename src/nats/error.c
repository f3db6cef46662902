/* SPDX-License-Identifier: MIT */
#include "nats/session.h"

#include <string.h>
#include <strings.h>

/* Of two entries of which one begins the other, the longer one stands first. */
static const struct entry {
    const char *prefix;
    enum nats_error_kind kind;
    enum nats_error_action action;
    bool closes;
} table[] = {
    {"Unknown Protocol Operation", NATS_ERROR_UNKNOWN_OPERATION, NATS_ACTION_RETRY, true},
    {"maximum control line exceeded", NATS_ERROR_CONTROL_LINE, NATS_ACTION_RETRY_SLOW, true},
    {"Maximum Payload Violation", NATS_ERROR_PAYLOAD_SIZE, NATS_ACTION_RETRY, true},
    {"Authorization Violation", NATS_ERROR_AUTHORIZATION, NATS_ACTION_RETRY_SLOW, true},
    {"Authentication Timeout", NATS_ERROR_AUTHENTICATION_TIMEOUT, NATS_ACTION_RETRY, true},
    {"User Authentication Expired", NATS_ERROR_AUTHENTICATION_EXPIRED, NATS_ACTION_RETRY_SLOW,
     true},
    {"Account Authentication Expired", NATS_ERROR_AUTHENTICATION_EXPIRED, NATS_ACTION_RETRY_SLOW,
     true},
    {"User Authentication Revoked", NATS_ERROR_AUTHENTICATION_REVOKED, NATS_ACTION_RETRY_SLOW,
     true},
    {"Stale Connection", NATS_ERROR_STALE_CONNECTION, NATS_ACTION_RETRY, true},
    {"maximum connections exceeded", NATS_ERROR_CONNECTIONS_EXCEEDED, NATS_ACTION_RETRY_SLOW, true},
    {"maximum account active connections exceeded", NATS_ERROR_CONNECTIONS_EXCEEDED,
     NATS_ACTION_RETRY_SLOW, true},
    {"maximum subscriptions exceeded", NATS_ERROR_SUBSCRIPTIONS_EXCEEDED, NATS_ACTION_CONSUMER,
     false},
    {"Permissions Violation for Publish", NATS_ERROR_PUBLISH_PERMISSION, NATS_ACTION_CONSUMER,
     false},
    {"Permissions Violation for Subscription", NATS_ERROR_SUBSCRIBE_PERMISSION,
     NATS_ACTION_CONSUMER, false},
    {"Invalid Subject", NATS_ERROR_INVALID_SUBJECT, NATS_ACTION_CONSUMER, false},
    {"Invalid Publish Subject", NATS_ERROR_INVALID_SUBJECT, NATS_ACTION_CONSUMER, false},
    {"Secure Connection - TLS Required", NATS_ERROR_TLS_REQUIRED, NATS_ACTION_RETRY_SLOW, true},
    {"Connection throttling is active", NATS_ERROR_THROTTLED, NATS_ACTION_RETRY_SLOW, true},
    {"invalid client protocol", NATS_ERROR_CLIENT_PROTOCOL, NATS_ACTION_RETRY_SLOW, true},
    {"no responders requires headers support", NATS_ERROR_CLIENT_PROTOCOL, NATS_ACTION_RETRY_SLOW,
     true},
    {"attempted to connect to route port", NATS_ERROR_WRONG_PORT, NATS_ACTION_RETRY_SLOW, true},
    {"attempted to connect to leaf node port", NATS_ERROR_WRONG_PORT, NATS_ACTION_RETRY_SLOW, true},
    {"attempted to connect to gateway port", NATS_ERROR_WRONG_PORT, NATS_ACTION_RETRY_SLOW, true},
    {"Failed Account Registration", NATS_ERROR_ACCOUNT_REGISTRATION, NATS_ACTION_RETRY, true},
};

static bool starts_with(struct slice text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && strncasecmp((const char *)text.data, prefix, len) == 0;
}

/* What stands between the first two double quotes, such as the S of: for Publish to "S". */
static struct slice quoted(struct slice text)
{
    const uint8_t *open = memchr(text.data, '"', text.len);
    if (open == NULL)
        return (struct slice){0};
    open++;
    size_t rest = text.len - (size_t)(open - text.data);
    const uint8_t *close = memchr(open, '"', rest);
    return (struct slice){open, close != NULL ? (size_t)(close - open) : rest};
}

struct nats_server_error nats_error_classify(struct slice text)
{
    struct nats_server_error e = {
        .kind = NATS_ERROR_OTHER,
        .action = NATS_ACTION_LOG,
        .text = text,
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (!starts_with(text, table[i].prefix))
            continue;
        e.kind = table[i].kind;
        e.action = table[i].action;
        e.closes = table[i].closes;
        break;
    }
    if (e.kind == NATS_ERROR_PUBLISH_PERMISSION || e.kind == NATS_ERROR_SUBSCRIBE_PERMISSION)
        e.subject = quoted(text);
    return e;
}

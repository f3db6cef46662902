/* SPDX-License-Identifier: MIT */
#include "nats/session.h"

#include "test.h"

/* Every text of nats.md section 1.8. */
TEST(nats_error_knows_every_text)
{
    static const struct {
        const char *text;
        enum nats_error_kind kind;
        enum nats_error_action action;
        bool closes;
    } cases[] = {
        {"Unknown Protocol Operation", NATS_ERROR_UNKNOWN_OPERATION, NATS_ACTION_RETRY, true},
        {"maximum control line exceeded", NATS_ERROR_CONTROL_LINE, NATS_ACTION_RETRY_SLOW, true},
        {"Maximum Control Line Exceeded, state = 8", NATS_ERROR_CONTROL_LINE,
         NATS_ACTION_RETRY_SLOW, true},
        {"Maximum Payload Violation", NATS_ERROR_PAYLOAD_SIZE, NATS_ACTION_RETRY, true},
        {"Authorization Violation", NATS_ERROR_AUTHORIZATION, NATS_ACTION_RETRY_SLOW, true},
        {"Authentication Timeout", NATS_ERROR_AUTHENTICATION_TIMEOUT, NATS_ACTION_RETRY, true},
        {"User Authentication Expired", NATS_ERROR_AUTHENTICATION_EXPIRED, NATS_ACTION_RETRY_SLOW,
         true},
        {"Account Authentication Expired", NATS_ERROR_AUTHENTICATION_EXPIRED,
         NATS_ACTION_RETRY_SLOW, true},
        {"User Authentication Revoked", NATS_ERROR_AUTHENTICATION_REVOKED, NATS_ACTION_RETRY_SLOW,
         true},
        {"Stale Connection", NATS_ERROR_STALE_CONNECTION, NATS_ACTION_RETRY, true},
        {"maximum connections exceeded", NATS_ERROR_CONNECTIONS_EXCEEDED, NATS_ACTION_RETRY_SLOW,
         true},
        {"maximum account active connections exceeded", NATS_ERROR_CONNECTIONS_EXCEEDED,
         NATS_ACTION_RETRY_SLOW, true},
        {"maximum subscriptions exceeded", NATS_ERROR_SUBSCRIPTIONS_EXCEEDED, NATS_ACTION_CONSUMER,
         false},
        {"Invalid Subject", NATS_ERROR_INVALID_SUBJECT, NATS_ACTION_CONSUMER, false},
        {"Invalid Publish Subject", NATS_ERROR_INVALID_SUBJECT, NATS_ACTION_CONSUMER, false},
        {"Secure Connection - TLS Required", NATS_ERROR_TLS_REQUIRED, NATS_ACTION_RETRY_SLOW, true},
        {"Connection throttling is active. Please try again later.", NATS_ERROR_THROTTLED,
         NATS_ACTION_RETRY_SLOW, true},
        {"invalid client protocol", NATS_ERROR_CLIENT_PROTOCOL, NATS_ACTION_RETRY_SLOW, true},
        {"no responders requires headers support", NATS_ERROR_CLIENT_PROTOCOL,
         NATS_ACTION_RETRY_SLOW, true},
        {"attempted to connect to route port", NATS_ERROR_WRONG_PORT, NATS_ACTION_RETRY_SLOW, true},
        {"attempted to connect to leaf node port", NATS_ERROR_WRONG_PORT, NATS_ACTION_RETRY_SLOW,
         true},
        {"attempted to connect to gateway port", NATS_ERROR_WRONG_PORT, NATS_ACTION_RETRY_SLOW,
         true},
        {"Failed Account Registration", NATS_ERROR_ACCOUNT_REGISTRATION, NATS_ACTION_RETRY, true},
        {"Something New In 3.0", NATS_ERROR_OTHER, NATS_ACTION_LOG, false},
        {"", NATS_ERROR_OTHER, NATS_ACTION_LOG, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct nats_server_error e = nats_error_classify(slice_of(cases[i].text));
        EXPECT_I64(e.kind, cases[i].kind);
        EXPECT_I64(e.action, cases[i].action);
        EXPECT(e.closes == cases[i].closes);
        EXPECT(slice_is(e.text, cases[i].text));
        EXPECT_U64(e.subject.len, 0);
    }
}

TEST(nats_error_ignores_case)
{
    EXPECT(nats_error_classify(slice_of("AUTHORIZATION VIOLATION")).kind ==
           NATS_ERROR_AUTHORIZATION);
}

static void expect_subject(const char *text, enum nats_error_kind kind, const char *subject)
{
    struct nats_server_error e = nats_error_classify(slice_of(text));
    EXPECT_I64(e.kind, kind);
    EXPECT_I64(e.action, NATS_ACTION_CONSUMER);
    EXPECT(!e.closes);
    EXPECT(slice_is(e.subject, subject));
}

TEST(nats_error_finds_the_subject_of_a_permission_violation)
{
    expect_subject("Permissions Violation for Publish to \"$JS.API.CONSUMER.MSG.NEXT.S.C\"",
                   NATS_ERROR_PUBLISH_PERMISSION, "$JS.API.CONSUMER.MSG.NEXT.S.C");
    expect_subject("Permissions Violation for Publish with Reply of \"_INBOX.x\"",
                   NATS_ERROR_PUBLISH_PERMISSION, "_INBOX.x");
    expect_subject("Permissions Violation for Subscription to \"_INBOX.y.>\" using queue \"q\"",
                   NATS_ERROR_SUBSCRIBE_PERMISSION, "_INBOX.y.>");
    expect_subject("permissions violation for subscription to \"unfinished",
                   NATS_ERROR_SUBSCRIBE_PERMISSION, "unfinished");
    expect_subject("Permissions Violation for Publish", NATS_ERROR_PUBLISH_PERMISSION, "");
}

/* SPDX-License-Identifier: MIT */
#include "nats/client.h"

#include <stdlib.h>

#include "test.h"

static const struct nats_options plain = {.name = "t", .random_key = {1, 2}};
static struct nats_client c;
static struct nats_event event;
static struct err err;

static void feed_bytes(const void *data, size_t len, int64_t now)
{
    const uint8_t *bytes = data;
    while (len > 0) {
        struct nats_space space = nats_client_space(&c);
        size_t n = space.len < len ? space.len : len;
        memcpy(space.data, bytes, n);
        nats_client_received(&c, n, now);
        bytes += n;
        len -= n;
    }
}

static void feed(const char *text)
{
    feed_bytes(text, strlen(text), 0);
}

static int next(int64_t now)
{
    return nats_client_next(&c, now, &event, &err);
}

static void expect_event(enum nats_event_kind kind)
{
    EXPECT_I64(next(0), 1);
    EXPECT_I64(event.kind, kind);
}

static void get_ready(const struct nats_options *options)
{
    nats_client_start(&c, options, 0);
    feed("INFO {\"headers\":true}\r\n");
    EXPECT_I64(next(0), 0);
    EXPECT(!nats_client_is_ready(&c));
    feed("PONG\r\n");
    expect_event(NATS_EVENT_READY);
    EXPECT(nats_client_is_ready(&c));
    buf_reset(&c.out);
}

/* A frame on the subscription with this sid: "MSG subject SID rest". */
static void feed_message(const char *subject, uint64_t sid, const char *reply, const char *header,
                         const char *payload)
{
    static struct buf b;
    buf_reset(&b);
    if (header[0])
        buf_printf(&b, "HMSG %s %llu %s %zu %zu\r\n%s%s\r\n", subject, (unsigned long long)sid,
                   reply, strlen(header), strlen(header) + strlen(payload), header, payload);
    else
        buf_printf(&b, "MSG %s %llu %s %zu\r\n%s\r\n", subject, (unsigned long long)sid, reply,
                   strlen(payload), payload);
    feed_bytes(b.data, b.len, 0);
}

#define ACK "$JS.ACK.S.C.1.10.20.30.40"

TEST(nats_client_becomes_ready_and_subscribes_to_its_inbox)
{
    nats_client_start(&c, &plain, 0);
    feed("INFO {\"headers\":true}\r\nPONG\r\n");
    expect_event(NATS_EVENT_READY);
    const char *sub = strstr(buf_text(&c.out), "SUB _INBOX.");
    EXPECT(sub != NULL && strstr(sub, ".r.* ") != NULL);
    nats_client_free(&c);
}

TEST(nats_client_uses_the_configured_inbox_prefix)
{
    struct nats_options o = {.inbox_prefix = "_INBOX.team", .random_key = {1, 2}};
    nats_client_start(&c, &o, 0);
    feed("INFO {\"headers\":true}\r\nPONG\r\n");
    expect_event(NATS_EVENT_READY);
    EXPECT(strstr(buf_text(&c.out), "SUB _INBOX.team.") != NULL);
    nats_client_free(&c);
}

TEST(nats_client_delivers_jetstream_messages_with_their_owner)
{
    int owner;
    get_ready(&plain);
    uint64_t sid = nats_client_subscribe(&c, slice_of("_INBOX.x.p3.*"), &owner, 3);
    feed_message("logging.events.raw", sid, ACK, "NATS/1.0\r\nA: b\r\n\r\n", "hello");
    expect_event(NATS_EVENT_MESSAGE);
    EXPECT(event.owner == &owner && event.slot == 3);
    EXPECT(slice_is(event.subject, "logging.events.raw"));
    EXPECT(slice_is(event.payload, "hello"));
    EXPECT_U64(event.header.len, 18);
    EXPECT_U64(event.ack.stream_seq, 10);
    EXPECT_U64(event.bytes, 18 + 25 + 18 + 5); /* subject, reply, header, payload */
    EXPECT_I64(next(0), 0);
    nats_client_free(&c);
}

TEST(nats_client_message_with_a_forged_status_is_data)
{
    get_ready(&plain);
    uint64_t sid = nats_client_subscribe(&c, slice_of("i.*"), NULL, 0);
    feed_message("s", sid, ACK, "NATS/1.0 409 Consumer Deleted\r\n\r\n", "");
    expect_event(NATS_EVENT_MESSAGE);
    feed_message("s", sid, ACK, "NATS/1.0 100 Idle Heartbeat\r\n\r\n", "");
    expect_event(NATS_EVENT_MESSAGE);
    nats_client_free(&c);
}

TEST(nats_client_status_has_no_ack_subject)
{
    get_ready(&plain);
    uint64_t sid = nats_client_subscribe(&c, slice_of("i.*"), NULL, 5);
    feed_message("i.17", sid, "", "NATS/1.0 409 Consumer Deleted\r\n\r\n", "");
    expect_event(NATS_EVENT_STATUS);
    EXPECT_I64(event.status.status, 409);
    EXPECT(slice_is(event.status.text, "Consumer Deleted") && slice_is(event.subject, "i.17"));
    EXPECT_U64(event.slot, 5);
    feed_message("i.17", sid, "", "NATS/1.0 503\r\n\r\n", "");
    expect_event(NATS_EVENT_STATUS);
    EXPECT_I64(event.status.status, 503);
    nats_client_free(&c);
}

TEST(nats_client_tells_other_messages_apart)
{
    get_ready(&plain);
    uint64_t sid = nats_client_subscribe(&c, slice_of("i.*"), NULL, 0);
    feed_message("i.a", sid, "", "", "core");
    expect_event(NATS_EVENT_PLAIN);
    EXPECT(slice_is(event.payload, "core") && event.reply.len == 0);
    feed_message("i.a", sid, "some.reply", "NATS/1.0\r\nA: b\r\n\r\n", "");
    expect_event(NATS_EVENT_PLAIN);
    EXPECT(slice_is(event.reply, "some.reply"));
    feed_message("i.a", sid, "$JS.ACK.hub.S.C.1.2.3.4.5", "", "ten tokens");
    feed_message("i.a", sid, "$JS.ACK.S.C.1.2.x.4.5", "", "bad digits");
    EXPECT_I64(next(0), 0);
    EXPECT_U64(c.foreign_messages, 2);
    nats_client_free(&c);
}

TEST(nats_client_counts_messages_of_unknown_subscriptions)
{
    get_ready(&plain);
    uint64_t sid = nats_client_subscribe(&c, slice_of("i.*"), NULL, 0);
    nats_client_unsubscribe(&c, sid);
    uint64_t again = nats_client_subscribe(&c, slice_of("j.*"), NULL, 0);
    EXPECT(again != sid);
    feed_message("s", sid, ACK, "", "late");
    feed_message("s", 0, ACK, "", "");
    feed_message("s", 99999, ACK, "", "");
    feed_message("s", again, ACK, "", "mine");
    expect_event(NATS_EVENT_MESSAGE);
    EXPECT(slice_is(event.payload, "mine"));
    EXPECT_U64(c.unknown_sids, 3);
    nats_client_free(&c);
}

TEST(nats_client_subscriptions_are_bounded)
{
    get_ready(&plain);
    uint64_t last = 0;
    for (int i = 1; i < NATS_SUBSCRIPTIONS_MAX; i++) /* the inbox has one */
        EXPECT((last = nats_client_subscribe(&c, slice_of("a"), NULL, 0)) != 0);
    EXPECT_U64(nats_client_subscribe(&c, slice_of("a"), NULL, 0), 0);
    nats_client_unsubscribe(&c, last);
    EXPECT(nats_client_subscribe(&c, slice_of("a"), NULL, 0) != 0);
    nats_client_free(&c);
}

/* The reply subject of the request that was sent last. */
static char *reply_subject(void)
{
    static char subject[200];
    const char *start = strstr(buf_text(&c.out), "_INBOX.");
    size_t len = start != NULL ? strcspn(start, " ") : 0;
    EXPECT(len > 0 && len < sizeof(subject));
    memcpy(subject, start, len);
    subject[len] = '\0';
    buf_reset(&c.out);
    return subject;
}

static uint64_t ask(int64_t timeout)
{
    return nats_client_request(&c, slice_of("$JS.API.INFO"), (struct slice){0}, slice_of("{}"),
                               timeout, 0);
}

TEST(nats_client_request_and_reply)
{
    get_ready(&plain);
    uint64_t id = ask(100);
    EXPECT(id != 0);
    EXPECT(strncmp(buf_text(&c.out), "PUB $JS.API.INFO _INBOX.", 24) == 0);
    EXPECT(strstr(buf_text(&c.out), " 2\r\n{}\r\n") != NULL);
    const char *subject = reply_subject();
    feed_message(subject, c.reply_sid, "", "", "{\"type\":\"x\"}");
    expect_event(NATS_EVENT_REPLY);
    EXPECT_U64(event.request, id);
    EXPECT_I64(event.outcome, NATS_OUTCOME_REPLY);
    EXPECT(slice_is(event.payload, "{\"type\":\"x\"}"));
    feed_message(subject, c.reply_sid, "", "", "again");
    EXPECT_I64(next(0), 0); /* duplicate */
    nats_client_free(&c);
}

TEST(nats_client_request_without_responders_and_with_another_status)
{
    get_ready(&plain);
    uint64_t id = ask(100);
    feed_message(reply_subject(), c.reply_sid, "", "NATS/1.0 503\r\n\r\n", "");
    expect_event(NATS_EVENT_REPLY);
    EXPECT(event.request == id && event.outcome == NATS_OUTCOME_NO_RESPONDERS);
    id = ask(100);
    feed_message(reply_subject(), c.reply_sid, "", "NATS/1.0 429 Too Many Requests\r\n\r\n", "");
    expect_event(NATS_EVENT_REPLY);
    EXPECT(event.request == id && event.outcome == NATS_OUTCOME_STATUS);
    EXPECT_I64(event.status.status, 429);
    nats_client_free(&c);
}

TEST(nats_client_request_times_out_and_ignores_the_late_reply)
{
    get_ready(&plain);
    uint64_t id = ask(100);
    EXPECT_I64(nats_client_deadline(&c), 100);
    EXPECT_I64(next(99), 0);
    event.payload = event.header = slice_of("of another event");
    EXPECT_I64(next(100), 1);
    EXPECT(event.kind == NATS_EVENT_REPLY && event.request == id);
    EXPECT(event.payload.len == 0 && event.header.len == 0);
    EXPECT_I64(event.outcome, NATS_OUTCOME_TIMEOUT);
    feed_message(reply_subject(), c.reply_sid, "", "", "late");
    EXPECT_I64(next(101), 0);
    nats_client_free(&c);
}

TEST(nats_client_prefers_a_reply_that_is_there_to_its_timeout)
{
    get_ready(&plain);
    EXPECT(ask(100) != 0);
    feed_message(reply_subject(), c.reply_sid, "", "", "just in time");
    EXPECT_I64(next(1000), 1);
    EXPECT_I64(event.outcome, NATS_OUTCOME_REPLY);
    nats_client_free(&c);
}

TEST(nats_client_error_that_closes_is_an_event_and_then_the_end)
{
    get_ready(&plain);
    feed("-ERR 'Authorization Violation'\r\nPING\r\n");
    expect_event(NATS_EVENT_SERVER_ERROR);
    EXPECT(event.error.kind == NATS_ERROR_AUTHORIZATION && event.error.closes);
    EXPECT_I64(event.error.action, NATS_ACTION_RETRY_SLOW);
    EXPECT_I64(next(0), -1);
    EXPECT_TEXT(err.text, "the server says: Authorization Violation");
    EXPECT(err.code == ERR_REFUSED);
    err_clear(&err);
    EXPECT_I64(next(0), -1); /* and stays so */
    EXPECT_TEXT(err.text, "the server says: Authorization Violation");
    nats_client_free(&c);
}

/* Every text of nats.md 1.8 while connecting and later; what stays leaves the connection usable. */
TEST(nats_client_every_error_during_connect_and_mid_stream)
{
    static const struct {
        const char *text;
        bool closes;
    } errors[] = {
        {"Unknown Protocol Operation", true},
        {"maximum control line exceeded", true},
        {"Maximum Payload Violation", true},
        {"Authorization Violation", true},
        {"Authentication Timeout", true},
        {"User Authentication Expired", true},
        {"Account Authentication Expired", true},
        {"User Authentication Revoked", true},
        {"Stale Connection", true},
        {"maximum connections exceeded", true},
        {"maximum account active connections exceeded", true},
        {"maximum subscriptions exceeded", false},
        {"Permissions Violation for Publish to \"$JS.API.CONSUMER.MSG.NEXT.S.C\"", false},
        {"Permissions Violation for Subscription to \"_INBOX.x.>\"", false},
        {"Invalid Subject", false},
        {"Secure Connection - TLS Required", true},
        {"invalid client protocol", true},
        {"attempted to connect to route port", true},
        {"Failed Account Registration", true},
        {"Never Heard Of", false},
    };
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        for (int mid_stream = 0; mid_stream < 2; mid_stream++) {
            struct buf line = {0};
            buf_printf(&line, "-ERR '%s'\r\n", errors[i].text);
            if (mid_stream)
                get_ready(&plain);
            else
                nats_client_start(&c, &plain, 0);
            if (!mid_stream)
                feed("INFO {\"headers\":true}\r\n");
            feed(buf_text(&line));
            expect_event(NATS_EVENT_SERVER_ERROR);
            EXPECT(slice_is(event.error.text, errors[i].text));
            EXPECT(event.error.closes == errors[i].closes);
            err_clear(&err);
            EXPECT_I64(next(0), errors[i].closes ? -1 : 0);
            buf_free(&line);
        }
    }
    nats_client_free(&c);
}

TEST(nats_client_lame_duck_is_told_once)
{
    get_ready(&plain);
    feed("INFO {\"headers\":true,\"ldm\":true,\"connect_urls\":[\"b:1\"]}\r\n");
    expect_event(NATS_EVENT_LAME_DUCK);
    EXPECT_U64(c.session.info.url_count, 1);
    feed("INFO {\"headers\":true,\"ldm\":true}\r\n");
    expect_event(NATS_EVENT_INFO);
    EXPECT(c.lame_duck);
    nats_client_start(&c, &plain, 0);
    EXPECT(!c.lame_duck);
    nats_client_free(&c);
}

TEST(nats_client_bad_bytes_end_it)
{
    get_ready(&plain);
    feed("MSG a 1 99999999999\r\n");
    EXPECT_I64(next(0), -1);
    EXPECT(err.code == ERR_PROTOCOL);
    EXPECT(!nats_client_is_ready(&c));
    EXPECT_I64(nats_client_deadline(&c), INT64_MAX);
    nats_client_free(&c);
}

TEST(nats_client_message_above_its_bound_costs_no_memory)
{
    struct nats_options o = {.message_max = 1000};
    get_ready(&o);
    feed("MSG a 1 1001\r\n");
    EXPECT_I64(next(0), -1);
    EXPECT(err.code == ERR_LIMIT);
    EXPECT_U64(c.in.cap, NATS_INPUT_START);
    nats_client_free(&c);
}

TEST(nats_client_tls_is_asked_for_and_bytes_wait_for_it)
{
    struct nats_options o = {.tls = NATS_TLS_REQUIRED};
    nats_client_start(&c, &o, 0);
    feed("INFO {\"headers\":true,\"tls_required\":true}\r\n");
    expect_event(NATS_EVENT_START_TLS);
    EXPECT_U64(c.out.len, 0);
    EXPECT_I64(next(0), 0);
    EXPECT_I64(nats_client_tls_done(&c, &err), 0);
    EXPECT(strncmp(buf_text(&c.out), "CONNECT {", 9) == 0);
    feed("PONG\r\n");
    expect_event(NATS_EVENT_READY);
    nats_client_free(&c);
}

TEST(nats_client_start_again_uses_new_names_and_forgets_requests)
{
    get_ready(&plain);
    EXPECT(ask(100) != 0);
    char *old = reply_subject();
    char copy[200];
    memcpy(copy, old, sizeof(copy));
    uint64_t old_sid = c.reply_sid;
    uint64_t second;
    get_ready(&plain);
    EXPECT(c.reply_sid != old_sid);
    EXPECT((second = ask(100)) != 0);
    EXPECT(strcmp(copy, reply_subject()) != 0);
    feed_message(copy, c.reply_sid, "", "", "of the old one");
    EXPECT_I64(next(0), 0);
    EXPECT_I64(next(100), 1); /* only the second times out */
    EXPECT_U64(event.request, second);
    EXPECT_I64(next(100), 0);
    nats_client_free(&c);
}

static void describe(struct buf *out)
{
    buf_printf(out, "%d slot %u <", (int)event.kind, (unsigned)event.slot);
    if (event.kind == NATS_EVENT_MESSAGE) {
        buf_append_slice(out, event.subject);
        buf_printf(out, "> %llu <", (unsigned long long)event.ack.stream_seq);
        buf_append_slice(out, event.payload);
    }
    if (event.kind == NATS_EVENT_STATUS)
        buf_printf(out, "%d", event.status.status);
    if (event.kind == NATS_EVENT_SERVER_ERROR)
        buf_append_slice(out, event.error.text);
    buf_append_text(out, ">\n");
}

/* Feed in pieces of random size up to `piece`; sids are known, since they are given in order. */
static void converse(struct buf *out, const struct buf *text, uint64_t piece)
{
    memset(&event, 0, sizeof(event));
    memset(&c, 0, sizeof(c));
    nats_client_start(&c, &plain, 0);
    size_t at = 0;
    int got = 0;
    while (at < text->len && got >= 0) {
        size_t len = 1 + (size_t)(test_random() % piece);
        len = len < text->len - at ? len : text->len - at;
        feed_bytes(text->data + at, len, 0);
        at += len;
        while ((got = next(0)) > 0) {
            describe(out);
            if (event.kind == NATS_EVENT_READY)
                EXPECT_U64(nats_client_subscribe(&c, slice_of("i.*"), NULL, 4), 2049);
        }
    }
    nats_client_free(&c);
}

TEST(nats_client_events_do_not_depend_on_how_the_bytes_were_cut)
{
    struct buf text = {0};
    buf_append_text(&text, "INFO {\"headers\":true}\r\nPONG\r\n");
    for (int i = 1; i <= 40; i++) {
        buf_printf(&text, "MSG s.%d 2049 $JS.ACK.S.C.1.%d.%d.1.0 %d\r\n", i, i, i, i * 50);
        for (int k = 0; k < i * 50; k++)
            buf_append_byte(&text, (uint8_t)("\r\nMSG P"[(i + k) % 7]));
        buf_append_text(&text,
                        "\r\nPING\r\nHMSG i.1 2049 28 28\r\nNATS/1.0 404 No Messages\r\n\r\n\r\n");
    }
    buf_append_text(&text, "-ERR 'Invalid Subject'\r\n");
    struct buf whole = {0};
    converse(&whole, &text, 1);
    EXPECT(whole.len > 1000);
    const uint64_t pieces[] = {2, 3, 7, 100, 1000, 4096, 100000};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct buf out = {0};
        converse(&out, &text, pieces[i]);
        EXPECT_BYTES(out.data, out.len, whole.data, whole.len);
        buf_free(&out);
    }
    buf_free(&whole);
    buf_free(&text);
}

/* 100 MiB from a server that ignores max_bytes: taken message by message, memory stays. */
TEST(nats_client_memory_does_not_follow_the_amount_of_data)
{
    get_ready(&plain);
    uint64_t sid = nats_client_subscribe(&c, slice_of("i.*"), NULL, 0);
    struct buf text = {0};
    buf_printf(&text, "MSG s %llu " ACK " 100000\r\n", (unsigned long long)sid);
    size_t line = text.len;
    buf_reserve(&text, 100002);
    memset(text.data + line, 'x', 100000);
    text.len += 100000;
    buf_append_text(&text, "\r\n");
    for (int i = 0; i < 1000; i++) {
        feed_bytes(text.data, text.len, 0);
        expect_event(NATS_EVENT_MESSAGE);
    }
    EXPECT_U64(c.in.cap, NATS_INPUT_START);
    buf_free(&text);
    nats_client_free(&c);
}

TEST(nats_client_passes_a_message_of_8_mib)
{
    get_ready(&plain);
    uint64_t sid = nats_client_subscribe(&c, slice_of("i.*"), NULL, 0);
    struct buf text = {0};
    buf_printf(&text, "MSG s %llu " ACK " 8388608\r\n", (unsigned long long)sid);
    size_t line = text.len;
    buf_reserve(&text, 8388608 + 2);
    memset(text.data + line, '\r', 8388608);
    text.len += 8388608;
    buf_append_text(&text, "\r\n");
    size_t at = 0;
    while (at < text.len) {
        size_t len = text.len - at < 300000 ? text.len - at : 300000;
        feed_bytes(text.data + at, len, 0);
        at += len;
        EXPECT_I64(next(0), at == text.len);
    }
    EXPECT_U64(event.payload.len, 8388608);
    EXPECT(c.in.cap < 9 * 1024 * 1024);
    buf_free(&text);
    nats_client_free(&c);
}

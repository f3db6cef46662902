/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "../unit/test.h"
#include "nats/pull.h"
#include "server.h"
#include "wire.h"

static const struct nats_options plain = {.name = "t", .random_key = {1, 2}};
static struct wire w;
static struct nats_pull pull;

#define HELLO                                                                       \
    "S: INFO {\"server_name\":\"fake\",\"headers\":true,\"max_payload\":1048576}\n" \
    "C: CONNECT ...\n"                                                              \
    "C: PING\n"                                                                     \
    "S: PONG\n"                                                                     \
    "C: SUB {inbox} {reply_sid}\n"

#define SUBSCRIBED                                           \
    "C: SUB {p0} {s0}\nC: SUB {p1} {s1}\nC: SUB {p2} {s2}\n" \
    "C: SUB {p3} {s3}\nC: SUB {p4} {s4}\nC: SUB {p5} {s5}\n"

static struct fake_server *open_with(const char *script)
{
    struct fake_server *server = fake_server_start(&script, 1);
    wire_open(&w, fake_server_port(server), &plain);
    return server;
}

static struct fake_server *ready_with(const char *script)
{
    struct fake_server *server = open_with(script);
    wire_expect(&w, NATS_EVENT_READY);
    return server;
}

static void finish(struct fake_server *server)
{
    wire_close(&w);
    fake_server_finish(server);
}

TEST(fake_request_and_reply)
{
    struct fake_server *server = ready_with(HELLO "C: PUB $JS.API.INFO {reply} 0\n"
                                                  "C: \n"
                                                  "S: MSG {reply} {reply_sid} 13\n"
                                                  "S: {\"type\":\"ok\"}\n"
                                                  "-- silence\n");
    EXPECT(slice_is(w.client.session.info.server_name, "fake"));
    struct slice none = {0};
    uint64_t id = nats_client_request(&w.client, slice_of("$JS.API.INFO"), none, none,
                                      10 * CLOCK_SECOND, wire_now(&w));
    wire_expect(&w, NATS_EVENT_REPLY);
    EXPECT_U64(w.event.request, id);
    EXPECT(slice_is(w.event.payload, "{\"type\":\"ok\"}"));
    finish(server);
}

/* A pull that ends, data that is cut at every byte, an ack, and a status that ends the second. */
#define STREAM                                                                                \
    HELLO SUBSCRIBED "C: PUB $JS.API.CONSUMER.MSG.NEXT.S.C {next} {size}\n"                   \
                     "C: {\"expires\":30000000000,\"batch\":1000000,\"max_bytes\":1000,...\n" \
                     "S: MSG logging.a {s0} $JS.ACK.S.C.1.1.1.1700000000000000000.2 5\n"      \
                     "S: first\n"                                                             \
                     "S: +OK\n"                                                               \
                     "S: HMSG logging.b {s0} $JS.ACK.S.C.1.2.2.1700000000000000001.1 33 39\n" \
                     "S: NATS/1.0 409 Consumer Deleted\n"                                     \
                     "S: \n"                                                                  \
                     "S: second\n"                                                            \
                     "S: PING\n"                                                              \
                     "C: PUB $JS.ACK.S.C.1.1.1.1700000000000000000.2 0\n"                     \
                     "C: \n"                                                                  \
                     "C: PONG\n"                                                              \
                     "S: HMSG {next} {s0} 81 81\n"                                            \
                     "S: NATS/1.0 408 Request Timeout\n"                                      \
                     "S: Nats-Pending-Messages: 1\n"                                          \
                     "S: Nats-Pending-Bytes: 2\n"                                             \
                     "S: \n"                                                                  \
                     "S: \n"                                                                  \
                     "-- silence\n"

static void drain_stream(size_t read_max)
{
    w.read_max = read_max;
    struct fake_server *server = ready_with(STREAM);
    EXPECT_I64(
        nats_pull_open(&pull, &w.client, "$JS.API", "S", "C", 1000, &pull, wire_now(&w), &w.err),
        0);
    EXPECT_I64(nats_pull_tick(&pull, &w.client, wire_now(&w)), NATS_PULL_NEEDS_NOTHING);
    wire_expect(&w, NATS_EVENT_MESSAGE);
    EXPECT(w.event.owner == &pull && w.event.slot == 0);
    EXPECT(slice_is(w.event.subject, "logging.a") && slice_is(w.event.payload, "first"));
    EXPECT_U64(w.event.ack.stream_seq, 1);
    nats_pull_message(&pull, &w.event, wire_now(&w));
    nats_ack_append_publish(&w.client.out, &w.event.ack);
    wire_expect(&w, NATS_EVENT_MESSAGE); /* whatever its header says */
    EXPECT(slice_is(w.event.payload, "second"));
    nats_pull_message(&pull, &w.event, wire_now(&w));
    wire_expect(&w, NATS_EVENT_STATUS);
    EXPECT_I64(w.event.status.status, 408);
    EXPECT(nats_pull_is_live(&pull));
    EXPECT_I64(nats_pull_status(&pull, &w.event, wire_now(&w)), NATS_PULL_NEEDS_NOTHING);
    EXPECT(!nats_pull_is_live(&pull));
    finish(server);
}

TEST(fake_stream_read_as_it_comes)
{
    drain_stream(0);
}

TEST(fake_stream_read_byte_by_byte)
{
    drain_stream(1);
}

TEST(fake_stream_read_in_sevens)
{
    drain_stream(7);
}

TEST(fake_info_of_200_kib_read_byte_by_byte)
{
    w.read_max = 1;
    w.stands_at = clock_monotonic(); /* however long so many reads take */
    struct fake_server *server = ready_with("-- text INFO {\"headers\":true,\"x\":\"\n"
                                            "-- bytes 204800 x\n"
                                            "S: \"}\n"
                                            "C: CONNECT ...\n"
                                            "C: PING\n"
                                            "S: PONG\n"
                                            "-- silence\n");
    EXPECT(w.client.session.info.headers);
    finish(server);
}

static void expect_dead(enum err_code code, const char *part)
{
    EXPECT_I64(wire_next(&w), -1);
    EXPECT_I64(w.err.code, code);
    if (strstr(w.err.text, part) == NULL)
        EXPECT_TEXT(w.err.text, part);
}

TEST(fake_garbage_ends_the_connection)
{
    const char *const garbage[] = {
        "S: HTTP/1.1 400 Bad Request\n-- silence\n",
        "-- hex 0000000000000000\n-- silence\n",
        "-- hex 160301020001\n-- silence\n",
        "S: MSG a 1 99999999999\n-- silence\n",
        "S: MSG a 1 -5\n-- silence\n",
        "S: HMSG a 1 10 5\n-- silence\n",
        "S: MSG a 1 3\nS: abcdef\n-- silence\n",
        "S: INFO not json\n-- silence\n",
    };
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        struct fake_server *server = open_with(garbage[i]);
        expect_dead(ERR_PROTOCOL, "");
        finish(server);
    }
}

TEST(fake_line_of_10_mib_without_an_end_is_cut_off_early)
{
    struct fake_server *server =
        ready_with(HELLO "-- text MSG \n-- bytes 10485760 x\n-- silence\n");
    expect_dead(ERR_PROTOCOL, "an endless line");
    EXPECT_U64(w.client.in.cap, NATS_INPUT_START);
    finish(server);
}

TEST(fake_close_without_an_error_comes_after_what_was_sent)
{
    struct fake_server *server =
        ready_with(HELLO SUBSCRIBED "S: MSG a {s2} $JS.ACK.S.C.1.7.1.1.0 4\n"
                                    "S: last\n"
                                    "-- text MSG a {s2} $JS.ACK.S.C.1.8.2.1.0 4\n"
                                    "-- hex 0d0a\n"
                                    "-- text ha\n"
                                    "-- close\n");
    EXPECT_I64(
        nats_pull_open(&pull, &w.client, "$JS.API", "S", "C", 1000, &pull, wire_now(&w), &w.err),
        0);
    wire_expect(&w, NATS_EVENT_MESSAGE);
    EXPECT(w.event.slot == 2 && slice_is(w.event.payload, "last"));
    expect_dead(ERR_NETWORK, "closed the connection"); /* half a message is none */
    finish(server);
}

TEST(fake_reset_in_the_middle_of_a_payload)
{
    struct fake_server *server = ready_with(HELLO "-- text MSG a {reply_sid} 1000\n-- hex 0d0a\n"
                                                  "-- bytes 500 x\n"
                                                  "C: PUB done 0\nC: \n" /* it was received */
                                                  "-- reset\n");
    struct slice none = {0};
    nats_client_publish(&w.client, slice_of("done"), none, none);
    EXPECT_I64(wire_next(&w), -1);
    EXPECT(w.err.code == ERR_NETWORK && w.err.system == ECONNRESET);
    finish(server);
}

TEST(fake_server_that_accepts_and_says_nothing)
{
    struct fake_server *server = open_with("-- silence\n");
    w.time_shift += NATS_CONNECT_TIMEOUT;
    expect_dead(ERR_NETWORK, "handshake_first");
    finish(server);
}

TEST(fake_server_that_does_not_answer_connect)
{
    struct fake_server *server = open_with("S: INFO {\"headers\":true}\nC: CONNECT ...\nC: PING\n"
                                           "S: +OK\nS: INFO {\"headers\":true,\"ldm\":true}\n"
                                           "S: PING\nC: PONG\n-- silence\n");
    w.time_shift += NATS_CONNECT_TIMEOUT / 2;
    while (w.client.session.state != NATS_SESSION_WAIT_PONG || !w.client.session.info.lame_duck)
        EXPECT(w.err.code == ERR_NONE && wire_poll(&w) == 0);
    w.time_shift += NATS_CONNECT_TIMEOUT;
    expect_dead(ERR_NETWORK, "did not complete the login");
    finish(server);
}

TEST(fake_server_that_falls_silent_is_given_up_after_two_pings)
{
    struct fake_server *server = ready_with(HELLO "C: PING\nC: PING\n-- silence\n");
    w.time_shift += NATS_PING_INTERVAL;
    EXPECT_I64(wire_poll(&w), 0);
    w.time_shift += NATS_PING_INTERVAL;
    EXPECT_I64(wire_poll(&w), 0);
    w.time_shift += NATS_PING_INTERVAL;
    expect_dead(ERR_NETWORK, "unanswered");
    finish(server);
}

TEST(fake_ping_flood_is_answered_and_data_still_passes)
{
    struct fake_server *server = ready_with(HELLO "C: PUB q {reply} 0\nC: \n"
                                                  "-- repeat 20000 PING\n"
                                                  "S: MSG {reply} {reply_sid} 2\nS: hi\n"
                                                  "C: PONG\nC: PONG\nC: PONG\n"
                                                  "-- silence\n");
    struct slice none = {0};
    EXPECT(nats_client_request(&w.client, slice_of("q"), none, none, 10 * CLOCK_SECOND,
                               wire_now(&w)) != 0);
    wire_expect(&w, NATS_EVENT_REPLY);
    EXPECT_I64(w.event.outcome, NATS_OUTCOME_REPLY);
    EXPECT(w.client.out.cap <= 2 * NATS_PONG_BACKLOG_MAX);
    finish(server);
}

TEST(fake_wrong_password)
{
    struct nats_options o = {.credentials = {.user = "me", .password = "wrong"}};
    const char *script = "S: INFO {\"headers\":true,\"auth_required\":true}\n"
                         "C: CONNECT ...\nC: PING\n"
                         "S: -ERR 'Authorization Violation'\n"
                         "-- close\n";
    struct fake_server *server = fake_server_start(&script, 1);
    wire_open(&w, fake_server_port(server), &o);
    wire_expect(&w, NATS_EVENT_SERVER_ERROR);
    EXPECT_I64(w.event.error.action, NATS_ACTION_RETRY_SLOW);
    expect_dead(ERR_REFUSED, "Authorization Violation");
    finish(server);
}

TEST(fake_connection_again_after_the_server_went_away)
{
    const char *const scripts[] = {HELLO "-- close\n", HELLO "C: PUB q {reply} 0\nC: \n"
                                                             "S: HMSG {reply} {reply_sid} 16 16\n"
                                                             "S: NATS/1.0 503\nS: \nS: \n"
                                                             "-- silence\n"};
    struct fake_server *server = fake_server_start(scripts, 2);
    struct slice none = {0};
    wire_open(&w, fake_server_port(server), &plain);
    wire_expect(&w, NATS_EVENT_READY);
    expect_dead(ERR_NETWORK, "closed the connection");
    wire_close(&w);
    wire_open(&w, fake_server_port(server), &plain);
    wire_expect(&w, NATS_EVENT_READY);
    uint64_t id =
        nats_client_request(&w.client, slice_of("q"), none, none, 10 * CLOCK_SECOND, wire_now(&w));
    wire_expect(&w, NATS_EVENT_REPLY);
    EXPECT(w.event.request == id && w.event.outcome == NATS_OUTCOME_NO_RESPONDERS);
    finish(server);
}

TEST(fake_lame_duck_and_new_servers)
{
    struct fake_server *server =
        ready_with(HELLO "S: INFO {\"headers\":true,\"connect_urls\":[\"10.0.0.9:4222\"]}\n"
                         "S: INFO {\"headers\":true,\"ldm\":true}\n-- silence\n");
    wire_expect(&w, NATS_EVENT_INFO);
    EXPECT(slice_is(w.client.session.info.urls[0], "10.0.0.9:4222"));
    wire_expect(&w, NATS_EVENT_LAME_DUCK);
    EXPECT(nats_client_is_ready(&w.client));
    finish(server);
}

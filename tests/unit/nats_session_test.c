/* SPDX-License-Identifier: MIT */
#include "nats/session.h"

#include "test.h"

#define S CLOCK_SECOND

static struct buf out;
static struct err err;
static struct nats_server_error server_error;
static const struct nats_options plain = {.name = "t"};
static struct nats_session session; /* static, so that its memory is reachable until the end */

static enum nats_session_event feed_frame(enum nats_frame_kind kind, const char *text, bool more)
{
    enum nats_session_event event;
    struct nats_frame frame = {.kind = kind, .text = slice_of(text)};
    EXPECT_I64(nats_session_frame(&session, &frame, more, &out, &event, &server_error, &err), 0);
    return event;
}

static void feed_bad(enum nats_frame_kind kind, const char *text, bool more, enum err_code code)
{
    enum nats_session_event event;
    struct nats_frame frame = {.kind = kind, .text = slice_of(text)};
    EXPECT_I64(nats_session_frame(&session, &frame, more, &out, &event, &server_error, &err), -1);
    EXPECT_I64(err.code, code);
    EXPECT(session.state == NATS_SESSION_DEAD);
}

static void start(const struct nats_options *options)
{
    nats_session_start(&session, options, 0);
}

static void get_ready(void)
{
    start(&plain);
    feed_frame(NATS_FRAME_INFO, "{\"headers\":true}", false);
    EXPECT(feed_frame(NATS_FRAME_PONG, "", false) == NATS_SESSION_BECAME_READY);
    buf_reset(&out);
}

TEST(nats_session_says_connect_and_ping_after_info)
{
    start(&plain);
    EXPECT(feed_frame(NATS_FRAME_INFO, "{\"headers\":true,\"server_name\":\"n1\"}", false) ==
           NATS_SESSION_NOTHING);
    EXPECT(strncmp(buf_text(&out), "CONNECT {", 9) == 0);
    EXPECT_TEXT(buf_text(&out) + out.len - 9, "}\r\nPING\r\n");
    EXPECT(session.state == NATS_SESSION_WAIT_PONG);
    EXPECT(feed_frame(NATS_FRAME_PONG, "", false) == NATS_SESSION_BECAME_READY);
    EXPECT(slice_is(session.info.server_name, "n1"));
}

TEST(nats_session_refuses_a_server_without_headers)
{
    start(&plain);
    feed_bad(NATS_FRAME_INFO, "{\"headers\":false}", false, ERR_UNSUPPORTED);
}

TEST(nats_session_refuses_an_info_that_is_no_json)
{
    start(&plain);
    feed_bad(NATS_FRAME_INFO, "{\"headers\"", false, ERR_PROTOCOL);
}

TEST(nats_session_refuses_a_pong_before_its_time)
{
    start(&plain);
    feed_bad(NATS_FRAME_PONG, "", false, ERR_PROTOCOL);
}

TEST(nats_session_silence_after_accept_hints_at_tls_first)
{
    start(&plain);
    EXPECT_I64(nats_session_deadline(&session), 5 * S);
    EXPECT_I64(nats_session_tick(&session, 5 * S - 1, &out, &err), 0);
    EXPECT_I64(nats_session_tick(&session, 5 * S, &out, &err), -1);
    EXPECT(strstr(err.text, "handshake_first") != NULL);
    EXPECT_I64(nats_session_deadline(&session), INT64_MAX);
}

TEST(nats_session_silence_after_connect_is_bounded_too)
{
    start(&plain);
    feed_frame(NATS_FRAME_INFO, "{\"headers\":true}", false);
    nats_session_received(&session, 4 * S); /* bytes alone don't let us in */
    EXPECT_I64(nats_session_tick(&session, 5 * S, &out, &err), -1);
    EXPECT(err.code == ERR_NETWORK);
}

TEST(nats_session_starts_tls_and_then_connects)
{
    struct nats_options o = {.tls = NATS_TLS_REQUIRED};
    start(&o);
    EXPECT(feed_frame(NATS_FRAME_INFO, "{\"headers\":true,\"tls_available\":true}", false) ==
           NATS_SESSION_START_TLS);
    EXPECT_U64(out.len, 0); /* no credentials in clear */
    EXPECT_I64(nats_session_tls_done(&session, &out, &err), 0);
    EXPECT(strstr(buf_text(&out), "\"tls_required\":true") != NULL);
}

TEST(nats_session_does_not_downgrade_from_tls)
{
    struct nats_options o = {.tls = NATS_TLS_REQUIRED};
    start(&o);
    feed_bad(NATS_FRAME_INFO, "{\"headers\":true}", false, ERR_REFUSED);
    EXPECT_U64(out.len, 0);
}

TEST(nats_session_bytes_between_info_and_tls_are_an_attack)
{
    struct nats_options o = {.tls = NATS_TLS_REQUIRED};
    start(&o);
    feed_bad(NATS_FRAME_INFO, "{\"headers\":true,\"tls_required\":true}", true, ERR_PROTOCOL);
}

TEST(nats_session_without_tls_refuses_a_server_that_requires_it)
{
    start(&plain);
    feed_bad(NATS_FRAME_INFO, "{\"headers\":true,\"tls_required\":true}", false, ERR_REFUSED);
    EXPECT_U64(out.len, 0);
}

TEST(nats_session_after_tls_first_connects_at_once)
{
    struct nats_options o = {.tls = NATS_TLS_FIRST};
    start(&o);
    EXPECT(feed_frame(NATS_FRAME_INFO, "{\"headers\":true,\"tls_required\":true}", false) ==
           NATS_SESSION_NOTHING);
    EXPECT(session.state == NATS_SESSION_WAIT_PONG);
}

TEST(nats_session_a_jwt_longer_than_the_line_is_an_error_of_its_own)
{
    char jwt[5000];
    memset(jwt, 'j', sizeof(jwt));
    jwt[sizeof(jwt) - 1] = '\0';
    struct nats_options o = {.credentials = {.jwt = jwt}};
    start(&o);
    feed_bad(NATS_FRAME_INFO, "{\"headers\":true}", false, ERR_LIMIT);
}

TEST(nats_session_answers_ping)
{
    get_ready();
    EXPECT(feed_frame(NATS_FRAME_PING, "", false) == NATS_SESSION_NOTHING);
    EXPECT(feed_frame(NATS_FRAME_OK, "", false) == NATS_SESSION_NOTHING);
    EXPECT_TEXT(buf_text(&out), "PONG\r\n");
}

TEST(nats_session_ping_flood_does_not_fill_memory)
{
    get_ready();
    for (int i = 0; i < 1000 * 1000; i++)
        feed_frame(NATS_FRAME_PING, "", false);
    EXPECT(out.len <= NATS_PONG_BACKLOG_MAX + 6);
}

TEST(nats_session_pings_after_ten_silent_seconds_and_gives_up_after_thirty)
{
    get_ready();
    EXPECT_I64(nats_session_deadline(&session), 10 * S);
    EXPECT_I64(nats_session_tick(&session, 10 * S - 1, &out, &err), 0);
    EXPECT_U64(out.len, 0);
    EXPECT_I64(nats_session_tick(&session, 10 * S, &out, &err), 0);
    EXPECT_TEXT(buf_text(&out), "PING\r\n");
    EXPECT_I64(nats_session_deadline(&session), 20 * S);
    EXPECT_I64(nats_session_tick(&session, 10 * S + 1, &out, &err), 0);
    EXPECT_I64(nats_session_tick(&session, 20 * S, &out, &err), 0);
    EXPECT_TEXT(buf_text(&out), "PING\r\nPING\r\n");
    EXPECT_I64(nats_session_deadline(&session), 30 * S);
    EXPECT_I64(nats_session_tick(&session, 30 * S, &out, &err), -1);
    EXPECT(err.code == ERR_NETWORK && session.state == NATS_SESSION_DEAD);
}

TEST(nats_session_any_byte_is_a_sign_of_life)
{
    get_ready();
    EXPECT_I64(nats_session_tick(&session, 10 * S, &out, &err), 0);
    EXPECT_I64(nats_session_tick(&session, 20 * S, &out, &err), 0);
    nats_session_received(&session, 25 * S);
    EXPECT_I64(nats_session_deadline(&session), 35 * S);
    EXPECT_I64(nats_session_tick(&session, 34 * S, &out, &err), 0);
}

TEST(nats_session_after_a_stop_of_this_process_the_server_still_has_time_to_answer)
{
    get_ready();
    EXPECT_I64(nats_session_tick(&session, 100 * S, &out, &err), 0);
    EXPECT_I64(nats_session_tick(&session, 100 * S + 1, &out, &err), 0);
    EXPECT_TEXT(buf_text(&out), "PING\r\n");
    EXPECT_I64(nats_session_deadline(&session), 110 * S);
    EXPECT_I64(nats_session_tick(&session, 110 * S, &out, &err), 0);
    EXPECT_I64(nats_session_tick(&session, 120 * S, &out, &err), -1);
}

TEST(nats_session_probe_wants_a_pong_within_five_seconds)
{
    get_ready();
    nats_session_probe(&session, 1 * S, &out);
    nats_session_probe(&session, 2 * S, &out); /* one is enough */
    EXPECT_TEXT(buf_text(&out), "PING\r\n");
    EXPECT_I64(nats_session_deadline(&session), 6 * S);
    nats_session_received(&session, 3 * S); /* data is not what was asked for */
    EXPECT_I64(nats_session_tick(&session, 6 * S, &out, &err), -1);
    get_ready();
    nats_session_probe(&session, 1 * S, &out);
    feed_frame(NATS_FRAME_PONG, "", false);
    err_clear(&err);
    EXPECT_I64(nats_session_tick(&session, 6 * S, &out, &err), 0);
}

TEST(nats_session_later_info_and_lame_duck)
{
    get_ready();
    EXPECT(feed_frame(NATS_FRAME_INFO, "{\"headers\":true,\"connect_urls\":[\"b:1\"]}", false) ==
           NATS_SESSION_NEW_INFO);
    EXPECT_U64(session.info.url_count, 1);
    EXPECT(feed_frame(NATS_FRAME_INFO, "{\"headers\":true,\"ldm\":true}", false) ==
           NATS_SESSION_LAME_DUCK);
    EXPECT(session.state == NATS_SESSION_READY);
    EXPECT_U64(out.len, 0);
}

TEST(nats_session_errors_that_close_and_that_do_not)
{
    get_ready();
    EXPECT(feed_frame(NATS_FRAME_ERROR, "Permissions Violation for Publish to \"x\"", false) ==
           NATS_SESSION_ERROR);
    EXPECT(!server_error.closes && session.state == NATS_SESSION_READY);
    EXPECT(feed_frame(NATS_FRAME_ERROR, "Stale Connection", false) == NATS_SESSION_ERROR);
    EXPECT(server_error.closes && session.state == NATS_SESSION_DEAD);
}

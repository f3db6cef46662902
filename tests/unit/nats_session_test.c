/* SPDX-License-Identifier: MIT */
#include "nats/session.h"

#include "test.h"

#define S CLOCK_SECOND

static struct buf out;
static struct err err;
static struct nats_server_error server_error;
static const struct nats_options plain = {.name = "t"};

static enum nats_session_event feed_frame(struct nats_session *s, enum nats_frame_kind kind,
                                          const char *text, bool more)
{
    enum nats_session_event event;
    struct nats_frame frame = {.kind = kind, .text = slice_of(text)};
    EXPECT_I64(nats_session_frame(s, &frame, more, &out, &event, &server_error, &err), 0);
    return event;
}

static void feed_bad(struct nats_session *s, enum nats_frame_kind kind, const char *text, bool more,
                     enum err_code code)
{
    enum nats_session_event event;
    struct nats_frame frame = {.kind = kind, .text = slice_of(text)};
    EXPECT_I64(nats_session_frame(s, &frame, more, &out, &event, &server_error, &err), -1);
    EXPECT_I64(err.code, code);
    EXPECT(s->state == NATS_SESSION_DEAD);
}

static struct nats_session started(const struct nats_options *options)
{
    struct nats_session s = {0};
    nats_session_start(&s, options, 0);
    return s;
}

static struct nats_session ready(void)
{
    struct nats_session s = started(&plain);
    feed_frame(&s, NATS_FRAME_INFO, "{\"headers\":true}", false);
    EXPECT(feed_frame(&s, NATS_FRAME_PONG, "", false) == NATS_SESSION_BECAME_READY);
    buf_reset(&out);
    return s;
}

TEST(nats_session_says_connect_and_ping_after_info)
{
    struct nats_session s = started(&plain);
    EXPECT(feed_frame(&s, NATS_FRAME_INFO, "{\"headers\":true,\"server_name\":\"n1\"}", false) ==
           NATS_SESSION_NOTHING);
    EXPECT(strncmp(buf_text(&out), "CONNECT {", 9) == 0);
    EXPECT_TEXT(buf_text(&out) + out.len - 9, "}\r\nPING\r\n");
    EXPECT(s.state == NATS_SESSION_WAIT_PONG);
    EXPECT(feed_frame(&s, NATS_FRAME_PONG, "", false) == NATS_SESSION_BECAME_READY);
    EXPECT(slice_is(s.info.server_name, "n1"));
    nats_session_free(&s);
}

TEST(nats_session_refuses_a_server_without_headers)
{
    struct nats_session s = started(&plain);
    feed_bad(&s, NATS_FRAME_INFO, "{\"headers\":false}", false, ERR_UNSUPPORTED);
}

TEST(nats_session_refuses_an_info_that_is_no_json)
{
    struct nats_session s = started(&plain);
    feed_bad(&s, NATS_FRAME_INFO, "{\"headers\"", false, ERR_PROTOCOL);
}

TEST(nats_session_refuses_a_pong_before_its_time)
{
    struct nats_session s = started(&plain);
    feed_bad(&s, NATS_FRAME_PONG, "", false, ERR_PROTOCOL);
}

TEST(nats_session_silence_after_accept_hints_at_tls_first)
{
    struct nats_session s = started(&plain);
    EXPECT_I64(nats_session_deadline(&s), 5 * S);
    EXPECT_I64(nats_session_tick(&s, 5 * S - 1, &out, &err), 0);
    EXPECT_I64(nats_session_tick(&s, 5 * S, &out, &err), -1);
    EXPECT(strstr(err.text, "handshake_first") != NULL);
    EXPECT_I64(nats_session_deadline(&s), INT64_MAX);
}

TEST(nats_session_silence_after_connect_is_bounded_too)
{
    struct nats_session s = started(&plain);
    feed_frame(&s, NATS_FRAME_INFO, "{\"headers\":true}", false);
    nats_session_received(&s, 4 * S); /* bytes alone don't let us in */
    EXPECT_I64(nats_session_tick(&s, 5 * S, &out, &err), -1);
    EXPECT(err.code == ERR_NETWORK);
}

TEST(nats_session_starts_tls_and_then_connects)
{
    struct nats_options o = {.tls = NATS_TLS_REQUIRED};
    struct nats_session s = started(&o);
    EXPECT(feed_frame(&s, NATS_FRAME_INFO, "{\"headers\":true,\"tls_available\":true}", false) ==
           NATS_SESSION_START_TLS);
    EXPECT_U64(out.len, 0); /* no credentials in clear */
    EXPECT_I64(nats_session_tls_done(&s, &out, &err), 0);
    EXPECT(strstr(buf_text(&out), "\"tls_required\":true") != NULL);
}

TEST(nats_session_does_not_downgrade_from_tls)
{
    struct nats_options o = {.tls = NATS_TLS_REQUIRED};
    struct nats_session s = started(&o);
    feed_bad(&s, NATS_FRAME_INFO, "{\"headers\":true}", false, ERR_REFUSED);
    EXPECT_U64(out.len, 0);
}

TEST(nats_session_bytes_between_info_and_tls_are_an_attack)
{
    struct nats_options o = {.tls = NATS_TLS_REQUIRED};
    struct nats_session s = started(&o);
    feed_bad(&s, NATS_FRAME_INFO, "{\"headers\":true,\"tls_required\":true}", true, ERR_PROTOCOL);
}

TEST(nats_session_without_tls_refuses_a_server_that_requires_it)
{
    struct nats_session s = started(&plain);
    feed_bad(&s, NATS_FRAME_INFO, "{\"headers\":true,\"tls_required\":true}", false, ERR_REFUSED);
    EXPECT_U64(out.len, 0);
}

TEST(nats_session_after_tls_first_connects_at_once)
{
    struct nats_options o = {.tls = NATS_TLS_FIRST};
    struct nats_session s = started(&o);
    EXPECT(feed_frame(&s, NATS_FRAME_INFO, "{\"headers\":true,\"tls_required\":true}", false) ==
           NATS_SESSION_NOTHING);
    EXPECT(s.state == NATS_SESSION_WAIT_PONG);
}

TEST(nats_session_a_jwt_longer_than_the_line_is_an_error_of_its_own)
{
    char jwt[5000];
    memset(jwt, 'j', sizeof jwt);
    jwt[sizeof jwt - 1] = '\0';
    struct nats_options o = {.credentials = {.jwt = jwt}};
    struct nats_session s = started(&o);
    feed_bad(&s, NATS_FRAME_INFO, "{\"headers\":true}", false, ERR_LIMIT);
}

TEST(nats_session_answers_ping)
{
    struct nats_session s = ready();
    EXPECT(feed_frame(&s, NATS_FRAME_PING, "", false) == NATS_SESSION_NOTHING);
    EXPECT(feed_frame(&s, NATS_FRAME_OK, "", false) == NATS_SESSION_NOTHING);
    EXPECT_TEXT(buf_text(&out), "PONG\r\n");
}

TEST(nats_session_ping_flood_does_not_fill_memory)
{
    struct nats_session s = ready();
    for (int i = 0; i < 1000 * 1000; i++)
        feed_frame(&s, NATS_FRAME_PING, "", false);
    EXPECT(out.len <= NATS_PONG_BACKLOG_MAX + 6);
}

TEST(nats_session_pings_after_ten_silent_seconds_and_gives_up_after_thirty)
{
    struct nats_session s = ready();
    EXPECT_I64(nats_session_deadline(&s), 10 * S);
    EXPECT_I64(nats_session_tick(&s, 10 * S - 1, &out, &err), 0);
    EXPECT_U64(out.len, 0);
    EXPECT_I64(nats_session_tick(&s, 10 * S, &out, &err), 0);
    EXPECT_TEXT(buf_text(&out), "PING\r\n");
    EXPECT_I64(nats_session_deadline(&s), 20 * S);
    EXPECT_I64(nats_session_tick(&s, 10 * S + 1, &out, &err), 0);
    EXPECT_I64(nats_session_tick(&s, 20 * S, &out, &err), 0);
    EXPECT_TEXT(buf_text(&out), "PING\r\nPING\r\n");
    EXPECT_I64(nats_session_deadline(&s), 30 * S);
    EXPECT_I64(nats_session_tick(&s, 30 * S, &out, &err), -1);
    EXPECT(err.code == ERR_NETWORK && s.state == NATS_SESSION_DEAD);
}

TEST(nats_session_any_byte_is_a_sign_of_life)
{
    struct nats_session s = ready();
    EXPECT_I64(nats_session_tick(&s, 10 * S, &out, &err), 0);
    EXPECT_I64(nats_session_tick(&s, 20 * S, &out, &err), 0);
    nats_session_received(&s, 25 * S);
    EXPECT_I64(nats_session_deadline(&s), 35 * S);
    EXPECT_I64(nats_session_tick(&s, 34 * S, &out, &err), 0);
}

TEST(nats_session_after_a_stop_of_this_process_the_server_still_has_time_to_answer)
{
    struct nats_session s = ready();
    EXPECT_I64(nats_session_tick(&s, 100 * S, &out, &err), 0);
    EXPECT_I64(nats_session_tick(&s, 100 * S + 1, &out, &err), 0);
    EXPECT_TEXT(buf_text(&out), "PING\r\n");
    EXPECT_I64(nats_session_deadline(&s), 110 * S);
    EXPECT_I64(nats_session_tick(&s, 110 * S, &out, &err), 0);
    EXPECT_I64(nats_session_tick(&s, 120 * S, &out, &err), -1);
}

TEST(nats_session_probe_wants_a_pong_within_five_seconds)
{
    struct nats_session s = ready();
    nats_session_probe(&s, 1 * S, &out);
    nats_session_probe(&s, 2 * S, &out); /* one is enough */
    EXPECT_TEXT(buf_text(&out), "PING\r\n");
    EXPECT_I64(nats_session_deadline(&s), 6 * S);
    nats_session_received(&s, 3 * S); /* data is not what was asked for */
    EXPECT_I64(nats_session_tick(&s, 6 * S, &out, &err), -1);
    s = ready();
    nats_session_probe(&s, 1 * S, &out);
    feed_frame(&s, NATS_FRAME_PONG, "", false);
    err_clear(&err);
    EXPECT_I64(nats_session_tick(&s, 6 * S, &out, &err), 0);
}

TEST(nats_session_later_info_and_lame_duck)
{
    struct nats_session s = ready();
    EXPECT(feed_frame(&s, NATS_FRAME_INFO, "{\"headers\":true,\"connect_urls\":[\"b:1\"]}",
                      false) == NATS_SESSION_NEW_INFO);
    EXPECT_U64(s.info.url_count, 1);
    EXPECT(feed_frame(&s, NATS_FRAME_INFO, "{\"headers\":true,\"ldm\":true}", false) ==
           NATS_SESSION_LAME_DUCK);
    EXPECT(s.state == NATS_SESSION_READY);
    EXPECT_U64(out.len, 0);
}

TEST(nats_session_errors_that_close_and_that_do_not)
{
    struct nats_session s = ready();
    EXPECT(feed_frame(&s, NATS_FRAME_ERROR, "Permissions Violation for Publish to \"x\"", false) ==
           NATS_SESSION_ERROR);
    EXPECT(!server_error.closes && s.state == NATS_SESSION_READY);
    EXPECT(feed_frame(&s, NATS_FRAME_ERROR, "Stale Connection", false) == NATS_SESSION_ERROR);
    EXPECT(server_error.closes && s.state == NATS_SESSION_DEAD);
}

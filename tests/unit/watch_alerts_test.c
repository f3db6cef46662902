/* SPDX-License-Identifier: MIT */
#include "watch/alerts.h"

#include <stdio.h>

#include "event/event.h"
#include "test.h"

#define QUIET (3 * CLOCK_SECOND)

/* Alerts of a pipeline with one source, and a client whose output nobody reads. */
static struct alerts alerts;
static struct nats_client client;
static int64_t now = CLOCK_SECOND;

static void start(const char *subject)
{
    static const struct nats_options options = {.name = "x", .version = "1"};
    static const uint64_t key[2] = {1, 2};
    alerts_init(&alerts, subject, "instance", "worker", 1, QUIET, key);
    nats_client_start(&client, &options, now);
    client.session.info.headers = true;
    buf_reset(&client.out);
}

static void finish(void)
{
    alerts_free(&alerts);
    nats_client_free(&client);
}

static int64_t next_tick; /* as alerts_tick said */

static void tick(void)
{
    next_tick = alerts_tick(&alerts, &client, now);
}

static void reply(uint64_t request, enum nats_outcome outcome, const char *payload)
{
    struct nats_event event = {.kind = NATS_EVENT_REPLY,
                               .request = request,
                               .outcome = outcome,
                               .payload = slice_of(payload)};
    EXPECT(alerts_reply(&alerts, &event, now));
}

static void stored(uint64_t request)
{
    reply(request, NATS_OUTCOME_REPLY, "{\"stream\":\"OPS\",\"seq\":1}");
}

/* The event that was published last, after a protocol line and the header. */
static struct event published(struct event_decoder *decoder)
{
    static const char end_of_header[] = "\r\n\r\n";
    struct event event;
    const uint8_t *header =
        memmem(client.out.data, client.out.len, end_of_header, sizeof(end_of_header) - 1);
    EXPECT(header != NULL);
    const uint8_t *payload = header + sizeof(end_of_header) - 1;
    size_t len = client.out.len - (size_t)(payload - client.out.data) - 2;
    EXPECT(event_decode(decoder, (struct slice){payload, len}, slice_of("x"), &event) == EVENT_OK);
    buf_reset(&client.out);
    return event;
}

static bool member_is(struct slice payload, const char *name, const char *value)
{
    struct arena arena = {0};
    struct err err = {0};
    struct slice text;
    bool is =
        json_get_text(json_parse(&arena, payload, &err), name, &text) && slice_is(text, value);
    arena_free(&arena);
    return is;
}

TEST(alerts_publish_once_and_resolve_once)
{
    struct event_decoder decoder = {0};
    start("ops.alerts");
    for (int i = 0; i < 3; i++) {
        alerts_raise(&alerts, ALERT_DISK_LOW, NULL, "full", now);
        tick();
    }
    EXPECT_U64(alerts.count, 1);
    EXPECT(slice_starts_with(buf_slice(&client.out), "HPUB ops.alerts "));
    struct event raised = published(&decoder);
    EXPECT(slice_is(raised.event_type_key, "logging.alert.disk_low.v1"));
    EXPECT(slice_is(raised.payload_format_hint, "application/json"));
    EXPECT(slice_is(raised.worker_id, "worker"));
    EXPECT(member_is(raised.event_payload, "alert", "disk_low"));
    EXPECT(member_is(raised.event_payload, "state", "raised"));
    EXPECT(member_is(raised.event_payload, "text", "full"));
    EXPECT(member_is(raised.event_payload, "instance", "instance"));
    stored(alerts.list[0].request);
    tick();
    EXPECT_U64(client.out.len, 0); /* nothing new */
    EXPECT(alerts_stands(&alerts, ALERT_DISK_LOW, NULL));
    alerts_resolve(&alerts, ALERT_DISK_LOW, NULL);
    alerts_resolve(&alerts, ALERT_DISK_LOW, NULL);
    EXPECT(!alerts_stands(&alerts, ALERT_DISK_LOW, NULL));
    tick();
    EXPECT(member_is(published(&decoder).event_payload, "state", "resolved"));
    stored(alerts.list[0].request);
    tick();
    EXPECT_U64(alerts.count, 0);
    EXPECT_U64(client.out.len, 0);
    event_decoder_free(&decoder);
    finish();
}

/* Both events name their alert; each has an id of its own, the same each time it is sent. */
TEST(alerts_ids)
{
    struct event_decoder decoder = {0};
    struct buf id = {0}, correlation = {0};
    start("a");
    alerts_raise(&alerts, ALERT_STREAM_MISSING, "S", "t", now);
    tick();
    struct event event = published(&decoder);
    buf_append_slice(&id, event.event_id);
    buf_append_slice(&correlation, event.correlation_id);
    alerts_restart(&alerts);
    tick();
    event = published(&decoder);
    EXPECT(slice_equal(event.event_id, buf_slice(&id)));
    EXPECT(member_is(event.event_payload, "stream", "S"));
    stored(alerts.list[0].request);
    alerts_resolve(&alerts, ALERT_STREAM_MISSING, "S");
    tick();
    event = published(&decoder);
    EXPECT(!slice_equal(event.event_id, buf_slice(&id)));
    EXPECT(slice_equal(event.correlation_id, buf_slice(&correlation)));
    buf_free(&id);
    buf_free(&correlation);
    event_decoder_free(&decoder);
    finish();
}

/* What happened without a connection is published with one, with how long it took. */
TEST(alerts_wait_for_the_connection)
{
    struct event_decoder decoder = {0};
    start("a");
    alerts_raise(&alerts, ALERT_NATS_DISCONNECTED, NULL, "lost", now);
    next_tick = alerts_tick(&alerts, NULL, now);
    alerts_resolve(&alerts, ALERT_NATS_DISCONNECTED, NULL);
    alerts.list[0].until = alerts.list[0].since + 1500 * CLOCK_MILLISECOND;
    next_tick = alerts_tick(&alerts, NULL, now);
    EXPECT_U64(alerts.count, 1);
    tick();
    struct event event = published(&decoder);
    EXPECT(member_is(event.event_payload, "state", "raised"));
    EXPECT(memmem(event.event_payload.data, event.event_payload.len, "\"seconds\":1.500", 15) !=
           NULL);
    EXPECT_I64(event.timestamp_ns, alerts.list[0].since);
    tick();
    EXPECT_U64(client.out.len, 0); /* one after the other */
    stored(alerts.list[0].request);
    tick();
    event = published(&decoder);
    EXPECT(member_is(event.event_payload, "state", "resolved"));
    EXPECT_I64(event.timestamp_ns, alerts.list[0].until);
    event_decoder_free(&decoder);
    finish();
}

/* What stands for nothing is published once, and two of a kind are two. */
TEST(alerts_announced)
{
    struct event_decoder decoder = {0};
    start("a");
    alerts_announce(&alerts, ALERT_RUN_CLOSED, "sim-1", "it is over");
    EXPECT(!alerts_stands(&alerts, ALERT_RUN_CLOSED, NULL));
    tick();
    struct event event = published(&decoder);
    EXPECT(slice_equal(event.event_type_key, slice_of("logging.alert.run_closed.v1")));
    EXPECT(member_is(event.event_payload, "state", "raised"));
    EXPECT(member_is(event.event_payload, "simulation_id", "sim-1"));
    EXPECT(memmem(event.event_payload.data, event.event_payload.len, "until", 5) == NULL);
    alerts_announce(&alerts, ALERT_RUN_CLOSED, "sim-2", "it is over");
    EXPECT_U64(alerts.count, 2);
    stored(alerts.list[0].request);
    tick();
    EXPECT_U64(alerts.count, 1);
    EXPECT_TEXT(alerts.list[0].simulation, "sim-2");
    stored(alerts.list[0].request);
    tick();
    EXPECT_U64(alerts.count, 0);
    event_decoder_free(&decoder);
    finish();
}

TEST(alerts_streams_are_separate)
{
    start("a");
    char first[] = "S", again[] = "S"; /* the text counts, not the address */
    alerts_raise(&alerts, ALERT_STREAM_MISSING, first, "t", now);
    alerts_raise(&alerts, ALERT_STREAM_MISSING, again, "t", now);
    alerts_raise(&alerts, ALERT_STREAM_MISSING, "T", "t", now);
    alerts_raise(&alerts, ALERT_DATA_LOST, "T", "t", now);
    EXPECT_U64(alerts.count, 3);
    alerts_resolve(&alerts, ALERT_STREAM_MISSING, again);
    EXPECT(!alerts_stands(&alerts, ALERT_STREAM_MISSING, "S"));
    EXPECT(alerts_stands(&alerts, ALERT_STREAM_MISSING, "T"));
    finish();
}

/* What has no end of its own ends when it was not seen for a while. */
TEST(alerts_quiet)
{
    start("");
    alerts_raise(&alerts, ALERT_DEAD_LETTERS, "S", "t", now);
    alerts_raise(&alerts, ALERT_DISK_LOW, NULL, "t", now);
    tick();
    EXPECT_I64(next_tick, now + QUIET);
    now += QUIET - 1;
    tick();
    alerts_raise(&alerts, ALERT_DEAD_LETTERS, "S", "t", now);
    now += QUIET - 1;
    tick();
    EXPECT(alerts_stands(&alerts, ALERT_DEAD_LETTERS, "S"));
    now += 1;
    tick();
    EXPECT(!alerts_stands(&alerts, ALERT_DEAD_LETTERS, "S"));
    EXPECT(alerts_stands(&alerts, ALERT_DISK_LOW, NULL));
    EXPECT_U64(alerts.count, 1); /* without a subject nothing waits */
    EXPECT_U64(client.out.len, 0);
    finish();
}

static void expect_taken(enum nats_outcome outcome, const char *payload, bool taken)
{
    start("a");
    alerts_raise(&alerts, ALERT_DISK_LOW, NULL, "t", now);
    tick();
    reply(alerts.list[0].request, outcome, payload);
    EXPECT(alerts.list[0].raised == taken);
    finish();
}

TEST(alerts_outcomes)
{
    expect_taken(NATS_OUTCOME_REPLY, "{\"stream\":\"OPS\",\"seq\":1}", true);
    expect_taken(NATS_OUTCOME_REPLY, "{\"stream\":\"OPS\",\"seq\":1,\"duplicate\":true}", true);
    expect_taken(NATS_OUTCOME_REPLY, "thanks", true); /* from a subscriber */
    expect_taken(NATS_OUTCOME_TIMEOUT, "", true);     /* from nobody: subscribers are silent */
    expect_taken(NATS_OUTCOME_NO_RESPONDERS, "", false);
    expect_taken(NATS_OUTCOME_STATUS, "", false);
    expect_taken(NATS_OUTCOME_REPLY,
                 "{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"full\"}}", false);
}

TEST(alerts_retry)
{
    start("a");
    alerts_raise(&alerts, ALERT_DISK_LOW, NULL, "t", now);
    for (int i = 0; i < ALERT_ATTEMPTS; i++) {
        tick();
        EXPECT(alerts.list[0].request != 0);
        reply(alerts.list[0].request, NATS_OUTCOME_NO_RESPONDERS, "");
        EXPECT(alerts.list[0].raised == (i + 1 == ALERT_ATTEMPTS));
        tick();
        EXPECT_U64(alerts.list[0].request, 0); /* not at once */
        now += ALERT_RETRY;
    }
    EXPECT(alerts_stands(&alerts, ALERT_DISK_LOW, NULL));
    finish();
}

TEST(alerts_foreign_reply)
{
    struct nats_event event = {.kind = NATS_EVENT_REPLY, .request = 0};
    start("a");
    alerts_raise(&alerts, ALERT_DISK_LOW, NULL, "t", now);
    EXPECT(!alerts_reply(&alerts, &event, now));
    finish();
}

/* A flapping cause while nobody can be told: the oldest that is over goes, what stands stays. */
TEST(alerts_too_many_wait)
{
    start("a");
    alerts_raise(&alerts, ALERT_STREAM_MISSING, "S", "t", now);
    for (int i = 0; i < 1000; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "%d", i);
        alerts_raise(&alerts, ALERT_COMMIT_FAILED, NULL, text, now);
        alerts_resolve(&alerts, ALERT_COMMIT_FAILED, NULL);
        next_tick = alerts_tick(&alerts, NULL, now);
    }
    EXPECT_U64(alerts.count, ALERT_KINDS + ALERTS_WAITING_MAX);
    EXPECT(alerts_stands(&alerts, ALERT_STREAM_MISSING, "S"));
    EXPECT_TEXT(alerts.list[alerts.count - 1].text, "999");
    char oldest[16];
    (void)snprintf(oldest, sizeof(oldest), "%d", 1000 - (ALERT_KINDS + ALERTS_WAITING_MAX - 1));
    EXPECT_TEXT(alerts.list[1].text, oldest);
    finish();
}

TEST(alerts_texts_are_cut_and_escaped)
{
    struct event_decoder decoder = {0};
    char text[1000];
    memset(text, 'x', sizeof(text));
    memcpy(text, "\"\\\n\xff", 4);
    text[sizeof(text) - 1] = '\0';
    start("a");
    alerts_raise(&alerts, ALERT_DISK_LOW, NULL, text, now);
    tick();
    struct arena arena = {0};
    struct err err = {0};
    struct slice got;
    EXPECT(
        json_get_text(json_parse(&arena, published(&decoder).event_payload, &err), "text", &got));
    EXPECT_U64(got.len, ALERT_TEXT_MAX - 1 + 2); /* U+FFFD has three bytes */
    EXPECT(slice_starts_with(got, "\"\\\n\xef\xbf\xbdx"));
    arena_free(&arena);
    event_decoder_free(&decoder);
    finish();
}

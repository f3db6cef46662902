/* SPDX-License-Identifier: MIT */
#include "drain/source.h"

#include "drain/source_floor.h"
#include "source_fixture.h"

static const struct stage_consumer fresh = {.pending = 10};
static const char no_message[] =
    "{\"error\":{\"code\":404,\"err_code\":10037,\"description\":\"none\"}}";

TEST(source_asks_for_stream_and_consumer_and_pulls)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    EXPECT_I64(stage_count(&s, "PUB $JS.API.CONSUMER.MSG.NEXT.S.c "), 1);
    stage_deliver(&s, 1, 1, 1);
    EXPECT_I64(s.verdict, LEDGER_NEW);
    stage_deliver(&s, 2, 2, 1);
    EXPECT_I64(s.verdict, LEDGER_NEW);
    EXPECT_U64(s.source.counters.messages_received, 2);
    stage_close(&s);
}

TEST(source_makes_a_consumer_that_is_not_there)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    source_connected(&s.source, &s.client, s.now);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 10);
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer(&s, "{\"error\":{\"code\":404,\"err_code\":10014,\"description\":\"none\"}}");
    stage_expect_question(&s, "CONSUMER.CREATE.S.c.e");
    stage_answer_consumer(&s, fresh);
    stage_confirm(&s, 10);
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    stage_close(&s);
}

/* A rate that the server answers must not set ours: it is tried again, later and later. */
TEST(source_waits_longer_and_longer_for_a_stream)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    source_connected(&s.source, &s.client, s.now);
    int64_t pause = SOURCE_RETRY_MIN;
    for (int i = 0; i < 8; i++) {
        stage_expect_question(&s, "STREAM.INFO.S");
        stage_answer(&s, "{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"no\"}}");
        EXPECT_I64(s.source.state, SOURCE_RETRY);
        int64_t due = s.now + pause;
        EXPECT_I64(stage_tick(&s, 0), due);
        EXPECT_I64(stage_tick(&s, pause - 1), due);
        (void)stage_tick(&s, 1);
        pause = pause * 2 > SOURCE_RETRY_MAX ? SOURCE_RETRY_MAX : pause * 2;
    }
    EXPECT((s.source.standing & 1u << SOURCE_ALERT_STREAM_MISSING) != 0);
    EXPECT(stage_logged(&s, "source_waiting"));
    stage_close(&s);
}

TEST(source_says_when_jetstream_answers_with_a_status)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    source_connected(&s.source, &s.client, s.now);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_status(&s, "429 Too Many Requests");
    EXPECT(stage_logged(&s, "JetStream answered with a status instead of a reply"));
    EXPECT_I64(s.source.state, SOURCE_RETRY);
    (void)stage_tick(&s, SOURCE_RETRY_MIN);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_close(&s);
}

TEST(source_says_when_jetstream_does_not_answer)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    source_connected(&s.source, &s.client, s.now);
    (void)stage_tick(&s, SOURCE_REQUEST_TIMEOUT);
    EXPECT(stage_logged(&s, "JetStream does not answer in time"));
    EXPECT_I64(s.source.state, SOURCE_RETRY);
    stage_close(&s);
}

TEST(source_retries_where_the_server_does_not_understand_our_pull)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_status(&s, "400 Bad Request", "");
    EXPECT(stage_logged(&s, "the server does not understand our pull requests"));
    EXPECT_I64(s.source.state, SOURCE_RETRY);
    EXPECT(!s.source.pull.open);
    (void)stage_tick(&s, SOURCE_RETRY_MIN);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_close(&s);
}

TEST(source_looks_after_a_consumer_that_has_fallen_silent)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    int64_t silent = s.now + 2 * NATS_PULL_HEARTBEAT + CLOCK_SECOND;
    EXPECT_I64(stage_tick(&s, 0), silent);
    (void)stage_tick(&s, silent - s.now - 1);
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    (void)stage_tick(&s, 1);
    EXPECT(stage_logged(&s, "the consumer has fallen silent"));
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 10);
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(&s, fresh);
    stage_confirm(&s, 10);
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    stage_close(&s);
}

TEST(source_goes_on_with_another_leader)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_deliver(&s, 1, 1, 1);
    stage_status(&s, "409 Leadership Change", "");
    EXPECT(stage_logged(&s, "the consumer has another leader"));
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    (void)stage_tick(&s, NATS_PULL_RETRY_PAUSE);
    EXPECT_I64(stage_count(&s, "PUB $JS.API.CONSUMER.MSG.NEXT.S.c "), 2);
    stage_deliver(&s, 2, 2, 1);
    EXPECT_I64(s.verdict, LEDGER_NEW);
    stage_close(&s);
}

/* The new one has forgotten deliveries and counts them anew: one of them goes to a second client
 * that we have not seen yet, and what follows has the next number that we expect. */
TEST(source_concludes_nothing_from_the_first_delivery_of_another_leader)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    s.source.covers_stream = false;
    stage_deliver(&s, 1, 1, 1);
    stage_deliver(&s, 2, 2, 1);
    stage_status(&s, "409 Leadership Change", "");
    (void)stage_tick(&s, NATS_PULL_RETRY_PAUSE);
    stage_deliver(&s, 5, 3, 1); /* 3 is the second one's, as its number 2 */
    EXPECT_I64(s.verdict, LEDGER_NEW);
    EXPECT(!ledger_is_taken(&s.source.generation.ledger, 3));
    stage_deliver(&s, 7, 4, 1); /* from here on it counts on */
    EXPECT(ledger_is_durable(&s.source.generation.ledger, 6));
    /* Whoever got 3 is gone, and the floor passes it: the stream has to say what it is. */
    struct nats_consumer_info info = {.delivered_consumer_seq = 4,
                                      .delivered_stream_seq = 7,
                                      .ack_floor_consumer_seq = 3,
                                      .ack_floor_stream_seq = 5,
                                      .ack_pending = 1};
    source_compare_floor(&s.source, &info, s.now);
    EXPECT_I64(s.source.refetch.state, REFETCH_ASKS);
    EXPECT_U64(s.source.refetch.range.first, 3);
    EXPECT_U64(s.source.refetch.range.last, 4);
    EXPECT(!ledger_is_taken(&s.source.generation.ledger, 3));
    stage_close(&s);
}

TEST(source_stays_while_the_server_is_shutting_down)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_status(&s, "409 Server Shutdown", "Nats-Pending-Messages: 1\r\n");
    EXPECT(stage_logged(&s, "the server is shutting down"));
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    source_lost(&s.source, s.now);
    EXPECT_I64(s.source.state, SOURCE_OFF);
    EXPECT(!s.source.pull.open);
    stage_close(&s);
}

/* Another consumer under the same name: its numbers must not meet our ledger. */
TEST(source_starts_over_where_deliveries_are_not_in_order)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_deliver(&s, 1, 1, 1);
    stage_deliver(&s, 2, 2, 1);
    stage_deliver(&s, 7, 1, 1);
    EXPECT_I64(s.verdict, LEDGER_VOID);
    EXPECT(stage_logged(&s, "deliveries are out of order"));
    stage_expect_question(&s, "STREAM.INFO.S");
    EXPECT(!ledger_is_taken(&s.source.generation.ledger, 7));
    stage_close(&s);
}

/* Without acks nothing comes twice by itself. */
TEST(source_asks_again_for_deliveries_without_acks_that_are_missing)
{
    struct stage s;
    stage_open(&s, CONFIG_POSITION);
    stage_pull(&s, 10, fresh);
    stage_deliver(&s, 1, 1, 1);
    stage_deliver(&s, 3, 3, 1);
    EXPECT_I64(s.verdict, LEDGER_VOID);
    EXPECT(stage_logged(&s, "deliveries are out of order"));
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 10);
    stage_expect_question(&s, "STREAM.MSG.GET.S");
    stage_answer_message(&s, 1, "2026-01-01T00:00:01Z");
    EXPECT(stage_count(&s, "\"opt_start_seq\":2") == 1);
    stage_close(&s);
}

TEST(source_starts_over_where_deliveries_were_lost)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_deliver(&s, 1, 1, 1);
    stage_status(&s, "100 Idle Heartbeat", "Nats-Last-Consumer: 1\r\n");
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    stage_status(&s, "100 Idle Heartbeat", "Nats-Last-Consumer: 4\r\n");
    EXPECT(stage_logged(&s, "deliveries were lost in transit"));
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 10);
    stage_expect_question(&s, "STREAM.MSG.GET.S");
    stage_answer_message(&s, 1, "2026-01-01T00:00:01Z");
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(&s, (struct stage_consumer){4, 4, 0, 4, 0, 6, NULL});
    stage_confirm(&s, 10);
    (void)stage_tick(&s, 1);
    EXPECT_I64(stage_count(&s, "-NAK"), 3); /* 2 to 4; 1 is in an epoch, which acks it */
    stage_close(&s);
}

/* What was delivered to a connection that was gone, and came again, was delivered to us: so the
 * next process does not take it for what others had. */
TEST(source_writes_that_what_came_again_was_delivered)
{
    static const struct seqset nothing;
    struct seqset rows = {0};
    struct position position;
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_deliver(&s, 1, 1, 1);
    stage_deliver(&s, 4, 4, 1);
    stage_deliver(&s, 2, 5, 2);
    stage_deliver(&s, 3, 6, 2);
    seqset_add_range(&rows, 1, 4);
    source_seal(&s.source, &rows, 4, STAGE_TIME + 4 * CLOCK_SECOND, &position);
    seqset_free(&position.above);
    source_committed(&s.source, STAGE_CREATED, &rows);
    source_seal(&s.source, &nothing, 0, 0, &position);
    EXPECT_U64(position.delivered, 6);
    seqset_free(&position.above);
    seqset_free(&rows);
    stage_close(&s);
}

/* Where others take messages, what is missing is not lost, and nothing is asked for again. */
TEST(source_sees_that_another_client_takes_messages)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_deliver(&s, 1, 1, 1);
    stage_deliver(&s, 3, 3, 1);
    EXPECT_I64(s.verdict, LEDGER_NEW);
    EXPECT(stage_logged(&s, "another client takes messages from this consumer"));
    EXPECT((s.source.standing & 1u << SOURCE_ALERT_CONSUMER_SHARED) != 0);
    stage_status(&s, "100 Idle Heartbeat", "Nats-Last-Consumer: 9\r\n");
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    EXPECT(!ledger_is_taken(&s.source.generation.ledger, 2));
    stage_close(&s);
}

TEST(source_looks_for_a_consumer_that_is_gone)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_status(&s, "409 Consumer Deleted", "");
    EXPECT(stage_logged(&s, "the consumer is gone"));
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_close(&s);
}

/* That the consumer has a filter proves nothing: somebody may have changed it since. */
TEST(source_looks_at_a_consumer_that_delivers_another_subject)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_deliver_of(&s, "other", 1, 1, 1);
    EXPECT_I64(s.verdict, LEDGER_VOID); /* and no ack */
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_close(&s);
}

/* Delivered by a filter that was there for a while, it comes again by the right one. */
TEST(source_acks_what_another_filter_has_left_over)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10,
               (struct stage_consumer){.delivered = 1, .delivered_stream = 4, .ack_pending = 1});
    s.source.filtered = true;
    stage_deliver_of(&s, "other", 4, 2, 2);
    EXPECT_I64(s.verdict, LEDGER_NOTHING);
    s.source.retention = NATS_RETENTION_WORKQUEUE; /* there it would be taken from others */
    stage_deliver_of(&s, "other", 3, 3, 2);
    EXPECT_I64(s.verdict, LEDGER_VOID);
    stage_close(&s);
}

TEST(source_refuses_a_push_consumer)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_status(&s, "409 Consumer is push based", "");
    EXPECT_I64(s.source.state, SOURCE_REFUSED);
    EXPECT(strstr(s.source.refusal.text, "push consumer") != NULL);
    EXPECT_I64(stage_tick(&s, 1), INT64_MAX);
    source_lost(&s.source, s.now);
    source_connected(&s.source, &s.client, s.now); /* that needs a human */
    EXPECT_I64(s.source.state, SOURCE_REFUSED);
    stage_close(&s);
}

TEST(source_waits_for_the_old_generation_to_be_sealed)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_deliver(&s, 1, 1, 1);
    stage_status(&s, "409 Consumer Deleted", "");
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, "2026-02-02T00:00:00Z", 1, 3);
    EXPECT(source_must_adopt(&s.source));
    EXPECT_I64(s.source.state, SOURCE_LEAVING);
    EXPECT_I64(stage_tick(&s, SOURCE_POLL_INTERVAL), INT64_MAX);
    source_lost(&s.source, s.now); /* which changes nothing */
    source_connected(&s.source, &s.client, s.now);
    EXPECT_I64(s.source.state, SOURCE_LEAVING);
    source_adopt(&s.source, &s.client, s.now);
    EXPECT(!source_must_adopt(&s.source));
    EXPECT_TEXT(buf_text(&s.source.generation.created), "2026-02-02T00:00:00Z");
    EXPECT_U64(ledger_taken_position(&s.source.generation.ledger), 0);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_close(&s);
}

/* What the consumer's answer says may be of another stream than what the stream's answer said. */
static void find_stream_made_again(bool consumer_was_there)
{
    struct stage s;
    struct position p = {.stream = "S",
                         .created = STAGE_CREATED,
                         .consumer = "c",
                         .through = 3,
                         .last_seq = 3,
                         .last_time = STAGE_TIME + 3 * CLOCK_SECOND};
    stage_open(&s, CONFIG_DURABLE);
    positions_put(&s.stored, &p);
    source_connected(&s.source, &s.client, s.now);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 4, 3); /* a work queue without what was acked */
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    if (!consumer_was_there) { /* it went with its stream */
        stage_answer(&s, "{\"error\":{\"code\":404,\"err_code\":10014,\"description\":\"none\"}}");
        stage_expect_question(&s, "CONSUMER.CREATE.S.c.e");
    }
    stage_answer_consumer(&s, (struct stage_consumer){.pending = 3});
    EXPECT_I64(stage_count(&s, "PUB $JS.API.CONSUMER.MSG.NEXT.S.c "), 0);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, "2026-02-02T00:00:00Z", 1, 3);
    EXPECT(source_must_adopt(&s.source));
    (void)stage_tick(&s, 1);
    EXPECT_I64(stage_count(&s, "PUB $JS.API.CONSUMER.MSG.NEXT.S.c "), 0);
    source_adopt(&s.source, &s.client, s.now);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, "2026-02-02T00:00:00Z", 1, 3);
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(&s, (struct stage_consumer){.pending = 3});
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, "2026-02-02T00:00:00Z", 1, 3);
    (void)stage_tick(&s, 1);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        stage_deliver(&s, seq, seq, 1);
        EXPECT_I64(s.verdict, LEDGER_NEW);
    }
    EXPECT_I64(stage_count(&s, "PUB $JS.ACK.S.c."), 0); /* none of them is in the store */
    stage_close(&s);
}

TEST(source_sees_a_stream_made_again_before_its_consumer_was_made)
{
    find_stream_made_again(false);
}

TEST(source_sees_a_stream_made_again_before_its_consumer_was_found)
{
    find_stream_made_again(true);
}

TEST(source_waits_for_a_stream_that_goes_while_it_is_set_up)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    source_connected(&s.source, &s.client, s.now);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 10);
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(&s, fresh);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer(&s, "{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"no\"}}");
    EXPECT_I64(s.source.state, SOURCE_RETRY);
    EXPECT((s.source.standing & 1u << SOURCE_ALERT_STREAM_MISSING) != 0);
    EXPECT(!s.source.pull.open);
    stage_close(&s);
}

/* The newest message of the generation, not of the epoch, tells whether the stream was set back. */
TEST(source_keeps_the_greatest_sequence_in_its_position)
{
    struct stage s;
    struct seqset rows = {0};
    struct position p;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    for (uint64_t seq = 1; seq <= 3; seq++)
        stage_deliver(&s, seq, seq, 1);
    seqset_add_range(&rows, 2, 3);
    source_seal(&s.source, &rows, 3, STAGE_TIME + 3, &p);
    EXPECT_U64(p.through, 0);
    EXPECT_U64(p.last_seq, 3);
    seqset_free(&p.above);
    seqset_reset(&rows);
    seqset_add_range(&rows, 1, 1);
    source_seal(&s.source, &rows, 1, STAGE_TIME + 1, &p);
    EXPECT_U64(p.through, 3);
    EXPECT_U64(p.last_seq, 3);
    EXPECT_I64(p.last_time, STAGE_TIME + 3);
    seqset_free(&p.above);
    seqset_free(&rows);
    stage_close(&s);
}

TEST(source_polls_the_infos_in_turn)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    s.asked_at = s.client.out.len;
    (void)stage_tick(&s, SOURCE_POLL_INTERVAL / 2);
    stage_status(&s, "100 Idle Heartbeat", "");
    (void)stage_tick(&s, SOURCE_POLL_INTERVAL / 2);
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(&s, (struct stage_consumer){.pending = 77});
    EXPECT_U64(s.source.counters.consumer_pending, 77);
    stage_status(&s, "100 Idle Heartbeat", "");
    (void)stage_tick(&s, SOURCE_POLL_INTERVAL / 2);
    stage_status(&s, "100 Idle Heartbeat", "");
    (void)stage_tick(&s, SOURCE_POLL_INTERVAL / 2);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 123);
    EXPECT_U64(s.source.counters.stream_last_sequence, 123);
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    stage_close(&s);
}

static void poll_says(struct stage *s, struct stage_consumer c)
{
    for (int asked = 0; asked < 2; asked++) {
        stage_status(s, "100 Idle Heartbeat", "");
        (void)stage_tick(s, SOURCE_POLL_INTERVAL / 2);
        stage_status(s, "100 Idle Heartbeat", "");
        (void)stage_tick(s, SOURCE_POLL_INTERVAL / 2);
        if (asked == 0) {
            stage_expect_question(s, "CONSUMER.INFO.S.c");
            stage_answer_consumer(s, c);
        } else {
            stage_expect_question(s, "STREAM.INFO.S");
            stage_answer_stream(s, STAGE_CREATED, 1, 10);
        }
    }
}

static void poll_consumer(struct stage *s, uint64_t waiting)
{
    poll_says(s, (struct stage_consumer){.waiting = waiting});
}

/* Of ten deliveries two are not durable, and three are held: the ack of one was lost. */
TEST(source_acks_once_more_what_is_durable_and_stays_unacked)
{
    struct stage s;
    struct stage_consumer holds = {
        .delivered = 10, .delivered_stream = 10, .floor = 2, .ack_pending = 3};
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    for (uint64_t seq = 1; seq <= 10; seq++)
        stage_deliver(&s, seq, seq, 1);
    seqset_add_range(&s.source.generation.ledger.durable, 1, 4);
    seqset_add_range(&s.source.generation.ledger.durable, 6, 9);
    poll_says(&s, holds);
    holds.floor = 3; /* acks come in */
    poll_says(&s, holds);
    holds.ack_pending = 2; /* what is not durable */
    poll_says(&s, holds);
    holds.ack_pending = 3;
    poll_says(&s, holds);
    EXPECT_I64(stage_count(&s, "PUB $JS.ACK.S.c."), 0);
    poll_says(&s, holds);
    (void)stage_tick(&s, 1);
    static const unsigned durable[] = {4, 6, 7, 8, 9};
    EXPECT_I64(stage_count(&s, "PUB $JS.ACK.S.c."), 5);
    for (size_t i = 0; i < 5; i++) {
        char ack[64];
        (void)snprintf(ack, sizeof(ack), "PUB $JS.ACK.S.c.1.%u.0.", durable[i]);
        EXPECT_I64(stage_count(&s, ack), 1);
    }
    EXPECT_I64(stage_count(&s, "-NAK"), 0);
    stage_close(&s);
}

/* Not one event comes; but more pulls wait than are ours, and that lasts. */
TEST(source_sees_another_client_that_is_idle)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    uint64_t ours = nats_pull_live(&s.source.pull);
    poll_consumer(&s, ours + 1); /* of one that was killed, for a while */
    poll_consumer(&s, ours);
    poll_consumer(&s, ours + 6);
    EXPECT(!stage_logged(&s, "consumer_shared"));
    poll_consumer(&s, ours + 6);
    EXPECT(stage_logged(&s, "consumer_shared"));
    stage_close(&s);
}

/* Somebody set headers_only: not one empty row, not one ack. */
TEST(source_stops_before_messages_without_bodies_are_taken)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_deliver_stripped(&s, 1, 1, 1);
    EXPECT_I64(s.verdict, LEDGER_VOID);
    EXPECT(!ledger_is_taken(&s.source.generation.ledger, 1));
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 10);
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(&s, (struct stage_consumer){.delivered = 1,
                                                      .delivered_stream = 1,
                                                      .ack_pending = 1,
                                                      .more = ",\"headers_only\":true"});
    EXPECT_I64(s.source.state, SOURCE_REFUSED);
    EXPECT(strstr(s.source.refusal.text, "it delivers headers only") != NULL);
    stage_close(&s);
}

/* A publisher can write that header: it must not keep us from going on. */
TEST(source_takes_an_event_that_only_looks_stripped)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_deliver_stripped(&s, 1, 1, 1);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 10);
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(
        &s, (struct stage_consumer){.delivered = 1, .delivered_stream = 1, .ack_pending = 1});
    stage_confirm(&s, 10);
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    (void)stage_tick(&s, 1);
    stage_deliver_stripped(&s, 1, 2, 2);
    EXPECT_I64(s.verdict, LEDGER_NEW);
    stage_close(&s);
}

TEST(source_compares_the_consumer_at_each_poll)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    s.asked_at = s.client.out.len;
    (void)stage_tick(&s, SOURCE_POLL_INTERVAL / 2);
    stage_status(&s, "100 Idle Heartbeat", "");
    (void)stage_tick(&s, SOURCE_POLL_INTERVAL / 2);
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(&s, (struct stage_consumer){.more = ",\"headers_only\":true"});
    EXPECT(stage_logged(&s, "consumer_changed"));
    stage_expect_question(&s, "STREAM.INFO.S");
    EXPECT_I64(s.source.state, SOURCE_STREAM); /* in which nothing is acked */
    stage_close(&s);
}

/* Shared: what is durable is acked, always; the rest may be with others. */
TEST(source_acks_at_start_what_is_durable_of_a_shared_consumer)
{
    struct stage s;
    struct position p = {.stream = "S",
                         .created = STAGE_CREATED,
                         .consumer = "c",
                         .through = 3,
                         .last_seq = 3,
                         .last_time = STAGE_TIME + 3 * CLOCK_SECOND};
    stage_open(&s, CONFIG_DURABLE);
    positions_put(&s.stored, &p);
    s.config.sources[0].shared = true;
    source_connected(&s.source, &s.client, s.now);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 10);
    stage_expect_question(&s, "STREAM.MSG.GET.S");
    stage_answer_message(&s, 3, "2026-01-01T00:00:03Z");
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(
        &s, (struct stage_consumer){
                .delivered = 6, .delivered_stream = 6, .ack_pending = 6, .waiting = 2});
    stage_confirm(&s, 10);
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    (void)stage_tick(&s, 1);
    EXPECT_I64(stage_count(&s, "PUB $JS.ACK.S.c."), 3);
    /* with the number of no delivery, or a server before 2.10.14 moves its floor over what another
     * instance has got under that number and did not store */
    for (unsigned i = 1; i <= 3; i++) {
        char ack[64];
        (void)snprintf(ack, sizeof(ack), "PUB $JS.ACK.S.c.1.%u.0.", i);
        EXPECT_I64(stage_count(&s, ack), 1);
    }
    EXPECT_I64(stage_count(&s, "-NAK"), 0);
    stage_close(&s);
}

/* Over a new connection, with event 8 as the newest that is known. */
static void pull_again(struct stage *s, struct stage_consumer c)
{
    source_lost(&s->source, s->now);
    s->asked_at = s->client.out.len;
    source_connected(&s->source, &s->client, s->now);
    stage_expect_question(s, "STREAM.INFO.S");
    stage_answer_stream(s, STAGE_CREATED, 1, 10);
    stage_expect_question(s, "STREAM.MSG.GET.S");
    stage_answer_message(s, 8, "2026-01-01T00:00:08Z");
    stage_expect_question(s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(s, c);
    stage_confirm(s, 10);
    EXPECT_I64(s->source.state, SOURCE_PULLING);
    (void)stage_tick(s, 1);
}

/* Events wait for their commit when the consumer, which took one ack for all, is made anew with an
 * ack for each: it delivers them once more, here or to a connection that is gone. */
TEST(source_owes_acks_for_what_a_consumer_with_one_for_all_delivered)
{
    struct stage s;
    struct buf owed = {0};
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    s.source.ack = NATS_ACK_ALL;
    for (uint64_t seq = 1; seq <= 5; seq++)
        stage_deliver(&s, seq, seq, 1);
    ledger_nothing_at(&s.source.generation.ledger, 7, 7); /* of another subject */
    stage_deliver(&s, 8, 6, 1);
    EXPECT_U64(s.source.unlisted.count, 0);
    pull_again(&s, fresh); /* with an ack for each */
    seqset_write_text(&owed, &s.source.unlisted);
    EXPECT_TEXT(buf_text(&owed), "1-5,8");
    stage_deliver(&s, 1, 1, 1);
    EXPECT_I64(s.verdict, LEDGER_PENDING);
    pull_again(&s,
               (struct stage_consumer){.delivered = 1, .delivered_stream = 1, .ack_pending = 1});
    EXPECT_U64(seqset_size(&s.source.unlisted), 6); /* still */
    buf_free(&owed);
    stage_close(&s);
}

/* The first copy came by the consumer that fetches what the store lacks, and wants no ack. */
TEST(source_owes_an_ack_for_what_comes_again_before_it_is_durable)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    EXPECT(ledger_take(&s.source.generation.ledger, 2));
    stage_deliver(&s, 1, 1, 1);
    EXPECT_U64(s.source.unlisted.count, 0);
    stage_deliver(&s, 2, 2, 1);
    EXPECT_I64(s.verdict, LEDGER_PENDING);
    EXPECT(seqset_contains(&s.source.unlisted, 2));
    EXPECT_U64(seqset_size(&s.source.unlisted), 1);
    seqset_reset(&s.source.unlisted);
    s.source.ack = NATS_ACK_ALL; /* the next ack is for that, too */
    stage_deliver(&s, 2, 3, 2);
    EXPECT_U64(s.source.unlisted.count, 0);
    stage_close(&s);
}

/* Two of five deliveries were to another instance, and are in the store by it. */
TEST(source_accounts_for_what_others_had_stored_before_it_began)
{
    struct stage s;
    struct position own = {.stream = "S",
                           .created = STAGE_CREATED,
                           .consumer = "c",
                           .through = 3,
                           .last_seq = 3,
                           .last_time = STAGE_TIME + 3 * CLOCK_SECOND,
                           .delivered = 3};
    struct position all = {.stream = "S", .created = STAGE_CREATED, .consumer = ""};
    stage_open(&s, CONFIG_DURABLE);
    EXPECT(seqset_parse_text(&all.above, slice_of("1-3,6-7")));
    positions_put(&s.stored, &own);
    positions_put(&s.stored, &all);
    seqset_free(&all.above);
    source_connected(&s.source, &s.client, s.now);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 7);
    stage_expect_question(&s, "STREAM.MSG.GET.S");
    stage_answer_message(&s, 3, "2026-01-01T00:00:03Z");
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(
        &s, (struct stage_consumer){.delivered = 5, .delivered_stream = 7, .floor = 5});
    stage_confirm(&s, 7);
    EXPECT_I64(s.source.refetch.state, REFETCH_ASKS); /* 4 and 5 may be of other subjects */
    EXPECT_U64(s.source.refetch.expected, 0);
    stage_close(&s);
}

/* A server whose max_pending is small closes the connection without a word. */
TEST(source_asks_for_less_where_the_server_cuts_it_off)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_deliver(&s, 1, 1, 1);
    uint64_t on_the_way = nats_pull_outstanding(&s.source.pull);
    EXPECT(on_the_way > SOURCE_CUT_MIN);
    source_lost(&s.source, s.now + 1);
    source_connected(&s.source, &s.client, s.now + 2);
    EXPECT(stage_logged(&s, "pull_cut"));
    EXPECT_U64(s.source.pull_cap, on_the_way / 2);
    source_limit_pull(&s.source, UINT64_MAX, false);
    EXPECT_U64(s.source.pull.target, on_the_way / 2);
    stage_close(&s);
}

/* It was an accident, or the server has more room now: in time all is asked for again. One that
 * cuts again is tried less often. */
TEST(source_asks_for_more_again_where_the_server_does_not_cut_it_off)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_deliver(&s, 1, 1, 1);
    source_lost(&s.source, s.now + 1);
    source_connected(&s.source, &s.client, s.now + 2);
    int64_t cut = s.now + 2;
    uint64_t cap = s.source.pull_cap;
    source_raise_cap(&s.source, cut + SOURCE_CAP_PAUSE_MIN - 1);
    EXPECT_U64(s.source.pull_cap, cap);
    int64_t at = cut;
    for (int i = 0; i < 20 && s.source.pull_cap > 0; i++) {
        EXPECT_U64(s.source.pull_cap, cap << i);
        at += SOURCE_CAP_PAUSE_MIN;
        source_raise_cap(&s.source, at);
    }
    source_limit_pull(&s.source, UINT64_MAX, false);
    EXPECT_U64(s.source.pull.target, s.source.pull_target);
    s.source.cut_bytes = SOURCE_CUT_MIN;
    source_note_cut(&s.source, s.source.server, at);
    EXPECT_I64(s.source.cap_at, at + 2 * SOURCE_CAP_PAUSE_MIN);
    stage_close(&s);
}

/* An idle connection that ends, or another server behind it, says nothing about max_pending. */
TEST(source_asks_for_no_less_where_the_connection_just_ends)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 10, fresh);
    stage_deliver(&s, 1, 1, 1);
    source_lost(&s.source, s.now + SOURCE_CUT_WITHIN);
    source_connected(&s.source, &s.client, s.now);
    EXPECT_U64(s.source.pull_cap, 0);
    EXPECT(!stage_logged(&s, "pull_cut"));
    stage_close(&s);
}

/* The reply subject of the question that stands last in the output. */
static void find_reply(struct stage *s)
{
    const char *inbox = NULL;
    for (const char *at = buf_text(&s->client.out); (at = strstr(at, "_INBOX.")) != NULL; at++)
        inbox = at;
    EXPECT(inbox != NULL);
    (void)snprintf(s->reply, sizeof(s->reply), "%.*s", (int)strcspn(inbox, " "), inbox);
}

/* The consumer that fetches again was made: is the stream the one that it is wanted of? */
static void confirm_again(struct stage *s, const char *created)
{
    EXPECT_I64(s->source.refetch.state, REFETCH_CONFIRM);
    find_reply(s);
    stage_answer_stream(s, created, 1, 9);
}

/* A message to the consumer that fetches again. */
static void deliver_again(struct stage *s, uint64_t sequence, uint64_t consumer_seq,
                          uint64_t pending)
{
    char message[512];
    (void)snprintf(
        message, sizeof(message), "MSG e %llu $JS.ACK.S.x.1.%llu.%llu.%lld.%llu 1\r\nx\r\n",
        (unsigned long long)s->source.refetch.pull.slots[0].sid, (unsigned long long)sequence,
        (unsigned long long)consumer_seq,
        (long long)(STAGE_TIME + (int64_t)sequence * CLOCK_SECOND), (unsigned long long)pending);
    stage_receive(s, message);
}

/* An epoch without rows is sealed and committed, and finds out what others have stored (NULL:
 * nothing). */
static void stage_commit(struct stage *s, const char *others)
{
    static const struct seqset nothing;
    struct position position;
    source_seal(&s->source, &nothing, 0, 0, &position);
    seqset_free(&position.above);
    struct position known = {.stream = "S", .created = STAGE_CREATED, .consumer = ""};
    struct positions list = {0};
    EXPECT(others == NULL || seqset_parse_text(&known.above, slice_of(others)));
    positions_put(&list, &known);
    source_stored(&s->source, &list);
    source_committed(&s->source, STAGE_CREATED, &nothing);
    positions_free(&list);
    seqset_free(&known.above);
}

/* A consumer that has acked what an empty store never got, and the one that fetches it. */
static void begin_again(struct stage *s)
{
    stage_open(s, CONFIG_DURABLE);
    stage_pull(s, 9, (struct stage_consumer){.delivered = 5, .delivered_stream = 5, .floor = 5});
    EXPECT(source_wants_commit(&s->source)); /* perhaps others have stored it */
    stage_commit(s, NULL);
    (void)stage_tick(s, 1);
    EXPECT_I64(s->source.refetch.state, REFETCH_CREATING);
    EXPECT(stage_count(s, "\"opt_start_seq\":1") == 1);
    EXPECT(stage_count(s, "\"ack_policy\":\"none\"") == 1);
}

/* All of the range is in the stream, and none of it is ours. */
TEST(source_calls_nothing_lost_that_the_stream_has)
{
    struct stage s;
    begin_again(&s);
    find_reply(&s);
    stage_answer_consumer(&s, (struct stage_consumer){.pending = 0});
    confirm_again(&s, STAGE_CREATED);
    (void)stage_tick(&s, 1);
    EXPECT_I64(s.source.refetch.state, REFETCH_IDLE);
    EXPECT_U64(s.source.counters.lost, 0);
    EXPECT(!stage_logged(&s, "data_lost"));
    stage_close(&s);
}

TEST(source_fetches_again_what_the_store_lacks)
{
    struct stage s;
    begin_again(&s);
    s.deleted = 4;
    EXPECT(s.source.state == SOURCE_PULLING);
    stage_deliver(&s, 6, 6, 1); /* new ones come meanwhile */
    EXPECT_I64(s.verdict, LEDGER_NEW);
    const char *create = strstr(buf_text(&s.client.out), "CONSUMER.CREATE.S.c_");
    EXPECT(create != NULL);
    (void)snprintf(s.reply, sizeof(s.reply), "%.*s", (int)strcspn(strchr(create, ' ') + 1, " "),
                   strchr(create, ' ') + 1);
    stage_answer_consumer(&s, (struct stage_consumer){.pending = 4});
    confirm_again(&s, STAGE_CREATED);
    EXPECT_I64(s.source.refetch.state, REFETCH_PULLING);
    (void)stage_tick(&s, 1);
    deliver_again(&s, 2, 1, 3);
    EXPECT_I64(s.verdict, LEDGER_NEW);
    deliver_again(&s, 4, 3, 1); /* the one between was lost on the way */
    EXPECT_I64(s.verdict, LEDGER_VOID);
    EXPECT_I64(s.source.refetch.state, REFETCH_WAITS);
    (void)stage_tick(&s, REFETCH_RETRY_MIN);
    EXPECT(stage_count(&s, "\"opt_start_seq\":3") == 1);
    find_reply(&s);
    stage_answer_consumer(&s, (struct stage_consumer){.pending = 3});
    confirm_again(&s, STAGE_CREATED);
    (void)stage_tick(&s, 1);
    deliver_again(&s, 3, 1, 2);
    EXPECT_I64(s.verdict, LEDGER_NEW);
    deliver_again(&s, 6, 2, 1); /* behind the range: that is for the other consumer */
    EXPECT_I64(s.verdict, LEDGER_VOID);
    EXPECT_I64(s.source.refetch.state, REFETCH_DONE);
    (void)stage_tick(&s, 1);
    /* Five were acked, two are found; the others may be of other subjects, or gone. */
    EXPECT_U64(s.source.counters.lost, 3);
    EXPECT(stage_logged(&s, "data_lost"));
    EXPECT(source_wants_commit(&s.source));
    EXPECT(!ledger_is_durable(&s.source.generation.ledger, 2)); /* not before it is committed */
    stage_close(&s);
}

/* The consumer is on a server that lags behind: the one that leads the stream has the last word. */
TEST(source_asks_the_leader_where_a_consumer_finds_nothing_more)
{
    struct stage s;
    begin_again(&s);
    s.replicas = 3;
    find_reply(&s);
    stage_answer_consumer(&s, (struct stage_consumer){.pending = 0});
    confirm_again(&s, STAGE_CREATED);
    EXPECT_I64(s.source.refetch.state, REFETCH_SEARCHING);
    EXPECT_I64(stage_count(&s, "{\"seq\":1,\"next_by_subj\":\"e\"}"), 1);
    find_reply(&s);
    stage_answer_message(&s, 4, "2026-01-01T00:00:04Z");
    EXPECT_I64(s.source.refetch.state, REFETCH_WAITS);
    (void)stage_tick(&s, REFETCH_RETRY_MIN);
    EXPECT(stage_count(&s, "\"opt_start_seq\":1") == 2);
    find_reply(&s);
    stage_answer_consumer(&s, (struct stage_consumer){.pending = 1});
    confirm_again(&s, STAGE_CREATED);
    (void)stage_tick(&s, 1);
    deliver_again(&s, 4, 1, 0);
    EXPECT_I64(s.verdict, LEDGER_NEW);
    EXPECT_I64(s.source.refetch.state, REFETCH_SEARCHING);
    EXPECT_I64(stage_count(&s, "{\"seq\":5,\"next_by_subj\":\"e\"}"), 1);
    find_reply(&s);
    stage_answer(&s, no_message);
    (void)stage_tick(&s, 1);
    EXPECT_I64(s.source.refetch.state, REFETCH_IDLE);
    EXPECT_U64(s.source.counters.lost, 0);
    stage_close(&s);
}

/* It was deleted and made again since the source asked: what the consumer would give is of another
 * generation, whether it has anything for us or not. */
static void fetch_again_from_another(uint64_t pending)
{
    struct stage s;
    begin_again(&s);
    find_reply(&s);
    stage_answer_consumer(&s, (struct stage_consumer){.pending = pending});
    confirm_again(&s, "2026-02-02T00:00:00Z");
    EXPECT(!s.source.refetch.pull.open);
    EXPECT(source_must_adopt(&s.source));
    EXPECT(stage_count(&s, "CONSUMER.DELETE.S.c_") == 1);
    EXPECT(stage_logged(&s, "stream_recreated"));
    (void)stage_tick(&s, REFETCH_RETRY_MAX);
    EXPECT_U64(s.source.counters.lost, 0);
    s.asked_at = s.client.out.len;
    source_adopt(&s.source, &s.client, s.now);
    EXPECT_I64(s.source.refetch.state, REFETCH_IDLE);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_close(&s);
}

TEST(source_fetches_nothing_again_from_a_stream_made_again)
{
    fetch_again_from_another(4);
    fetch_again_from_another(0);
}

TEST(source_goes_on_fetching_again_after_a_lost_connection)
{
    struct stage s;
    begin_again(&s);
    source_lost(&s.source, s.now);
    EXPECT_I64(s.source.refetch.state, REFETCH_WAITS);
    s.asked_at = s.client.out.len;
    source_connected(&s.source, &s.client, s.now);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 9);
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(
        &s, (struct stage_consumer){.delivered = 5, .delivered_stream = 5, .floor = 5});
    stage_confirm(&s, 9);
    (void)stage_tick(&s, REFETCH_RETRY_MIN);
    EXPECT_I64(s.source.refetch.state, REFETCH_CREATING);
    EXPECT(stage_count(&s, "\"opt_start_seq\":1") == 2);
    stage_close(&s);
}

/* Another instance has acked them, and they are in the store: what it has stored is known when a
 * commit has looked, and nothing of it is fetched. */
TEST(source_fetches_nothing_that_others_have_stored)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 9, (struct stage_consumer){.delivered = 5, .delivered_stream = 5, .floor = 5});
    EXPECT(source_wants_commit(&s.source));
    stage_commit(&s, "1-5");
    (void)stage_tick(&s, 1);
    EXPECT_I64(s.source.refetch.state, REFETCH_IDLE);
    EXPECT_U64(s.source.counters.lost, 0);
    stage_deliver(&s, 4, 6, 2);
    EXPECT_I64(s.verdict, LEDGER_DURABLE);
    stage_close(&s);
}

/* The commit that was under way when the question came up may have looked before. */
TEST(source_waits_for_a_commit_that_was_sealed_later)
{
    static const struct seqset nothing;
    struct position position;
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    source_seal(&s.source, &nothing, 0, 0, &position);
    seqset_free(&position.above);
    stage_pull(&s, 9, (struct stage_consumer){.delivered = 5, .delivered_stream = 5, .floor = 5});
    source_committed(&s.source, STAGE_CREATED, &nothing);
    EXPECT_I64(s.source.refetch.state, REFETCH_ASKS);
    source_seal(&s.source, &nothing, 0, 0, &position);
    seqset_free(&position.above);
    EXPECT_I64(s.source.refetch.state, REFETCH_LOOKS);
    source_committed(&s.source, STAGE_CREATED, &nothing);
    EXPECT_I64(s.source.refetch.state, REFETCH_WAITS);
    stage_close(&s);
}

/* A store with 1-3 and 5 and a consumer that has acked five, of which five came here. */
static void pull_with_a_hole(struct stage *s, const char *more)
{
    stage_open(s, CONFIG_DURABLE);
    struct position known = {.stream = "S",
                             .created = STAGE_CREATED,
                             .consumer = "c",
                             .through = 3,
                             .last_seq = 5,
                             .last_time = STAGE_TIME + 5 * CLOCK_SECOND,
                             .delivered = 5};
    seqset_add_range(&known.above, 5, 5);
    positions_put(&s->stored, &known);
    seqset_free(&known.above);
    source_connected(&s->source, &s->client, s->now);
    stage_expect_question(s, "STREAM.INFO.S");
    stage_answer_stream(s, STAGE_CREATED, 1, 9);
    stage_expect_question(s, "STREAM.MSG.GET.S");
    stage_answer_message(s, 5, "2026-01-01T00:00:05Z");
    stage_expect_question(s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(
        s, (struct stage_consumer){
               .delivered = 5, .delivered_stream = 5, .floor = 5, .ack_pending = 1, .more = more});
    stage_confirm(s, 9);
    EXPECT_I64(s->source.state, SOURCE_PULLING);
}

/* What we know is acked, and dropped; what there is under lower numbers came later. */
TEST(source_sees_by_the_first_message_that_the_stream_was_set_back)
{
    struct stage s;
    pull_with_a_hole(&s, NULL);
    source_lost(&s.source, s.now);
    source_connected(&s.source, &s.client, s.now);
    s.first_time = "2026-01-01T00:00:20Z";
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 4, 9);
    stage_expect_question(&s, "STREAM.MSG.GET.S");
    stage_answer(&s, no_message);
    EXPECT_I64(s.source.state, SOURCE_LEAVING);
    stage_close(&s);
}

static void have_ten(struct stage *s)
{
    struct position p = {.stream = "S",
                         .created = STAGE_CREATED,
                         .consumer = "c",
                         .through = 10,
                         .last_seq = 10,
                         .last_time = STAGE_TIME + 10 * CLOCK_SECOND};
    stage_open(s, CONFIG_DURABLE);
    positions_put(&s->stored, &p);
}

/* In a cluster the consumer's leader may have delivered what the stream's does not have yet. */
TEST(source_waits_at_start_for_the_leader_of_the_stream)
{
    struct stage s;
    have_ten(&s);
    s.replicas = 3;
    source_connected(&s.source, &s.client, s.now);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 9);
    EXPECT_I64(s.source.state, SOURCE_RETRY);
    (void)stage_tick(&s, GENERATION_LAG / 2);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 1, 10);
    stage_expect_question(&s, "STREAM.MSG.GET.S");
    stage_answer_message(&s, 10, "2026-01-01T00:00:10Z");
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(&s, (struct stage_consumer){.delivered = 12, .delivered_stream = 12});
    stage_expect_question(&s, "STREAM.INFO.S"); /* and what that knows of is not gone */
    stage_answer_stream(&s, STAGE_CREATED, 1, 10);
    stage_expect_question(&s, "STREAM.MSG.GET.S");
    stage_answer_message(&s, 10, "2026-01-01T00:00:10Z");
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(&s, (struct stage_consumer){.delivered = 12, .delivered_stream = 12});
    EXPECT_I64(s.source.state, SOURCE_RETRY);
    stage_close(&s);
}

TEST(source_that_pulls_waits_for_the_leader_of_the_stream)
{
    static const uint64_t ends[] = {1, 0};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct stage s;
        stage_open(&s, CONFIG_DURABLE);
        s.replicas = 3;
        stage_pull(&s, 0, fresh);
        stage_deliver(&s, 1, 1, 1);
        s.source.poll.stream_next = true;
        s.asked_at = s.client.out.len;
        stage_status(&s, "100 Idle Heartbeat", "");
        (void)stage_tick(&s, SOURCE_POLL_INTERVAL / 2);
        stage_status(&s, "100 Idle Heartbeat", "");
        (void)stage_tick(&s, SOURCE_POLL_INTERVAL / 2);
        stage_expect_question(&s, "STREAM.INFO.S");
        stage_answer_stream(&s, STAGE_CREATED, 1, 0);
        EXPECT_I64(s.source.state, SOURCE_PULLING);
        (void)stage_tick(&s, SOURCE_END_INTERVAL);
        stage_expect_question(&s, "STREAM.INFO.S");
        stage_answer_stream(&s, STAGE_CREATED, 1, ends[i]);
        EXPECT_I64(s.source.state, SOURCE_PULLING);
        stage_status(&s, "100 Idle Heartbeat", "");
        (void)stage_tick(&s, GENERATION_LAG - SOURCE_END_INTERVAL);
        if (ends[i] == 0) {
            stage_expect_question(&s, "STREAM.INFO.S");
            stage_answer_stream(&s, STAGE_CREATED, 1, 0);
            EXPECT_I64(s.source.state, SOURCE_LEAVING); /* it was set back after all */
        }
        stage_close(&s);
    }
}

/* The newest of ten, all of which are durable, is not in a stream that begins as it did. */
static void find_newest_gone(struct stage *s, bool shared)
{
    have_ten(s);
    s->config.sources[0].shared = shared;
    source_connected(&s->source, &s->client, s->now);
    stage_expect_question(s, "STREAM.INFO.S");
    stage_answer_stream(s, STAGE_CREATED, 3, 12);
    stage_expect_question(s, "STREAM.MSG.GET.S");
    stage_answer(s, no_message);
    stage_expect_question(s, "STREAM.MSG.GET.S"); /* the middle of 3 to 9 */
    EXPECT_I64(stage_count(s, "{\"seq\":6,\"next_by_subj\":\">\"}"), 1);
}

/* It was set back: 3 to 7 are what we know, and unacked; 8 came later, and is not durable. */
TEST(source_acks_nothing_at_start_that_may_be_another_message)
{
    for (int shared = 0; shared < 2; shared++) {
        struct stage s;
        find_newest_gone(&s, shared);
        stage_answer_message(&s, 6, "2026-01-01T00:00:06Z");
        stage_expect_question(&s, "STREAM.MSG.GET.S");
        EXPECT_I64(stage_count(&s, "{\"seq\":8,\"next_by_subj\":\">\"}"), 1);
        stage_answer_message(&s, 8, "2026-01-01T00:00:20Z");
        EXPECT_I64(s.source.state, SOURCE_LEAVING);
        EXPECT_I64(stage_count(&s, "PUB $JS.ACK.S.c."), 0);
        stage_close(&s);
    }
}

/* Clocks of servers differ a little, and what is behind all that we know says nothing: then what is
 * durable is acked. */
TEST(source_acks_at_start_what_is_older_than_the_newest)
{
    struct stage s;
    find_newest_gone(&s, false);
    stage_answer_message(&s, 8, "2026-01-01T00:00:10.2Z");
    stage_expect_question(&s, "STREAM.MSG.GET.S");
    EXPECT_I64(stage_count(&s, "{\"seq\":9,\"next_by_subj\":\">\"}"), 1);
    stage_answer_message(&s, 12, "2026-01-01T00:00:20Z");
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(&s,
                          (struct stage_consumer){
                              .delivered = 8, .delivered_stream = 8, .floor = 6, .ack_pending = 2});
    stage_confirm(&s, 12);
    (void)stage_tick(&s, 1);
    EXPECT_I64(stage_count(&s, "PUB $JS.ACK.S.c."), 2);
    stage_close(&s);
}

/* As a leader leaves it that has forgotten deliveries and counts them anew. */
TEST(source_looks_at_a_hole_below_the_floor)
{
    struct stage s;
    pull_with_a_hole(&s, NULL);
    EXPECT_I64(s.source.refetch.state, REFETCH_ASKS);
    EXPECT_U64(s.source.refetch.range.first, 4);
    EXPECT_U64(s.source.refetch.range.last, 4);
    EXPECT(!ledger_is_taken(&s.source.generation.ledger, 4));
    stage_close(&s);
}

/* It may be of another subject; but of what the consumer had passed over before we came not even
 * that is known: the stream may have been another one then. */
TEST(source_looks_at_what_was_passed_over_before_it_came)
{
    struct stage s;
    pull_with_a_hole(&s, NULL);
    s.source.covers_stream = false;
    refetch_cancel(&s.source.refetch, &s.client);
    struct nats_consumer_info info = {.delivered_consumer_seq = 5,
                                      .delivered_stream_seq = 8,
                                      .ack_floor_consumer_seq = 5,
                                      .ack_floor_stream_seq = 5};
    source_compare_floor(&s.source, &info, s.now);
    EXPECT_I64(s.source.refetch.state, REFETCH_ASKS);
    EXPECT_U64(s.source.refetch.range.first, 4);
    EXPECT_U64(s.source.refetch.range.last, 4);
    EXPECT_U64(s.source.refetch.expected, 0);
    refetch_cancel(&s.source.refetch, &s.client);
    s.source.passed = 3; /* since then we see what it passes over */
    source_compare_floor(&s.source, &info, s.now);
    EXPECT_I64(s.source.refetch.state, REFETCH_IDLE);
    EXPECT(ledger_is_durable(&s.source.generation.ledger, 4));
    stage_close(&s);
}

/* Its floor is the last that was acked, and does not move with what it passes over. */
TEST(source_looks_behind_the_floor_where_all_is_acked)
{
    struct stage s;
    pull_with_a_hole(&s, NULL);
    s.source.covers_stream = false;
    refetch_cancel(&s.source.refetch, &s.client);
    struct nats_consumer_info info = {.delivered_consumer_seq = 5,
                                      .delivered_stream_seq = 8,
                                      .ack_floor_consumer_seq = 5,
                                      .ack_floor_stream_seq = 5,
                                      .ack_pending = 1};
    s.source.passed = 7;
    ledger_nothing_at(&s.source.generation.ledger, 4, 5);
    source_compare_floor(&s.source, &info, s.now);
    EXPECT_I64(s.source.refetch.state, REFETCH_IDLE);
    EXPECT(!ledger_is_durable(&s.source.generation.ledger, 6));
    info.ack_pending = 0;
    source_compare_floor(&s.source, &info, s.now);
    EXPECT_I64(s.source.refetch.state, REFETCH_ASKS);
    EXPECT_U64(s.source.refetch.range.first, 6);
    EXPECT_U64(s.source.refetch.range.last, 7);
    stage_close(&s);
}

/* A stream with a subject of others, too, of which one message is left. */
static void answer_purged_stream(struct stage *s, unsigned first)
{
    char json[512];
    stage_expect_question(s, "STREAM.INFO.S");
    (void)snprintf(json, sizeof(json),
                   "{\"config\":{\"name\":\"S\",\"subjects\":[\"e\",\"f\"],\"retention\":"
                   "\"limits\"},\"created\":\"" STAGE_CREATED
                   "\",\"state\":{\"messages\":1,\"first_seq\":%u,\"last_seq\":%u}}",
                   first, first);
    stage_answer(s, json);
}

/* Four of 1 to 5 were delivered and stored, and now nothing of that is in the stream. */
static void pull_from_a_purged_stream(struct stage *s, unsigned first, uint64_t delivered)
{
    struct position known = {.stream = "S",
                             .created = STAGE_CREATED,
                             .consumer = "c",
                             .through = 3,
                             .last_seq = 5,
                             .last_time = STAGE_TIME + 5 * CLOCK_SECOND,
                             .delivered = 4};
    stage_open(s, CONFIG_DURABLE);
    seqset_add_range(&known.above, 5, 5);
    positions_put(&s->stored, &known);
    seqset_free(&known.above);
    source_connected(&s->source, &s->client, s->now);
    answer_purged_stream(s, first);
    EXPECT_U64(s->source.counters.lost, 0); /* not before the consumer was asked */
    stage_expect_question(s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(s, (struct stage_consumer){.delivered = delivered,
                                                     .delivered_stream = first - 1,
                                                     .floor = delivered});
    answer_purged_stream(s, first);
    EXPECT_I64(s->source.state, SOURCE_PULLING);
    EXPECT_I64(s->source.refetch.state, REFETCH_ASKS);
    (void)stage_tick(s, 1);
    stage_commit(s, NULL);
    (void)stage_tick(s, 1);
    EXPECT_I64(s->source.refetch.state, REFETCH_CREATING);
    find_reply(s);
    s->asked_at = s->client.out.len;
    stage_answer_consumer(s, (struct stage_consumer){.pending = 0});
    answer_purged_stream(s, first);
    (void)stage_tick(s, 1);
    EXPECT_I64(s->source.refetch.state, REFETCH_IDLE);
}

/* The consumer has delivered no more than what is stored: 4 was of others. */
TEST(source_calls_nothing_lost_that_was_never_delivered_and_passed_over)
{
    struct stage s;
    pull_from_a_purged_stream(&s, 6, 4);
    EXPECT_U64(s.source.counters.lost, 0);
    stage_close(&s);
}

TEST(source_calls_lost_what_was_delivered_and_dropped_before_it_was_stored)
{
    struct stage s;
    pull_from_a_purged_stream(&s, 6, 5);
    EXPECT_U64(s.source.counters.lost, 1);
    stage_close(&s);
}

/* 6 and 7 were delivered, too, and dropped: that is what the count of deliveries tells, not 4. */
TEST(source_counts_what_was_dropped_once)
{
    struct stage s;
    pull_from_a_purged_stream(&s, 8, 6);
    EXPECT_U64(s.source.counters.lost, 2);
    stage_close(&s);
}

/* What a stream had dropped before anything of it was known is not missing, also not for the next
 * process, which knows some. */
TEST(source_without_acks_begins_where_the_stream_does)
{
    struct stage s;
    struct position p;
    struct seqset rows = {0};
    stage_open(&s, CONFIG_POSITION);
    source_connected(&s.source, &s.client, s.now);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 27, 28);
    find_reply(&s);
    s.asked_at = s.client.out.len;
    stage_answer_consumer(&s, fresh);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer_stream(&s, STAGE_CREATED, 27, 28);
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    (void)stage_tick(&s, 1);
    stage_deliver(&s, 27, 1, 1);
    seqset_add(&rows, 27);
    source_seal(&s.source, &rows, 27, STAGE_TIME, &p);
    EXPECT_U64(p.through, 27);
    seqset_free(&p.above);
    seqset_free(&rows);
    stage_close(&s);
}

/* A work queue with the hole 4 has been asked whether there is something in it. */
static void search_queue(struct stage *s, uint64_t ack_pending)
{
    pull_with_a_hole(s, NULL);
    refetch_cancel(&s->source.refetch, &s->client);
    s->source.retention = NATS_RETENTION_WORKQUEUE;
    struct nats_consumer_info info = {.delivered_consumer_seq = 6,
                                      .ack_floor_consumer_seq = 6,
                                      .ack_floor_stream_seq = 6,
                                      .ack_pending = ack_pending};
    source_compare_floor(&s->source, &info, s->now);
    if (ack_pending > 0) {
        source_compare_floor(&s->source, &info, s->now + s->source.ack_wait);
        EXPECT_I64(s->source.refetch.state, REFETCH_IDLE);
        EXPECT(!seqset_contains(&s->source.generation.ledger.taken, 4));
        source_compare_floor(&s->source, &info, s->now + s->source.ack_wait + SOURCE_POLL_INTERVAL);
    }
    EXPECT_I64(s->source.refetch.state, REFETCH_ASKS); /* perhaps others have stored it */
    stage_commit(s, NULL);
    s->asked_at = s->client.out.len;
    (void)stage_tick(s, 1);
    stage_expect_question(s, "STREAM.MSG.GET.S");
    EXPECT_I64(stage_count(s, "{\"seq\":4,\"next_by_subj\":\"e\"}"), 1);
}

/* Where it has other subjects, too, what its consumer passed over may be of these, or of another
 * state of the stream: the queue knows. */
TEST(source_asks_a_work_queue_for_what_was_passed_over_before_it_came)
{
    struct stage s;
    pull_with_a_hole(&s, NULL);
    s.source.covers_stream = false;
    s.source.retention = NATS_RETENTION_WORKQUEUE;
    refetch_cancel(&s.source.refetch, &s.client);
    struct nats_consumer_info info = {.delivered_consumer_seq = 5,
                                      .delivered_stream_seq = 8,
                                      .ack_floor_consumer_seq = 5,
                                      .ack_floor_stream_seq = 5};
    source_compare_floor(&s.source, &info, s.now);
    EXPECT_I64(s.source.refetch.state, REFETCH_ASKS);
    EXPECT_U64(s.source.refetch.range.first, 4);
    EXPECT_U64(s.source.refetch.expected, 0);
    stage_close(&s);
}

/* The search goes on with the next hole, and ends where the queue has only what came later. */
TEST(source_finds_nothing_in_a_work_queue_that_has_only_what_is_known)
{
    struct stage s;
    pull_with_a_hole(&s, NULL);
    refetch_cancel(&s.source.refetch, &s.client);
    s.source.retention = NATS_RETENTION_WORKQUEUE;
    seqset_add(&s.source.generation.ledger.taken, 6);
    struct nats_consumer_info info = {
        .delivered_consumer_seq = 8, .ack_floor_consumer_seq = 8, .ack_floor_stream_seq = 7};
    source_compare_floor(&s.source, &info, s.now);
    stage_commit(&s, NULL);
    s.asked_at = s.client.out.len;
    (void)stage_tick(&s, 1);
    stage_expect_question(&s, "STREAM.MSG.GET.S");
    stage_answer_message(&s, 6, "2026-01-01T00:00:06Z"); /* received, and not acked yet */
    stage_expect_question(&s, "STREAM.MSG.GET.S");
    EXPECT_I64(stage_count(&s, "{\"seq\":7,\"next_by_subj\":\"e\"}"), 1);
    (void)stage_tick(&s, REFETCH_CONFIRM_TIMEOUT); /* nobody answers */
    EXPECT_I64(s.source.refetch.state, REFETCH_WAITS);
    (void)stage_tick(&s, REFETCH_RETRY_MIN);
    stage_expect_question(&s, "STREAM.MSG.GET.S");
    stage_answer_message(&s, 9, "2026-01-01T00:00:09Z");
    EXPECT_I64(s.source.refetch.state, REFETCH_DONE);
    (void)stage_tick(&s, 1);
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    EXPECT_I64(s.source.renew, SOURCE_RENEW_NOT);
    EXPECT(ledger_is_durable(&s.source.generation.ledger, 7));
    stage_close(&s);
}

/* One ack is for all up to a sequence: with the number of a delivery that is still owed it would
 * say to the next process that this one is acked, too. */
TEST(source_settles_at_start_no_more_than_is_durable)
{
    struct stage s;
    struct nats_consumer_info info = {.config = {.ack = NATS_ACK_ALL},
                                      .delivered_consumer_seq = 7,
                                      .delivered_stream_seq = 9,
                                      .ack_floor_consumer_seq = 2,
                                      .ack_floor_stream_seq = 3,
                                      .ack_pending = 5};
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 9, (struct stage_consumer){0});
    ledger_nothing_at(&s.source.generation.ledger, 0, 4);
    source_plan_recovery(&s.source, &info, s.now);
    EXPECT_U64(s.source.settled.stream_seq, 0); /* 4 may be of another subject */
    ledger_nothing_at(&s.source.generation.ledger, 5, 5);
    source_plan_recovery(&s.source, &info, s.now);
    EXPECT_U64(s.source.settled.stream_seq, 5);
    EXPECT_U64(s.source.settled.consumer_seq, 3);
    ledger_nothing_at(&s.source.generation.ledger, 6, 9);
    source_plan_recovery(&s.source, &info, s.now);
    EXPECT_U64(s.source.settled.stream_seq, 9);
    EXPECT_U64(s.source.settled.consumer_seq, 7);
    stage_close(&s);
}

/* Of 1 to 9 three were delivered to a connection that is gone, and so many come again. Then the
 * stream drops all of it. */
static uint64_t lost_after(uint64_t again, enum nats_ack_policy ack)
{
    struct stage s;
    struct nats_consumer_info info = {.config = {.ack = ack},
                                      .delivered_consumer_seq = 3,
                                      .delivered_stream_seq = 9,
                                      .ack_pending = 3};
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 9,
               (struct stage_consumer){.delivered = 3, .delivered_stream = 9, .ack_pending = 3});
    ledger_nothing_at(&s.source.generation.ledger, 0, 0);
    source_plan_recovery(&s.source, &info, s.now);
    for (uint64_t i = 1; i <= again; i++)
        stage_deliver(&s, 2 * i, 3 + i, 2);
    s.source.covers_stream = s.source.same_consumer = false;
    (void)source_count_dropped(&s.source, 10);
    uint64_t lost = s.source.counters.lost;
    stage_close(&s);
    return lost;
}

TEST(source_calls_nothing_lost_once_all_that_was_not_acked_has_come)
{
    EXPECT_U64(lost_after(3, NATS_ACK_ALL), 0);
    EXPECT_U64(lost_after(2, NATS_ACK_ALL), 7);
    EXPECT_U64(lost_after(3, NATS_ACK_EXPLICIT), 6); /* what is acked may be anywhere */
}

/* Somebody gives the consumer another filter and takes it back before the next poll: 2 to 4 are
 * passed over, as if they were not there. The stream says what they are, and nothing is acked
 * before. */
TEST(source_looks_at_what_the_consumer_passes_over)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 9, fresh);
    stage_deliver(&s, 1, 1, 1);
    stage_deliver(&s, 5, 2, 1);
    (void)stage_tick(&s, 1);
    EXPECT(!ledger_is_taken(&s.source.generation.ledger, 2));
    EXPECT_I64(s.source.refetch.state, REFETCH_ASKS);
    EXPECT_U64(s.source.refetch.range.first, 2);
    EXPECT_U64(s.source.refetch.range.last, 4);
    EXPECT_U64(s.source.refetch.expected, 0); /* they are not lost if they are not there */
    stage_deliver(&s, 7, 3, 1);               /* a stream may lose messages all the time */
    EXPECT(ledger_is_durable(&s.source.generation.ledger, 6));
    refetch_cancel(&s.source.refetch, &s.client);
    s.now += SOURCE_LOOK_MIN;
    stage_deliver(&s, 9, 4, 1);
    EXPECT(!ledger_is_durable(&s.source.generation.ledger, 8));
    s.now += SOURCE_LOOK_MIN; /* the third time not so soon */
    stage_deliver(&s, 11, 5, 1);
    EXPECT(ledger_is_durable(&s.source.generation.ledger, 10));
    s.now += SOURCE_LOOK_MIN;
    stage_deliver(&s, 13, 6, 1);
    EXPECT(!ledger_is_durable(&s.source.generation.ledger, 12));
    stage_close(&s);
}

/* The same where nothing comes behind it: the consumer has passed 6 to 9, and counts no delivery.
 */
TEST(source_looks_at_what_the_consumer_passes_over_at_the_end)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 9, fresh);
    for (uint64_t i = 1; i <= 5; i++)
        stage_deliver(&s, i, i, 1);
    struct nats_consumer_info info = {.delivered_consumer_seq = 5, .delivered_stream_seq = 5};
    source_note_passed(&s.source, &info, s.now);
    EXPECT_U64(s.source.passed_over, 0);
    info.delivered_stream_seq = 9;
    info.delivered_consumer_seq = 6; /* that one is on its way */
    source_note_passed(&s.source, &info, s.now);
    EXPECT_U64(s.source.passed_over, 0);
    info.delivered_consumer_seq = 5;
    source_note_passed(&s.source, &info, s.now);
    (void)stage_tick(&s, 1);
    EXPECT_I64(s.source.refetch.state, REFETCH_ASKS);
    EXPECT_U64(s.source.refetch.range.first, 6);
    EXPECT_U64(s.source.refetch.range.last, 9);
    stage_close(&s);
}

/* What an earlier connection did not ack came again, under other numbers: nobody else has it. */
TEST(source_knows_that_its_earlier_deliveries_came_again)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 5,
               (struct stage_consumer){.delivered = 4, .delivered_stream = 5, .ack_pending = 4});
    s.source.covers_stream = false; /* 3 is of another subject */
    for (uint64_t i = 0; i < 4; i++)
        stage_deliver(&s, i < 2 ? i + 1 : i + 2, 5 + i, 2);
    struct nats_consumer_info info = {.delivered_consumer_seq = 8,
                                      .delivered_stream_seq = 5,
                                      .ack_floor_consumer_seq = 8,
                                      .ack_floor_stream_seq = 5};
    source_compare_floor(&s.source, &info, s.now);
    EXPECT_I64(s.source.refetch.state, REFETCH_ASKS);
    EXPECT_U64(s.source.refetch.expected, 0);
    stage_close(&s);
}

/* A delivery that was lost on its way comes again, too; one that somebody else has acked does not.
 */
TEST(source_tells_a_delivery_that_was_lost_from_one_that_was_stolen)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 9, (struct stage_consumer){0});
    s.source.covers_stream = false;
    stage_deliver(&s, 1, 1, 1);
    stage_deliver(&s, 4, 4, 1); /* 2 and 3 were not for us */
    struct nats_consumer_info info = {
        .delivered_consumer_seq = 4, .ack_floor_consumer_seq = 1, .ack_floor_stream_seq = 1};
    source_compare_floor(&s.source, &info, s.now);
    EXPECT_I64(s.source.refetch.state, REFETCH_IDLE); /* whoever has them may still ack them */
    EXPECT(!ledger_is_taken(&s.source.generation.ledger, 2));
    stage_deliver(&s, 2, 5, 2);
    info.ack_floor_consumer_seq = info.delivered_consumer_seq = 5;
    info.ack_floor_stream_seq = 4;
    source_compare_floor(&s.source, &info, s.now);
    EXPECT_I64(s.source.refetch.state, REFETCH_ASKS);
    EXPECT_U64(s.source.refetch.range.first, 3);
    EXPECT_U64(s.source.refetch.expected, 1);
    stage_close(&s);
}

/* What its floor has passed is gone for good if it was acked; else it comes again. */
TEST(source_waits_for_what_a_work_queue_may_deliver_again)
{
    struct stage s;
    search_queue(&s, 1);
    stage_answer(&s, no_message);
    EXPECT_I64(s.source.refetch.state, REFETCH_DONE);
    (void)stage_tick(&s, 1);
    EXPECT_U64(s.source.counters.lost, 1);
    stage_close(&s);
}

/* What is acked is not in it, so what is there is something else: the queue was set back. */
TEST(source_makes_a_consumer_anew_that_has_passed_what_a_work_queue_has)
{
    struct stage s;
    search_queue(&s, 0);
    stage_answer_message(&s, 4, "2026-01-01T00:00:04Z");
    s.asked_at = s.client.out.len;
    (void)stage_tick(&s, 1);
    EXPECT_U64(s.source.counters.lost, 0);
    EXPECT_I64(s.source.refetch.state, REFETCH_IDLE);
    EXPECT(s.source.renew == SOURCE_RENEW_FOR_STREAM &&
           !ledger_is_taken(&s.source.generation.ledger, 4));
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_close(&s);
}

static void answer_interest_stream(struct stage *s)
{
    stage_answer(s, "{\"config\":{\"name\":\"S\",\"subjects\":[\"e\"],\"retention\":"
                    "\"interest\"},\"created\":\"" STAGE_CREATED
                    "\",\"state\":{\"messages\":3,\"first_seq\":1,\"last_seq\":3}}");
}

/* Without a consumer the stream would drop what it has. */
TEST(source_keeps_what_an_interest_stream_has_while_the_consumer_is_made_anew)
{
    static const struct stage_consumer ahead = {.delivered = 9, .delivered_stream = 9, .floor = 9};
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    source_connected(&s.source, &s.client, s.now);
    for (int i = 0; i < 2; i++) { /* once more: it may have grown since it was asked */
        stage_expect_question(&s, "STREAM.INFO.S");
        answer_interest_stream(&s);
        stage_expect_question(&s, "CONSUMER.INFO.S.c");
        stage_answer_consumer(&s, ahead);
    }
    EXPECT_I64(s.source.state, SOURCE_GUARD);
    EXPECT_I64(stage_count(&s, "PUB $JS.API.CONSUMER.CREATE.S.c_"), 1);
    EXPECT_I64(stage_count(&s, "CONSUMER.DELETE"), 0);
    find_reply(&s);
    s.asked_at = s.client.out.len;
    stage_answer_consumer(&s, (struct stage_consumer){.pending = 3});
    stage_expect_question(&s, "CONSUMER.DELETE.S.c");
    stage_answer(&s, "{\"success\":true}");
    EXPECT_I64(s.source.state, SOURCE_CREATE);
    EXPECT_I64(stage_count(&s, "CONSUMER.DELETE"), 1); /* the other one stays until ours is there */
    find_reply(&s);
    s.asked_at = s.client.out.len;
    stage_answer_consumer(&s, (struct stage_consumer){.pending = 3});
    stage_expect_question(&s, "STREAM.INFO.S");
    answer_interest_stream(&s);
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    EXPECT_I64(stage_count(&s, "PUB $JS.API.CONSUMER.DELETE.S.c_"), 1);
    stage_close(&s);
}

static void poll_stream_with(struct stage *s, const char *subject)
{
    char json[256];
    for (int asked = 0; asked < 2; asked++) {
        s->asked_at = s->client.out.len;
        (void)stage_tick(s, SOURCE_POLL_INTERVAL / 2);
        stage_status(s, "100 Idle Heartbeat", "");
        (void)stage_tick(s, SOURCE_POLL_INTERVAL / 2);
        stage_status(s, "100 Idle Heartbeat", "");
        if (asked == 0) {
            stage_expect_question(s, "CONSUMER.INFO.S.c");
            stage_answer_consumer(s, fresh);
            continue;
        }
        (void)snprintf(json, sizeof(json),
                       "{\"config\":{\"name\":\"S\",\"subjects\":[\"%s\"],\"retention\":"
                       "\"limits\"},\"created\":\"" STAGE_CREATED
                       "\",\"state\":{\"messages\":3,\"first_seq\":1,\"last_seq\":3}}",
                       subject);
        stage_expect_question(s, "STREAM.INFO.S");
        stage_answer(s, json);
    }
}

static int count_logged(struct stage *s, const char *text)
{
    static char lines[64 * 1024];
    int count = 0;
    ssize_t len = pread(s->log, lines, sizeof(lines) - 1, 0);
    EXPECT(len >= 0);
    lines[len] = '\0';
    for (const char *at = lines; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

/* Somebody gives the stream other subjects: nothing comes, and it is said why. */
TEST(source_says_that_the_stream_takes_none_of_its_subjects)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 3, fresh);
    poll_stream_with(&s, "e");
    EXPECT_I64(count_logged(&s, "takes_nothing"), 0);
    poll_stream_with(&s, "x");
    EXPECT_I64(count_logged(&s, "takes_nothing"), 1);
    poll_stream_with(&s, "x");
    EXPECT_I64(count_logged(&s, "takes_nothing"), 1);
    poll_stream_with(&s, ">");
    poll_stream_with(&s, "x");
    EXPECT_I64(count_logged(&s, "takes_nothing"), 2);
    stage_close(&s);
}

/* Event 1 is stored. The stream has had up to 3 since, and dropped that; or it has it still. */
static uint64_t lost_without_a_consumer(uint64_t first_seq, bool shared)
{
    struct stage s;
    char stream[256];
    stage_open(&s, CONFIG_DURABLE);
    s.config.sources[0].shared = shared;
    stage_pull(&s, 1, fresh);
    stage_deliver(&s, 1, 1, 1);
    source_lost(&s.source, s.now);
    (void)snprintf(stream, sizeof(stream),
                   "{\"config\":{\"name\":\"S\",\"subjects\":[\"e\"],\"retention\":"
                   "\"interest\"},\"created\":\"" STAGE_CREATED
                   "\",\"state\":{\"messages\":0,\"first_seq\":%llu,\"last_seq\":3}}",
                   (unsigned long long)first_seq);
    s.asked_at = s.client.out.len;
    source_connected(&s.source, &s.client, s.now);
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer(&s, stream);
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_answer(&s, "{\"error\":{\"code\":404,\"err_code\":10014,\"description\":\"none\"}}");
    EXPECT_I64(s.source.state, SOURCE_CREATE);
    find_reply(&s);
    s.asked_at = s.client.out.len;
    stage_answer_consumer(&s, (struct stage_consumer){.delivered_stream = first_seq - 1});
    stage_expect_question(&s, "STREAM.INFO.S");
    stage_answer(&s, stream);
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    uint64_t lost = s.source.counters.lost;
    EXPECT(lost == 0 || (s.source.counters.lost_first == 2 && s.source.counters.lost_last == 3));
    stage_close(&s);
    return lost;
}

/* Nothing keeps what comes while nobody waits for it. */
TEST(source_counts_what_an_interest_stream_dropped_while_its_consumer_was_away)
{
    EXPECT_U64(lost_without_a_consumer(4, false), 2);
    EXPECT_U64(lost_without_a_consumer(2, false), 0);
    EXPECT_U64(lost_without_a_consumer(4, true), 0); /* others may have it */
}

/* The stream, which has so much, is asked for while the source stands by. */
static void stand_by_with(struct stage *s, uint64_t first, uint64_t last)
{
    stage_expect_question(s, "STREAM.INFO.S");
    stage_answer_stream(s, STAGE_CREATED, first, last);
    if (s->source.state != SOURCE_POSITION)
        return;
    stage_expect_question(s, "STREAM.MSG.GET.S");
    stage_answer_message(s, 9, "2026-01-01T00:00:09Z");
}

/* It was outrun, and others have stored so much. */
static void begin_standing_by(struct stage *s, uint64_t stored)
{
    stage_open(s, CONFIG_POSITION);
    struct position known = {.stream = "S",
                             .created = STAGE_CREATED,
                             .consumer = "c",
                             .through = stored,
                             .last_seq = 9,
                             .last_time = STAGE_TIME + 9 * CLOCK_SECOND};
    positions_put(&s->stored, &known);
    source_stand_by(&s->source);
    source_connected(&s->source, &s->client, s->now);
}

static void stand_by_until_it_asks(struct stage *s)
{
    EXPECT_I64(s->source.state, SOURCE_STANDBY);
    (void)stage_tick(s, s->config.batching.max_age + SOURCE_STANDBY_MARGIN);
}

/* A look into the store finds this (NULL: nothing), and the stream is asked for. */
static void look_while_standing_by(struct stage *s, const char *others)
{
    EXPECT_I64(s->source.state, SOURCE_ANCHORING);
    EXPECT(source_wants_commit(&s->source));
    stage_commit(s, others);
    (void)stage_tick(s, 1);
}

TEST(source_without_acks_lets_another_instance_go_ahead)
{
    struct stage s;
    begin_standing_by(&s, 3);
    stand_by_with(&s, 1, 9);
    stand_by_until_it_asks(&s);
    stand_by_with(&s, 1, 12); /* 1 to 9 should have been stored by now */
    look_while_standing_by(&s, "1-9");
    stand_by_with(&s, 1, 12);
    EXPECT_I64(s.source.state, SOURCE_STANDBY);
    EXPECT(!source_wants_commit(&s.source));
    stand_by_until_it_asks(&s);
    stand_by_with(&s, 1, 15);
    look_while_standing_by(&s, "10-11"); /* not all, but it is at it */
    stand_by_with(&s, 1, 15);
    stand_by_until_it_asks(&s);
    stand_by_with(&s, 1, 15);
    EXPECT_I64(stage_count(&s, "CONSUMER.CREATE"), 0);
    EXPECT(stage_logged(&s, "stands_by") && !stage_logged(&s, "takes_over"));
    look_while_standing_by(&s, NULL);
    stand_by_with(&s, 1, 15);
    EXPECT(stage_logged(&s, "takes_over"));
    stand_by_with(&s, 1, 15);
    EXPECT_I64(s.source.state, SOURCE_CREATE);
    EXPECT(strstr(buf_text(&s.client.out), "\"opt_start_seq\":12") != NULL);
    stage_close(&s);
}

/* As long as there is nothing to be stored, who stores it says nothing. */
TEST(source_stands_by_while_the_stream_rests)
{
    struct stage s;
    begin_standing_by(&s, 9);
    stand_by_with(&s, 1, 9);
    for (int i = 0; i < 5; i++) {
        stand_by_until_it_asks(&s);
        EXPECT(!source_wants_commit(&s.source));
        stand_by_with(&s, 1, 9);
    }
    /* What the stream drops may be stored already: that is not known yet. */
    stand_by_until_it_asks(&s);
    stand_by_with(&s, 13, 15);
    EXPECT_U64(s.source.counters.lost, 0);
    stand_by_until_it_asks(&s);
    stand_by_with(&s, 13, 15);
    look_while_standing_by(&s, NULL);
    stand_by_with(&s, 13, 15);
    EXPECT_U64(s.source.counters.lost, 0);
    stand_by_with(&s, 13, 15); /* now it is */
    EXPECT_U64(s.source.counters.lost, 3);
    stage_close(&s);
}

/* A connection that goes while the look is on its way does not end it. */
TEST(source_stands_by_over_a_lost_connection)
{
    struct stage s;
    begin_standing_by(&s, 3);
    stand_by_with(&s, 1, 9);
    source_lost(&s.source, s.now);
    source_connected(&s.source, &s.client, s.now);
    stand_by_with(&s, 1, 9);
    stand_by_until_it_asks(&s);
    stand_by_with(&s, 1, 9);
    EXPECT_I64(s.source.state, SOURCE_ANCHORING);
    source_lost(&s.source, s.now);
    source_connected(&s.source, &s.client, s.now);
    stand_by_with(&s, 1, 9);
    look_while_standing_by(&s, "1-9");
    stand_by_with(&s, 1, 9);
    EXPECT_I64(s.source.state, SOURCE_STANDBY);
    stage_close(&s);
}

/* With acks the server gives each message to one of them. */
TEST(source_with_acks_never_stands_by)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    source_stand_by(&s.source);
    source_connected(&s.source, &s.client, s.now);
    stand_by_with(&s, 1, 9);
    stage_expect_question(&s, "CONSUMER.INFO.S.c");
    stage_close(&s);
}

/* 2 to 5 are gone, and did not come here; what do others have of them? */
static uint64_t lose_with_others(const char *stored)
{
    struct stage s;
    stage_open(&s, CONFIG_DURABLE);
    stage_pull(&s, 9, fresh);
    stage_deliver(&s, 1, 1, 1);
    stage_commit(&s, NULL); /* where it starts */
    s.source.others_pull = true;
    EXPECT_U64(source_count_dropped(&s.source, 6), 0);
    int64_t at = source_tick_drop(&s.source, s.now);
    EXPECT_I64(at, s.now + s.config.batching.max_age + SOURCE_STANDBY_MARGIN);
    EXPECT(!source_wants_commit(&s.source));
    (void)source_tick_drop(&s.source, at);
    EXPECT(source_wants_commit(&s.source));
    EXPECT_U64(s.source.counters.lost, 0);
    stage_commit(&s, stored);
    (void)source_tick_drop(&s.source, at);
    uint64_t lost = s.source.counters.lost;
    EXPECT_U64(source_count_dropped(&s.source, 6), 0); /* once is enough */
    EXPECT_I64(s.source.drop.state, SOURCE_DROP_NONE);
    stage_close(&s);
    return lost;
}

TEST(source_calls_nothing_lost_that_others_may_have_stored)
{
    EXPECT_U64(lose_with_others("2-5"), 0);
    EXPECT_U64(lose_with_others("2-3"), 2);
    EXPECT_U64(lose_with_others(NULL), 4);
}

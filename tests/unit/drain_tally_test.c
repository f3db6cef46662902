/* SPDX-License-Identifier: MIT */
#include "drain/source_tally.h"
#include "source_fixture.h"

/* Others have subjects of the stream: 1 to 3 and 6 were delivered, 4 and 5 were passed over. */
static void begin(struct stage *s)
{
    stage_open(s, CONFIG_DURABLE);
    stage_pull(s, 99, (struct stage_consumer){0});
    s->source.covers_stream = false;
    source_open_window(&s->source);
    for (uint64_t i = 1; i <= 3; i++)
        stage_deliver(s, i, i, 1);
    stage_deliver(s, 6, 4, 1);
}

static void look(struct stage *s, struct nats_consumer_info info)
{
    source_tally_passed(&s->source, &info, s->now);
    (void)stage_tick(s, 1);
}

/* Another consumer was asked for, which begins there. */
static void expect_count(struct stage *s, const char *start)
{
    char inbox[128];
    const char *at = buf_text(&s->client.out) + s->asked_at;
    const char *found = strstr(at, "PUB $JS.API.CONSUMER.CREATE.S.c_");
    EXPECT(found != NULL && strstr(found, start) != NULL);
    EXPECT(sscanf(found, "PUB %*s %127s", inbox) == 1);
    (void)snprintf(s->reply, sizeof(s->reply), "%s", inbox);
    s->asked_at = s->client.out.len;
}

static void answer_count(struct stage *s, uint64_t pending)
{
    char json[256];
    (void)snprintf(json, sizeof(json),
                   "{\"stream_name\":\"S\",\"name\":\"x\",\"config\":{},\"num_pending\":%llu}",
                   (unsigned long long)pending);
    stage_answer(s, json);
    EXPECT(strstr(buf_text(&s->client.out) + s->asked_at, "CONSUMER.DELETE.S.c_") != NULL);
}

/* `info` is how our consumer stands behind that: it is asked, since `pending` are too many. */
static void answer_both(struct stage *s, uint64_t pending, struct stage_consumer info)
{
    expect_count(s, "\"opt_start_seq\":1,");
    answer_count(s, pending);
    stage_expect_question(s, "CONSUMER.INFO.S.c");
    stage_answer_consumer(s, info);
    (void)stage_tick(s, 1);
}

static const struct nats_consumer_info at_six = {.delivered_consumer_seq = 4,
                                                 .delivered_stream_seq = 6};

TEST(source_counts_what_others_have_and_finds_nothing)
{
    struct stage s;
    begin(&s);
    look(&s, at_six);
    expect_count(&s, "\"opt_start_seq\":1,");
    answer_count(&s, 4);
    EXPECT_I64(s.source.refetch.state, REFETCH_IDLE);
    EXPECT_U64(s.source.generation.ledger.window.after, 6);
    look(&s, at_six); /* nothing is new */
    EXPECT_I64(s.source.tally.state, SOURCE_TALLY_IDLE);
    stage_deliver(&s, 9, 5, 1);
    struct nats_consumer_info info = {.delivered_consumer_seq = 5, .delivered_stream_seq = 9};
    look(&s, info); /* nor is it time */
    EXPECT_I64(s.source.tally.state, SOURCE_TALLY_IDLE);
    s.now += SOURCE_TALLY_MIN;
    look(&s, info);
    expect_count(&s, "\"opt_start_seq\":7,");
    stage_close(&s);
}

/* One of 4 and 5 is ours, and neither has arrived since. */
TEST(source_fetches_what_it_counts_too_few_of)
{
    struct stage s;
    begin(&s);
    look(&s, at_six);
    answer_both(&s, 5, (struct stage_consumer){.delivered = 4, .delivered_stream = 6});
    EXPECT_I64(s.source.refetch.state, REFETCH_ASKS);
    EXPECT_U64(s.source.refetch.range.first, 1);
    EXPECT_U64(s.source.refetch.range.last, 6);
    EXPECT(ledger_take(&s.source.generation.ledger, 5)); /* the ledger took it for nothing */
    EXPECT(!ledger_take(&s.source.generation.ledger, 5));
    EXPECT(!ledger_take(&s.source.generation.ledger, 6));
    stage_close(&s);
}

/* It arrived between the two questions: they are asked again. */
TEST(source_counts_again_where_messages_arrive)
{
    struct stage s;
    begin(&s);
    look(&s, at_six);
    answer_both(&s, 5,
                (struct stage_consumer){.delivered = 5, .delivered_stream = 9, .pending = 1});
    EXPECT_I64(s.source.tally.state, SOURCE_TALLY_ARRIVES); /* 9 is on its way */
    stage_deliver(&s, 9, 5, 1);
    (void)stage_tick(&s, 1);
    expect_count(&s, "\"opt_start_seq\":1,");
    answer_count(&s, 6);
    EXPECT_I64(s.source.refetch.state, REFETCH_IDLE);
    EXPECT_U64(s.source.generation.ledger.window.after, 9);
    stage_close(&s);
}

/* More arrive each time: what is there is fetched, but not soon again. */
TEST(source_fetches_now_and_then_what_it_can_not_count)
{
    struct stage s;
    begin(&s);
    for (int round = 0; round < 2; round++) {
        uint64_t more = 1;
        look(&s, at_six);
        for (; s.source.tally.state != SOURCE_TALLY_IDLE; more++)
            answer_both(
                &s, 4 + more,
                (struct stage_consumer){.delivered = 4, .delivered_stream = 6, .pending = more});
        EXPECT_U64(more, 5);
        EXPECT_I64(s.source.refetch.state, round == 0 ? REFETCH_ASKS : REFETCH_IDLE);
        refetch_cancel(&s.source.refetch, &s.client);
        s.asked_at = s.client.out.len;
        s.source.tally.at = 0;
    }
    EXPECT_U64(s.source.generation.ledger.window.after, 0); /* the next look may tell */
    stage_close(&s);
}

TEST(source_does_not_count_what_it_may_not_ask_for)
{
    struct stage s;
    begin(&s);
    look(&s, at_six);
    expect_count(&s, "\"opt_start_seq\":1,");
    struct nats_server_error error = {.kind = NATS_ERROR_PUBLISH_PERMISSION,
                                      .subject = buf_slice(&s.source.refetch.subject)};
    source_denied(&s.source, &s.client, &error, s.now);
    EXPECT(stage_logged(&s, "event=not_counted"));
    EXPECT_I64(s.source.state, SOURCE_PULLING);
    s.source.tally.at = 0;
    look(&s, at_six);
    EXPECT_I64(s.source.tally.state, SOURCE_TALLY_IDLE);
    stage_close(&s);
}

/* Others share the consumer, or all of the stream is ours, and then each hole is looked at. */
TEST(source_counts_only_where_that_tells)
{
    struct stage s;
    begin(&s);
    s.source.shared = true;
    look(&s, at_six);
    EXPECT(!s.source.generation.ledger.window.open);
    s.source.shared = false;
    s.source.covers_stream = true;
    look(&s, at_six);
    EXPECT(!s.source.generation.ledger.window.open);
    EXPECT_I64(s.source.tally.state, SOURCE_TALLY_IDLE);
    stage_close(&s);
}

/* What is acked is not there: all that there is was passed over. What is not acked is there. */
TEST(source_searches_a_work_queue_for_what_was_passed_over)
{
    for (uint64_t unacked = 0; unacked < 2; unacked++) {
        struct stage s;
        begin(&s);
        s.source.retention = NATS_RETENTION_WORKQUEUE;
        look(&s, (struct nats_consumer_info){.delivered_consumer_seq = 4,
                                             .delivered_stream_seq = 6,
                                             .ack_floor_stream_seq = 5,
                                             .ack_pending = unacked});
        EXPECT_I64(s.source.refetch.state, REFETCH_ASKS);
        EXPECT(!s.source.refetch.kept && s.source.refetch.by_window);
        EXPECT_U64(s.source.refetch.range.first, 1);
        EXPECT_U64(s.source.refetch.range.last, unacked == 0 ? 6 : 5);
        stage_close(&s);
    }
}

/* A store that was removed lacks 7 to 9, which are not in the stream any more: that the search for
 * what was passed over has found nothing does not make them nothing. */
TEST(source_still_lacks_what_a_search_did_not_find)
{
    struct stage s;
    struct seqrange missing = {0};
    begin(&s);
    refetch_begin_passed(&s.source.refetch, (struct seqrange){1, 9}, false);
    EXPECT(!refetch_is_owed(&s.source.refetch)); /* the floor is compared meanwhile */
    s.source.refetch.state = REFETCH_DONE;
    EXPECT_U64(refetch_take(&s.source.refetch, &missing), 0);
    EXPECT_U64(s.source.generation.ledger.window.after, 9);
    EXPECT_U64(ledger_missing(&s.source.generation.ledger, (struct seqrange){1, 9}, &missing), 3);
    EXPECT_U64(missing.first, 7);
    stage_close(&s);
}

/* SPDX-License-Identifier: MIT */
#include "drain/acker.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "test.h"

#define CREATED "2026-01-01T00:00:00Z"

/* An acker, a source that pulls, and a client whose output is looked at instead of sent. */
struct stage {
    struct nats_options options;
    struct nats_client client;
    struct config_source settings;
    struct source source;
    struct acker acker;
};

static void receive(struct stage *s, const char *text)
{
    struct nats_event event;
    struct err err = {0};
    struct nats_space space = nats_client_space(&s->client);
    EXPECT(strlen(text) <= space.len);
    memcpy(space.data, text, strlen(text));
    nats_client_received(&s->client, strlen(text), 1);
    int got;
    while ((got = nats_client_next(&s->client, 1, &event, &err)) > 0)
        if (event.kind == NATS_EVENT_REPLY)
            EXPECT(acker_reply(&s->acker, &event, 1));
    EXPECT(got == 0);
}

static void start(struct stage *s, enum config_delivery delivery)
{
    *s = (struct stage){.options = {.name = "test", .version = "0", .random_key = {1, 2}}};
    s->settings = (struct config_source){.stream = "S", .delivery = delivery, .consumer = "c"};
    s->source.settings = &s->settings;
    s->source.state = SOURCE_PULLING;
    buf_append_text(&s->source.generation.created, CREATED);
    nats_client_start(&s->client, &s->options, 1);
    receive(s, "INFO {\"headers\":true,\"max_payload\":1000,\"proto\":1}\r\nPONG\r\n");
    EXPECT(nats_client_is_ready(&s->client));
    buf_reset(&s->client.out);
    acker_init(&s->acker, &s->source, 1);
}

static void stop(struct stage *s)
{
    acker_free(&s->acker);
    ledger_free(&s->source.generation.ledger);
    buf_free(&s->source.generation.created);
    nats_client_free(&s->client);
}

/* An epoch with `count` messages, from sequence `first` on, received at 1. */
static void owe(struct stage *s, uint64_t epoch, uint64_t first, uint64_t count)
{
    for (uint64_t seq = first; seq < first + count; seq++) {
        struct nats_ack ack = {.prefix = slice_of("$JS.ACK.S.c."),
                               .delivered = 1,
                               .stream_seq = seq,
                               .consumer_seq = seq};
        acker_owe(&s->acker, 0, epoch, &ack, 1);
    }
}

/* The same, committed. */
static void commit(struct stage *s, uint64_t first, uint64_t count)
{
    owe(s, 1, first, count);
    acker_committed(&s->acker, 1, CLOCK_SECOND);
}

/* How many lines of the output begin with PUB $JS.ACK. */
static uint64_t acks_in(struct buf *out)
{
    uint64_t count = 0;
    for (const char *at = buf_text(out); (at = strstr(at, "PUB $JS.ACK.")) != NULL; at++)
        count++;
    return count;
}

/* The reply subject of the last line that has one: what the server would answer to. */
static void answer(struct stage *s)
{
    const char *text = buf_text(&s->client.out);
    const char *inbox = NULL;
    for (const char *at = text; (at = strstr(at, "_INBOX.")) != NULL; at++)
        inbox = at;
    EXPECT(inbox != NULL);
    char message[512];
    (void)snprintf(message, sizeof(message), "MSG %.*s %llu 0\r\n\r\n", (int)strcspn(inbox, " \r"),
                   inbox, (unsigned long long)s->client.reply_sid);
    buf_reset(&s->client.out);
    receive(s, message);
}

TEST(acker_keeps_an_epoch_until_the_last_ack_is_confirmed)
{
    struct stage s;
    start(&s, CONFIG_DURABLE);
    commit(&s, 1, 3);
    EXPECT(!acker_is_idle(&s.acker));
    EXPECT_I64(acker_tick(&s.acker, &s.client, 1), INT64_MAX);
    EXPECT_U64(acks_in(&s.client.out), 3);
    EXPECT_U64(s.source.counters.acks_sent, 3);
    EXPECT(!acker_is_idle(&s.acker));
    acker_tick(&s.acker, &s.client, 1); /* nothing is sent twice */
    EXPECT_U64(acks_in(&s.client.out), 3);
    answer(&s);
    EXPECT(acker_is_idle(&s.acker));
    stop(&s);
}

TEST(acker_sends_everything_again_after_a_lost_connection)
{
    struct stage s;
    start(&s, CONFIG_DURABLE);
    commit(&s, 1, 5);
    acker_tick(&s.acker, &s.client, 1);
    acker_restart(&s.acker);
    buf_reset(&s.client.out);
    s.source.state = SOURCE_STREAM; /* not before the consumer is known to be there */
    acker_tick(&s.acker, &s.client, 1);
    EXPECT_U64(acks_in(&s.client.out), 0);
    s.source.state = SOURCE_PULLING;
    acker_tick(&s.acker, &s.client, 1);
    EXPECT_U64(acks_in(&s.client.out), 5);
    answer(&s);
    EXPECT(acker_is_idle(&s.acker));
    stop(&s);
}

/* What a consumer delivered before it was looked at it may have forgotten: then it has others under
 * these numbers, and a server before 2.10.14 takes the ack for theirs. */
TEST(acker_numbers_no_delivery_of_before)
{
    struct stage s;
    start(&s, CONFIG_DURABLE);
    commit(&s, 11, 2);
    acker_tick(&s.acker, &s.client, 1);
    EXPECT(strstr(buf_text(&s.client.out), "PUB $JS.ACK.S.c.1.11.11.0.0") != NULL);
    acker_restart(&s.acker);
    buf_reset(&s.client.out);
    s.source.attached_at = 2;
    acker_tick(&s.acker, &s.client, 2);
    EXPECT(strstr(buf_text(&s.client.out), "PUB $JS.ACK.S.c.1.11.0.0.0") != NULL);
    EXPECT(strstr(buf_text(&s.client.out), "PUB $JS.ACK.S.c.1.12.0.0.0") != NULL);
    EXPECT_U64(acks_in(&s.client.out), 2);
    stop(&s);
}

TEST(acker_renders_no_more_than_the_socket_takes)
{
    enum { COUNT = 20000 };
    struct stage s;
    uint64_t sent = 0;
    start(&s, CONFIG_DURABLE);
    commit(&s, 1, COUNT);
    int64_t next = 1;
    while (next == 1) {
        buf_reset(&s.client.out);
        next = acker_tick(&s.acker, &s.client, 1);
        EXPECT(s.client.out.len < ACKER_OUTPUT_MAX + 1024);
        sent += acks_in(&s.client.out);
    }
    EXPECT_I64(next, INT64_MAX);
    EXPECT_U64(sent, COUNT);
    answer(&s);
    EXPECT(acker_is_idle(&s.acker));
    stop(&s);
}

TEST(acker_owes_nothing_where_there_are_no_acks)
{
    struct stage s;
    start(&s, CONFIG_POSITION);
    commit(&s, 1, 3);
    EXPECT(acker_is_idle(&s.acker));
    stop(&s);
}

/* Have stderr in a file, and read it. */
static int catch_log(void)
{
    int log = open("log", O_CREAT | O_RDWR, 0600);
    EXPECT(log >= 0 && dup2(log, STDERR_FILENO) >= 0);
    return log;
}

/* No answer comes to the question that is open, though the connection is fine otherwise. */
static int64_t wait_in_vain(struct stage *s)
{
    struct nats_event event;
    struct err err = {0};
    int64_t late = 1 + ACKER_CONFIRM_TIMEOUT;
    s->client.session.last_received = late;
    EXPECT(nats_client_next(&s->client, late, &event, &err) == 1);
    EXPECT(event.kind == NATS_EVENT_REPLY && event.outcome == NATS_OUTCOME_TIMEOUT);
    EXPECT(acker_reply(&s->acker, &event, late));
    return late;
}

/* Lost with a leader, perhaps: it would be ack_wait until the server delivers again. */
TEST(acker_sends_again_what_is_not_confirmed)
{
    struct stage s;
    char line[512] = "";
    int log = catch_log();
    start(&s, CONFIG_DURABLE);
    commit(&s, 1, 3);
    acker_tick(&s.acker, &s.client, 1);
    buf_reset(&s.client.out);
    int64_t late = wait_in_vain(&s);
    EXPECT(pread(log, line, sizeof(line) - 1, 0) > 0);
    EXPECT(strstr(line, "acks_unconfirmed") != NULL && strstr(line, "stream S: 3 acks") != NULL);
    EXPECT_I64(acker_tick(&s.acker, &s.client, late), late + ACKER_RETRY);
    EXPECT_U64(acks_in(&s.client.out), 0);
    acker_tick(&s.acker, &s.client, late + ACKER_RETRY);
    EXPECT_U64(acks_in(&s.client.out), 3);
    answer(&s);
    EXPECT(acker_is_idle(&s.acker));
    stop(&s);
}

/* The stream that has the name now has other messages under these numbers. */
TEST(acker_owes_nothing_to_a_stream_that_is_gone)
{
    struct stage s;
    start(&s, CONFIG_DURABLE);
    commit(&s, 1, 3);
    buf_append_text(&s.source.generation.created, "x");
    acker_tick(&s.acker, &s.client, 1);
    EXPECT_U64(acks_in(&s.client.out), 0);
    EXPECT(acker_is_idle(&s.acker));
    stop(&s);
}

/* Nothing is acked that is not durable. */
TEST(acker_holds_what_is_not_committed)
{
    struct stage s;
    start(&s, CONFIG_DURABLE);
    owe(&s, 1, 1, 3);
    owe(&s, 2, 4, 5);
    EXPECT_I64(acker_tick(&s.acker, &s.client, 1), INT64_MAX);
    EXPECT_U64(acks_in(&s.client.out), 0);
    EXPECT_I64(acker_oldest(&s.acker, 0), 1);
    acker_committed(&s.acker, 1, CLOCK_SECOND);
    acker_tick(&s.acker, &s.client, 1);
    EXPECT_U64(acks_in(&s.client.out), 3);
    EXPECT_U64(s.source.counters.delay.counts[0], 0);
    uint64_t observed = 0;
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
        observed += s.source.counters.delay.counts[i];
    EXPECT_U64(observed, 3);
    stop(&s);
}

/* One source can't be reached; what the other one's epochs took is given back nevertheless. */
TEST(acker_lets_go_of_epochs_behind_one_that_waits)
{
    struct stage s;
    struct source sources[2];
    start(&s, CONFIG_DURABLE);
    sources[0] = sources[1] = s.source;
    sources[0].state = SOURCE_REFUSED;
    acker_init(&s.acker, sources, 2);
    uint64_t one = 0;
    for (uint32_t i = 0; i < 3; i++) {
        struct nats_ack ack = {
            .prefix = slice_of("$JS.ACK.S.c."), .delivered = 1, .stream_seq = i, .consumer_seq = i};
        acker_owe(&s.acker, i == 0 ? 0 : 1, i + 1, &ack, 1);
        acker_committed(&s.acker, i + 1, CLOCK_SECOND);
        if (i == 0)
            one = account_bytes(&s.acker.account);
        if (i > 0) {
            acker_tick(&s.acker, &s.client, 1);
            answer(&s);
        }
    }
    EXPECT(!acker_is_idle(&s.acker));
    EXPECT_U64(account_bytes(&s.acker.account), one);
    /* And it still gets its turn. */
    sources[0].state = SOURCE_PULLING;
    acker_tick(&s.acker, &s.client, 1);
    EXPECT_U64(acks_in(&s.client.out), 1);
    answer(&s);
    EXPECT(acker_is_idle(&s.acker));
    EXPECT_U64(account_bytes(&s.acker.account), 0);
    stop(&s);
}

/* A commit that is slower than ack_wait: the server must not give the messages to others. */
TEST(acker_extends_ack_wait_while_an_epoch_waits)
{
    struct stage s;
    start(&s, CONFIG_DURABLE);
    s.source.shared = true;
    s.source.ack_wait = 10 * CLOCK_SECOND;
    owe(&s, 1, 1, 3); /* received at 1 */
    EXPECT_I64(acker_tick(&s.acker, &s.client, 1), 1 + 5 * CLOCK_SECOND);
    EXPECT_U64(acks_in(&s.client.out), 0);
    EXPECT_I64(acker_tick(&s.acker, &s.client, 1 + 5 * CLOCK_SECOND), 1 + 10 * CLOCK_SECOND);
    EXPECT_U64(acks_in(&s.client.out), 3);
    EXPECT(strstr(buf_text(&s.client.out), " 4\r\n+WPI\r\n") != NULL);
    buf_reset(&s.client.out);
    EXPECT_I64(acker_tick(&s.acker, &s.client, 1 + 6 * CLOCK_SECOND), 1 + 10 * CLOCK_SECOND);
    EXPECT_U64(acks_in(&s.client.out), 0);
    acker_committed(&s.acker, 1, CLOCK_SECOND);
    acker_tick(&s.acker, &s.client, 1 + 6 * CLOCK_SECOND);
    EXPECT_U64(acks_in(&s.client.out), 3);
    EXPECT(strstr(buf_text(&s.client.out), "+WPI") == NULL);
    stop(&s);
}

/* A consumer that takes one ack for all up to a sequence, and has delivered up to `consumer_seq`.
 */
static void start_all(struct stage *s, uint64_t consumer_seq)
{
    start(s, CONFIG_DURABLE);
    s->source.ack = NATS_ACK_ALL;
    s->source.last_consumer_seq = consumer_seq;
}

/* What the ledger says is durable: all up to `position`, and first..last. */
static void durable(struct stage *s, uint64_t position, uint64_t first, uint64_t last)
{
    struct seqset above = {0};
    seqset_add_range(&above, first, last);
    ledger_load(&s->source.generation.ledger, position, &above);
    seqset_free(&above);
}

/* The one ack that is sent: "<stream sequence>.<consumer sequence>". */
static void expect_ack(struct stage *s, const char *numbers)
{
    char start_of_subject[64];
    (void)snprintf(start_of_subject, sizeof(start_of_subject), "PUB $JS.ACK.S.c.1.%s.", numbers);
    buf_reset(&s->client.out);
    EXPECT_I64(acker_tick(&s->acker, &s->client, 1), INT64_MAX);
    EXPECT_U64(acks_in(&s->client.out), 1);
    EXPECT(strstr(buf_text(&s->client.out), start_of_subject) != NULL);
    if (strstr(buf_text(&s->client.out), "_INBOX.") != NULL)
        answer(s);
}

static void expect_no_ack(struct stage *s)
{
    buf_reset(&s->client.out);
    EXPECT_I64(acker_tick(&s->acker, &s->client, 1), INT64_MAX);
    EXPECT_U64(acks_in(&s->client.out), 0);
}

/* It is one that was not confirmed, of however many epochs and messages: no line for each of these,
 * and none that counts 0. */
TEST(acker_tells_of_one_ack_for_all_that_is_not_confirmed)
{
    struct stage s;
    char lines[1024] = "";
    int log = catch_log();
    start_all(&s, 20);
    owe(&s, 1, 1, 10);
    owe(&s, 2, 11, 10);
    durable(&s, 20, 21, 21);
    acker_committed(&s.acker, 1, CLOCK_SECOND);
    acker_committed(&s.acker, 2, CLOCK_SECOND);
    acker_tick(&s.acker, &s.client, 1);
    EXPECT_U64(acks_in(&s.client.out), 1);
    int64_t late = wait_in_vain(&s);
    EXPECT(pread(log, lines, sizeof(lines) - 1, 0) > 0);
    const char *line = strstr(lines, "acks_unconfirmed");
    EXPECT(line != NULL && strstr(line + 1, "acks_unconfirmed") == NULL);
    EXPECT(strstr(line, "stream S: the ack for all up to sequence 20") != NULL);
    EXPECT_I64(acker_tick(&s.acker, &s.client, late), late + ACKER_RETRY);
    buf_reset(&s.client.out);
    acker_tick(&s.acker, &s.client, late + ACKER_RETRY);
    EXPECT_U64(acks_in(&s.client.out), 1);
    answer(&s);
    EXPECT(acker_is_idle(&s.acker));
    stop(&s);
}

TEST(acker_sends_one_ack_for_all_that_is_durable)
{
    struct stage s;
    start_all(&s, 30);
    owe(&s, 1, 1, 10);
    owe(&s, 2, 11, 10);
    owe(&s, 3, 21, 10);
    expect_no_ack(&s);
    durable(&s, 20, 20, 20);
    acker_committed(&s.acker, 1, CLOCK_SECOND);
    acker_committed(&s.acker, 2, CLOCK_SECOND);
    expect_ack(&s, "20.20");
    EXPECT_U64(s.source.counters.acks_sent, 1);
    expect_no_ack(&s);
    EXPECT(acker_is_idle(&s.acker));
    durable(&s, 30, 30, 30);
    acker_committed(&s.acker, 3, CLOCK_SECOND);
    expect_ack(&s, "30.30");
    EXPECT_U64(account_bytes(&s.acker.account), 0);
    stop(&s);
}

/* Delivered into a broken connection, perhaps: an ack above it would be for it, too. */
TEST(acker_acks_nothing_above_what_is_missing)
{
    struct stage s;
    start_all(&s, 10);
    owe(&s, 1, 1, 4);
    owe(&s, 2, 6, 5);
    durable(&s, 4, 6, 10);
    acker_committed(&s.acker, 1, CLOCK_SECOND);
    acker_committed(&s.acker, 2, CLOCK_SECOND);
    expect_ack(&s, "4.4");
    expect_no_ack(&s);
    EXPECT(!acker_is_idle(&s.acker));
    /* It came again, as delivery 11. One ack of it would be the last that the server heeds. */
    struct nats_ack ack = {
        .prefix = slice_of("$JS.ACK.S.c."), .delivered = 2, .stream_seq = 5, .consumer_seq = 11};
    s.source.last_consumer_seq = 11;
    acker_owe(&s.acker, 0, 3, &ack, 1);
    durable(&s, 10, 10, 10);
    acker_committed(&s.acker, 3, CLOCK_SECOND);
    expect_ack(&s, "10.10");
    EXPECT_U64(account_bytes(&s.acker.account), 0);
    stop(&s);
}

/* Its number is greater than those of what is owed: an ack of it now would make theirs void. */
TEST(acker_acks_what_is_delivered_again_when_nothing_else_is_owed)
{
    struct stage s;
    struct nats_ack again = {.delivered = 2, .stream_seq = 5, .consumer_seq = 21};
    start_all(&s, 21);
    durable(&s, 10, 10, 10);
    owe(&s, 1, 11, 10);
    acker_again(&s.acker, &s.client, 0, &again);
    expect_no_ack(&s);
    durable(&s, 20, 20, 20);
    acker_committed(&s.acker, 1, CLOCK_SECOND);
    expect_ack(&s, "20.20");
    expect_no_ack(&s); /* which was for both */
    acker_again(&s.acker, &s.client, 0, &again);
    expect_ack(&s, "5.21");
    again.stream_seq = 25; /* above what is missing */
    acker_again(&s.acker, &s.client, 0, &again);
    expect_no_ack(&s);
    stop(&s);
}

/* Delivered while an earlier run's messages were on their way again: these are acked with it. */
TEST(acker_waits_with_a_redelivery_for_what_came_before_it)
{
    struct stage s;
    start_all(&s, 25);
    owe(&s, 1, 11, 10);
    for (uint64_t seq = 1; seq <= 5; seq++) {
        struct nats_ack ack = {.prefix = slice_of("$JS.ACK.S.c."),
                               .delivered = 2,
                               .stream_seq = seq,
                               .consumer_seq = 20 + seq};
        acker_owe(&s.acker, 0, 1 + seq, &ack, 1);
    }
    for (uint64_t epoch = 1; epoch <= 6; epoch++) {
        expect_no_ack(&s);
        durable(&s, epoch - 1, 11, 20);
        acker_committed(&s.acker, epoch, CLOCK_SECOND);
    }
    expect_no_ack(&s); /* 6 to 10 may come yet */
    durable(&s, 20, 20, 20);
    expect_ack(&s, "20.20");
    EXPECT(acker_is_idle(&s.acker));
    EXPECT_U64(account_bytes(&s.acker.account), 0);
    stop(&s);
}

/* Owed to a consumer that was deleted and made anew, which counts from the start. */
TEST(acker_sends_no_number_that_the_consumer_has_not_reached)
{
    struct stage s;
    start_all(&s, 7);
    owe(&s, 1, 1, 10);
    durable(&s, 10, 10, 10);
    acker_committed(&s.acker, 1, CLOCK_SECOND);
    expect_ack(&s, "10.7");
    stop(&s);
}

/* The consumer took one ack for all when these were delivered, and was made anew with one for each:
 * it delivers again what it has no ack for. Nothing may wait for that. */
TEST(acker_lets_go_of_what_a_consumer_with_one_ack_for_all_has_left)
{
    struct stage s;
    start_all(&s, 10);
    owe(&s, 1, 1, 10);
    s.source.ack = NATS_ACK_EXPLICIT;
    acker_committed(&s.acker, 1, CLOCK_SECOND);
    expect_no_ack(&s);
    EXPECT(acker_is_idle(&s.acker));
    EXPECT_U64(account_bytes(&s.acker.account), 0);
    stop(&s);
}

/* What such a consumer has left is acked one by one as soon as it is durable, up to what is not. */
TEST(acker_acks_what_no_epoch_owes_once_it_is_durable)
{
    struct stage s;
    struct buf expected = {0};
    start_all(&s, 10);
    s.source.ack = NATS_ACK_EXPLICIT;
    for (uint64_t seq = 1; seq <= 6; seq++) {
        if (seq == 3)
            continue; /* of somebody else */
        source_owe(&s.source, seq);
        EXPECT(ledger_take(&s.source.generation.ledger, seq));
    }
    expect_no_ack(&s);
    EXPECT(acker_is_idle(&s.acker)); /* none of it can be acked */
    ledger_nothing_at(&s.source.generation.ledger, 0, 0);
    seqset_add_range(&s.source.generation.ledger.durable, 1, 2);
    seqset_add_range(&s.source.generation.ledger.durable, 4, 5);
    EXPECT(!acker_is_idle(&s.acker));
    EXPECT(acker_tick(&s.acker, &s.client, 2) == INT64_MAX);
    static const int acked[] = {1, 2, 4, 5};
    for (size_t i = 0; i < sizeof(acked) / sizeof(acked[0]); i++)
        buf_printf(&expected, "PUB $JS.ACK.S.c.1.%d.0.0.0 0\r\n\r\n", acked[i]);
    EXPECT_TEXT(buf_text(&s.client.out), buf_text(&expected));
    buf_reset(&s.client.out);
    expect_no_ack(&s);
    seqset_add(&s.source.generation.ledger.durable, 6);
    s.source.state = SOURCE_OFF;
    expect_no_ack(&s);
    s.source.state = SOURCE_PULLING;
    acker_tick(&s.acker, &s.client, 2);
    EXPECT_U64(acks_in(&s.client.out), 1);
    EXPECT(acker_is_idle(&s.acker));
    EXPECT_U64(s.source.counters.acks_sent, 5);
    seqset_free(&s.source.unlisted);
    buf_free(&expected);
    stop(&s);
}

/* No more of them at a time than the socket takes. */
TEST(acker_acks_of_what_no_epoch_owes_no_more_than_the_socket_takes)
{
    enum { COUNT = 20000 };
    struct stage s;
    uint64_t sent = 0;
    start_all(&s, 10);
    s.source.ack = NATS_ACK_EXPLICIT;
    ledger_nothing_at(&s.source.generation.ledger, 0, 2 * COUNT);
    for (uint64_t seq = 1; seq <= COUNT; seq++)
        source_owe(&s.source, 2 * seq);
    while (!acker_is_idle(&s.acker)) {
        acker_tick(&s.acker, &s.client, 2);
        EXPECT(s.client.out.len < ACKER_OUTPUT_MAX + NATS_ACK_MAX);
        EXPECT(sent < COUNT);
        sent += acks_in(&s.client.out);
        buf_reset(&s.client.out);
    }
    EXPECT_U64(sent, COUNT);
    EXPECT_U64(s.source.unlisted.count, 0);
    seqset_free(&s.source.unlisted);
    stop(&s);
}

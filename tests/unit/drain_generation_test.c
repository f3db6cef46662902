/* SPDX-License-Identifier: MIT */
#include "drain/generation.h"

#include "test.h"

/* Nothing came between the question and the answer. */
static bool fits(struct generation *g, const struct nats_stream_info *info)
{
    return generation_judge(g, info, generation_known_now(g), 0) == GENERATION_FITS;
}

/* What a position says to be settled is what a crash behind its commit does not lose. */
TEST(drain_generation_counts_deliveries_that_are_in_an_epoch)
{
    struct generation g = {.delivered = 3};
    struct seqset rows = {0};
    struct position p;
    for (uint64_t i = 1; i <= 3; i++)
        EXPECT(ledger_receive(&g.ledger, i, i, 1) == LEDGER_NEW);
    (void)seqset_add(&rows, 1);
    (void)seqset_add(&rows, 3);
    generation_seal(&g, &rows, 3, 30, &p);
    EXPECT_U64(p.delivered, 2); /* the second waits, for instance as a dead letter */
    seqset_free(&p.above);

    seqset_reset(&rows);
    (void)seqset_add(&rows, 2);
    generation_seal(&g, &rows, 2, 20, &p);
    EXPECT_U64(p.delivered, 3);
    EXPECT_U64(p.last_seq, 3);
    seqset_free(&p.above);
    seqset_free(&rows);
    ledger_free(&g.ledger);
}

/* What was looked through without a row is worth an entry at the end of a run, once, and the next
 * run begins with it. */
TEST(drain_generation_knows_what_it_has_looked_through)
{
    const struct config_source settings = {.stream = "S", .consumer = "C"};
    const struct nats_stream_info info = {.created = slice_of("2026-01-01T00:00:00Z")};
    struct positions stored = {0};
    struct generation g, next;
    struct position p;
    struct seqset rows = {0};
    generation_init(&g, &settings, &stored);
    EXPECT(fits(&g, &info));
    ledger_nothing_at(&g.ledger, 0, 0);
    EXPECT(!generation_has_grown(&g)); /* the beginning is no message */
    EXPECT(ledger_receive(&g.ledger, 1, 1, 1) == LEDGER_NEW);
    EXPECT(!generation_has_grown(&g)); /* its epoch will say so */
    (void)seqset_add(&rows, 1);
    generation_seal(&g, &rows, 1, 10, &p);
    seqset_free(&p.above);
    EXPECT(!generation_has_grown(&g));
    ledger_nothing_at(&g.ledger, 2, 40); /* of others, as the consumer says */
    EXPECT(generation_has_grown(&g));
    generation_seal(&g, &(struct seqset){0}, 0, 0, &p);
    seqset_free(&p.above);
    EXPECT(!generation_has_grown(&g));
    g.seen = 90;
    EXPECT(generation_has_grown(&g));
    generation_seal(&g, &(struct seqset){0}, 0, 0, &p);
    EXPECT(!generation_has_grown(&g));
    EXPECT_U64(p.through, 40);
    EXPECT_U64(p.seen, 90);

    p.stream = "S";
    p.consumer = "C";
    p.created = "2026-01-01T00:00:00Z";
    positions_put(&stored, &p);
    generation_init(&next, &settings, &stored);
    EXPECT(fits(&next, &(struct nats_stream_info){.created = info.created, .last_seq = 99}));
    EXPECT(!generation_has_grown(&next));
    EXPECT(!generation_may_have_lost(&next, 91)); /* the stream begins there now */
    EXPECT(generation_may_have_lost(&next, 92));
    /* What somebody else has stored is theirs to say. */
    (void)seqset_add(&rows, 95);
    generation_stored(&next, &rows);
    EXPECT(!generation_has_grown(&next));
    seqset_free(&p.above);
    seqset_free(&rows);
    positions_free(&stored);
    generation_free(&g);
    generation_free(&next);
}

#define CREATED "2026-01-01T00:00:00Z"

/* A stream of ten messages, the last of them stored at second 100, that were dropped before they
 * were delivered: nobody's, as the consumer says; and what a position says of that. */
static void settle_dropped(struct generation *g, const struct config_source *settings,
                           struct positions *stored)
{
    struct position p;
    generation_init(g, settings, stored);
    EXPECT(fits(g, &(struct nats_stream_info){.created = slice_of(CREATED),
                                              .last_seq = 10,
                                              .last_ns = 100 * CLOCK_SECOND}));
    ledger_nothing_at(&g->ledger, 0, 10);
    generation_seal(g, &(struct seqset){0}, 0, 0, &p);
    EXPECT_U64(p.through, 10);
    EXPECT_U64(p.last_seq, 0);
    p.stream = settings->stream;
    p.consumer = settings->consumer;
    p.created = CREATED;
    positions_put(stored, &p);
    seqset_free(&p.above);
}

/* Set back, and grown again before anybody looked: under numbers that are settled come others. */
static void expect_others_seen(struct generation *g)
{
    EXPECT(fits(g, &(struct nats_stream_info){.created = slice_of(CREATED),
                                              .last_seq = 10,
                                              .last_ns = 200 * CLOCK_SECOND}));
    EXPECT(!generation_doubts(g, 11, 200 * CLOCK_SECOND)); /* a new one */
    EXPECT(!generation_doubts(g, 4, 99 * CLOCK_SECOND));   /* an old one */
    EXPECT(generation_doubts(g, 4, 199 * CLOCK_SECOND));
    EXPECT(!generation_lacks_newest(g));
    EXPECT(generation_is_left(g));
}

TEST(drain_generation_sees_others_where_nothing_was_delivered)
{
    const struct config_source settings = {.stream = "S", .consumer = "C"};
    struct positions none = {0}, stored = {0};
    struct generation g, next;
    settle_dropped(&g, &settings, &stored);
    generation_free(&g);
    generation_init(&next, &settings, &stored);
    expect_others_seen(&next); /* after a restart */
    generation_free(&next);
    settle_dropped(&g, &settings, &none);
    expect_others_seen(&g);
    generation_free(&g);
    positions_free(&none);
    positions_free(&stored);
}

/* No message and no word of the server tells when what is settled was stored. */
TEST(drain_generation_sees_a_stream_that_ends_within_what_is_settled)
{
    const struct config_source settings = {.stream = "S", .consumer = "C"};
    struct position p = {.stream = "S", .consumer = "C", .created = CREATED, .through = 10};
    struct nats_stream_info info = {.created = slice_of(CREATED), .last_seq = 10};
    struct positions stored = {0};
    struct generation g;
    positions_put(&stored, &p);
    generation_init(&g, &settings, &stored);
    EXPECT(fits(&g, &info));
    info.last_seq = 9;
    EXPECT(!fits(&g, &info));
    EXPECT(generation_is_left(&g));
    generation_free(&g);
    positions_free(&stored);
}

/* A message and the answer of a server take different ways: the newer one may come first. */
TEST(drain_generation_is_not_set_back_by_an_answer_that_was_overtaken)
{
    const struct config_source settings = {.stream = "S", .consumer = "C"};
    struct nats_stream_info info = {.created = slice_of(CREATED), .last_seq = 10};
    struct positions stored = {0};
    struct generation g;
    generation_init(&g, &settings, &stored);
    EXPECT(fits(&g, &info));
    generation_note(&g, 10, 100 * CLOCK_SECOND);
    struct generation_known asked = generation_known_now(&g);
    generation_note(&g, 11, 101 * CLOCK_SECOND);
    ledger_nothing_at(&g.ledger, 0, 11);
    EXPECT(generation_judge(&g, &info, asked, 0) == GENERATION_FITS);
    EXPECT(!fits(&g, &info)); /* that was asked with 11 known */
    EXPECT(generation_is_left(&g));
    generation_free(&g);
    positions_free(&stored);
}

/* Who leads the stream may store a message after who leads the consumer has delivered it, again and
 * again: it was set back if it stays behind what we knew when that was seen first. */
TEST(drain_generation_waits_for_the_leader_of_a_stream_with_replicas)
{
    const struct config_source settings = {.stream = "S", .consumer = "C"};
    struct nats_stream_info info = {.created = slice_of(CREATED), .last_seq = 10, .replicas = 3};
    struct positions stored = {0};
    struct generation g;
    int64_t now = 5;
    generation_init(&g, &settings, &stored);
    EXPECT(fits(&g, &info));
    for (uint64_t i = 11; i < 100; i++, now += GENERATION_LAG / 2) {
        generation_note(&g, i, (int64_t)i * CLOCK_SECOND);
        info.last_seq = i - 1;
        EXPECT_I64(generation_judge(&g, &info, generation_known_now(&g), now), GENERATION_LAGS);
    }
    info.last_seq = 99;
    EXPECT_I64(generation_judge(&g, &info, generation_known_now(&g), now), GENERATION_FITS);
    info.last_seq = 98;
    EXPECT_I64(generation_judge(&g, &info, generation_known_now(&g), now), GENERATION_LAGS);
    now += GENERATION_LAG - 1;
    EXPECT_I64(generation_judge(&g, &info, generation_known_now(&g), now), GENERATION_LAGS);
    EXPECT_I64(generation_judge(&g, &info, generation_known_now(&g), now + 1), GENERATION_LEFT);
    EXPECT(generation_is_left(&g));
    generation_free(&g);
    positions_free(&stored);
}

/* A start behind the end of the stream settles what is not there yet. */
TEST(drain_generation_waits_for_a_start_that_is_ahead)
{
    const struct config_source settings = {.stream = "S", .consumer = "C"};
    const struct positions none = {0};
    struct nats_stream_info info = {
        .created = slice_of(CREATED), .last_seq = 5, .last_ns = 100 * CLOCK_SECOND};
    struct generation g;
    generation_init(&g, &settings, &none);
    EXPECT(fits(&g, &info));
    generation_anchor(&g, 1000);
    EXPECT(fits(&g, &info));
    info.last_seq = 7;
    info.last_ns = 200 * CLOCK_SECOND;
    EXPECT(!generation_doubts(&g, 3, info.last_ns));
    EXPECT(fits(&g, &info));
    info.last_seq = 3; /* set back, which is nothing to us */
    EXPECT(fits(&g, &info));
    generation_free(&g);
}

/* What was delivered and is not settled may have gone with a crash of the server, which says
 * nothing of what is. */
TEST(drain_generation_forgets_what_was_delivered_in_vain)
{
    const struct config_source settings = {.stream = "S", .consumer = "C"};
    struct nats_stream_info info = {
        .created = slice_of(CREATED), .last_seq = 12, .last_ns = 120 * CLOCK_SECOND};
    struct positions stored = {0};
    struct generation g, next;
    settle_dropped(&g, &settings, &stored);
    EXPECT(fits(&g, &info));
    EXPECT(ledger_receive(&g.ledger, 12, 1, 1) == LEDGER_NEW);
    generation_note(&g, 12, 120 * CLOCK_SECOND);
    struct position p;
    generation_seal(&g, &(struct seqset){0}, 0, 0, &p);
    p.stream = "S";
    p.consumer = "C";
    p.created = CREATED;
    positions_put(&stored, &p);
    seqset_free(&p.above);
    generation_init(&next, &settings, &stored);
    info.last_seq = 11;
    EXPECT(fits(&next, &info));
    EXPECT_U64(next.newest_seq, 10);
    EXPECT_I64(next.newest_time, 100 * CLOCK_SECOND);
    generation_free(&g);
    generation_free(&next);
    positions_free(&stored);
}

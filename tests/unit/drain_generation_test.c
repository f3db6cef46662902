/* SPDX-License-Identifier: MIT */
#include "drain/generation.h"

#include "test.h"

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
    EXPECT(generation_fits(&g, &info));
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
    EXPECT(generation_fits(&next,
                           &(struct nats_stream_info){.created = info.created, .last_seq = 99}));
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

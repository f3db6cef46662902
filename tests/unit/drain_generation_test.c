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

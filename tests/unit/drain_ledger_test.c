/* SPDX-License-Identifier: MIT */
#include "drain/ledger.h"

#include "test.h"

TEST(ledger_takes_each_sequence_once)
{
    struct ledger l = {0};
    EXPECT(ledger_receive(&l, 7, 1, 1) == LEDGER_NEW);
    EXPECT(ledger_receive(&l, 7, 2, 2) == LEDGER_PENDING);
    ledger_free(&l);
}

TEST(ledger_calls_a_row_durable_only_after_its_commit)
{
    struct ledger l = {0};
    struct seqset rows = {0};
    seqset_add_range(&rows, 1, 3);
    for (uint64_t seq = 1; seq <= 3; seq++)
        EXPECT(ledger_receive(&l, seq, seq, 1) == LEDGER_NEW);
    ledger_seal(&l, &rows);
    EXPECT(ledger_receive(&l, 2, 4, 2) == LEDGER_PENDING);
    ledger_commit(&l, &rows);
    EXPECT(ledger_receive(&l, 2, 5, 3) == LEDGER_DURABLE);
    seqset_free(&rows);
    ledger_free(&l);
}

TEST(ledger_position_stops_at_what_is_missing)
{
    struct ledger l = {0};
    struct seqset rows = {0};
    ledger_nothing_at(&l, 0, 0);
    seqset_add_range(&rows, 1, 3);
    seqset_add_range(&rows, 5, 9);
    for (uint64_t seq = 1; seq <= 9; seq++)
        if (seq != 4)
            EXPECT(ledger_receive(&l, seq, 100, 2) == LEDGER_NEW); /* redeliveries: no inference */
    ledger_seal(&l, &rows);
    EXPECT_U64(ledger_position(&l), 0);
    ledger_commit(&l, &rows);
    EXPECT_U64(ledger_position(&l), 3);
    EXPECT(ledger_receive(&l, 4, 101, 2) == LEDGER_NEW);
    EXPECT_U64(ledger_taken_position(&l), 9);
    EXPECT_U64(ledger_position(&l), 3);
    seqset_free(&rows);
    ledger_free(&l);
}

/* The consumer numbers what it delivers; numbers that follow each other leave nothing out. */
TEST(ledger_closes_gaps_between_deliveries_that_follow_each_other)
{
    struct ledger l = {0};
    struct seqset rows = {0};
    ledger_in_step(&l, 0, 0);
    ledger_nothing_at(&l, 0, 0);
    EXPECT(ledger_receive(&l, 10, 1, 1) == LEDGER_NEW); /* 1-9 are of other subjects */
    EXPECT(ledger_receive(&l, 15, 2, 1) == LEDGER_NEW);
    (void)seqset_add(&rows, 10); /* new */
    (void)seqset_add(&rows, 15);
    ledger_seal(&l, &rows);
    ledger_commit(&l, &rows);
    EXPECT_U64(ledger_position(&l), 15);
    EXPECT_U64(l.durable.count, 1);
    seqset_free(&rows);
    ledger_free(&l);
}

/* Every second message is ours and the others are another's, who stored them: one pass over each,
 * not one insertion after the other, which takes hours. */
TEST(ledger_of_every_second_message)
{
    enum { MESSAGES = 1 << 20 };
    struct ledger l = {0};
    struct seqset rows = {0}, others = {0};
    window_open(&l.window, 0);
    ledger_in_step(&l, 0, 0);
    ledger_nothing_at(&l, 0, 0);
    for (uint64_t i = 1; i <= MESSAGES; i++) {
        EXPECT(ledger_receive(&l, 2 * i, i, 1) == LEDGER_NEW);
        seqset_add(&rows, 2 * i);
        seqset_add(&others, 2 * (MESSAGES + i));
    }
    EXPECT_U64(ledger_position(&l), 1);
    ledger_seal(&l, &rows);
    ledger_commit(&l, &rows);
    EXPECT_U64(ledger_position(&l), 2 * MESSAGES);
    ledger_nothing_in(&l, &others);
    window_add_all(&l.window, &others);
    EXPECT_U64(l.durable.count, 1 + MESSAGES);
    EXPECT(l.window.got.count <= WINDOW_RANGES_MAX);
    EXPECT(!window_lacks(&l.window, 4 * MESSAGES) && window_lacks(&l.window, 4 * MESSAGES - 1));
    EXPECT(ledger_receive(&l, 3 * MESSAGES, MESSAGES + 1, 2) == LEDGER_DURABLE);
    EXPECT(ledger_receive(&l, 3 * MESSAGES + 1, MESSAGES + 2, 2) == LEDGER_NEW);
    seqset_free(&rows);
    seqset_free(&others);
    ledger_free(&l);
}

enum { LEDGER_UNIVERSE = 400 };

/* What became of each sequence, one at a time. */
struct model {
    bool taken[LEDGER_UNIVERSE], sealed[LEDGER_UNIVERSE], durable[LEDGER_UNIVERSE];
};

static void model_nothing(struct model *m, size_t at)
{
    if (!m->taken[at])
        m->taken[at] = m->sealed[at] = m->durable[at] = true;
}

static uint64_t count_bits(const bool *bits)
{
    uint64_t count = 0;
    for (size_t i = 0; i < LEDGER_UNIVERSE; i++)
        count += bits[i];
    return count;
}

static void compare_with_model(const struct ledger *l, const struct model *m, uint64_t spread)
{
    uint64_t durable = 0, taken = 0, lacking = 0, last = 0;
    struct seqrange missing, range = {spread, (LEDGER_UNIVERSE - 1) * spread};
    while (durable + 1 < LEDGER_UNIVERSE && m->durable[durable + 1])
        durable++;
    while (taken + 1 < LEDGER_UNIVERSE && m->taken[taken + 1])
        taken++;
    for (size_t i = 1; i < LEDGER_UNIVERSE; i++) {
        lacking += !m->taken[i];
        last = m->durable[i] ? i : last;
    }
    if (spread == 1) {
        EXPECT_U64(ledger_position(l), durable);
        EXPECT_U64(ledger_taken_position(l), taken);
        EXPECT_U64(ledger_missing(l, range, &missing), lacking);
        EXPECT_U64(ledger_not_durable(l, range), LEDGER_UNIVERSE - count_bits(m->durable));
    }
    EXPECT_U64(ledger_last_durable(l, UINT64_MAX - 1), last * spread);
    EXPECT_U64(ledger_count_taken(l), count_bits(m->taken));
    EXPECT_U64(ledger_count_sealed(l), count_bits(m->sealed));
    EXPECT_U64(ledger_count_durable(l), count_bits(m->durable));
}

/* Epochs of what comes in any order, beside what holds nothing and what others stored. */
static void ledger_random_steps(uint64_t spread)
{
    struct ledger l = {0};
    struct model m = {0};
    struct seqset rows = {0}, others = {0};
    ledger_nothing_at(&l, 0, 0);
    model_nothing(&m, 0);
    for (int step = 0; step < 2000; step++) {
        size_t at = 1 + test_random() % (LEDGER_UNIVERSE - 1);
        uint64_t what = test_random() % 100;
        if (what < 70) {
            enum ledger_verdict verdict = ledger_receive(&l, at * spread, 1, 2);
            EXPECT(verdict == (!m.taken[at]    ? LEDGER_NEW
                               : m.durable[at] ? LEDGER_DURABLE
                                               : LEDGER_PENDING));
            if (verdict == LEDGER_NEW)
                seqset_add(&rows, at * spread);
            m.taken[at] = true;
        } else if (what < 95) {
            ledger_nothing_at(&l, at * spread, at * spread);
            model_nothing(&m, at);
        } else if (what < 98) {
            seqset_reset(&others);
            for (size_t i = at; i < LEDGER_UNIVERSE; i += 1 + test_random() % 9) {
                seqset_add(&others, i * spread);
                model_nothing(&m, i);
            }
            ledger_nothing_in(&l, &others);
        } else {
            ledger_seal(&l, &rows);
            for (size_t i = 0; i < LEDGER_UNIVERSE; i++)
                m.sealed[i] = m.sealed[i] || m.taken[i];
            compare_with_model(&l, &m, spread);
            ledger_commit(&l, &rows);
            memcpy(m.durable, m.sealed, sizeof(m.durable));
            seqset_reset(&rows);
        }
        compare_with_model(&l, &m, spread);
    }
    seqset_free(&rows);
    seqset_free(&others);
    ledger_free(&l);
}

TEST(ledger_agrees_with_a_table_of_neighbours)
{
    ledger_random_steps(1);
}

TEST(ledger_agrees_with_a_table_of_sequences_far_apart)
{
    ledger_random_steps(1000003);
}

/* A consumer that is far behind the others, whose rows stand between and above its own. */
TEST(ledger_far_behind_a_million_rows_of_others)
{
    enum { MESSAGES = 1 << 20 };
    struct ledger l = {0};
    struct seqset others = {0};
    ledger_nothing_at(&l, 0, 0);
    for (uint64_t i = 1; i <= MESSAGES; i++)
        seqset_add(&others, 4 * i);
    ledger_nothing_in(&l, &others);
    ledger_in_step(&l, 0, 0);
    for (uint64_t i = 0; i < MESSAGES / 4; i++) /* and 4i + 1, 4i + 3 hold nothing */
        EXPECT(ledger_receive(&l, 4 * i + 2, i + 1, 1) == LEDGER_NEW);
    EXPECT_U64(ledger_taken_position(&l), MESSAGES - 2);
    EXPECT_U64(ledger_position(&l), 1);
    for (uint64_t i = 0; i < MESSAGES / 4; i++)
        EXPECT(ledger_receive(&l, 4 * i + 3, 1, 2) == LEDGER_DURABLE || i + 1 == MESSAGES / 4);
    seqset_free(&others);
    ledger_free(&l);
}

TEST(ledger_concludes_nothing_when_a_delivery_is_missing)
{
    struct ledger l = {0};
    ledger_in_step(&l, 0, 0);
    ledger_nothing_at(&l, 0, 0);
    EXPECT(ledger_receive(&l, 1, 1, 1) == LEDGER_NEW);
    EXPECT(ledger_receive(&l, 9, 3, 1) == LEDGER_NEW); /* number 2 went elsewhere */
    EXPECT_U64(ledger_taken_position(&l), 1);
    EXPECT(ledger_receive(&l, 5, 4, 2) == LEDGER_NEW); /* and it was one of 2-8 */
    ledger_out_of_step(&l);
    EXPECT(ledger_receive(&l, 20, 5, 1) == LEDGER_NEW);
    EXPECT(!ledger_is_taken(&l, 19));
    ledger_free(&l);
}

TEST(ledger_counts_redeliveries_as_numbers)
{
    struct ledger l = {0};
    ledger_in_step(&l, 0, 0);
    EXPECT(ledger_receive(&l, 1, 1, 1) == LEDGER_NEW);
    EXPECT(ledger_receive(&l, 1, 2, 2) == LEDGER_PENDING);
    EXPECT(ledger_receive(&l, 4, 3, 1) == LEDGER_NEW);
    EXPECT(ledger_is_taken(&l, 2)); /* 2 and 3 hold nothing for us */
    ledger_free(&l);
}

TEST(ledger_remembers_what_the_store_has)
{
    struct ledger l = {0};
    struct seqset above = {0};
    seqset_add_range(&above, 12, 13);
    ledger_load(&l, 10, &above);
    EXPECT_U64(ledger_position(&l), 10);
    EXPECT(ledger_receive(&l, 1, 1, 1) == LEDGER_DURABLE);
    EXPECT(ledger_receive(&l, 11, 9, 2) == LEDGER_NEW);
    EXPECT(ledger_receive(&l, 13, 10, 2) == LEDGER_DURABLE);
    EXPECT(ledger_receive(&l, 14, 11, 2) == LEDGER_NEW);
    seqset_free(&above);
    ledger_free(&l);
}

/* What is in an epoch stays what it is: not durable before it is committed. */
TEST(ledger_nothing_at_leaves_alone_what_is_claimed)
{
    struct ledger l = {0};
    struct seqrange missing;
    ledger_nothing_at(&l, 0, 10);
    EXPECT(ledger_receive(&l, 15, 1, 1) == LEDGER_NEW);
    EXPECT(ledger_receive(&l, 20, 2, 2) == LEDGER_NEW);
    EXPECT_U64(ledger_missing(&l, (struct seqrange){1, 20}, &missing), 8);
    EXPECT_U64(missing.first, 11);
    EXPECT_U64(missing.last, 19);
    ledger_nothing_at(&l, 5, 22);
    EXPECT(!seqset_contains(&l.durable, 15) && !seqset_contains(&l.durable, 20));
    EXPECT_U64(ledger_position(&l), 14);
    EXPECT_U64(ledger_taken_position(&l), 22);
    EXPECT_U64(ledger_missing(&l, (struct seqrange){0, 22}, &missing), 0);
    EXPECT_U64(ledger_missing(&l, (struct seqrange){UINT64_MAX, UINT64_MAX}, &missing), 1);
    ledger_nothing_at(&l, UINT64_MAX - 1, UINT64_MAX);
    EXPECT_U64(ledger_missing(&l, (struct seqrange){23, UINT64_MAX}, &missing),
               UINT64_MAX - 1 - 23);
    EXPECT_U64(missing.last, UINT64_MAX - 2);
    ledger_free(&l);
}

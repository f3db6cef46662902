/* SPDX-License-Identifier: MIT */
#include "pipeline/flow.h"

#include "test.h"

#define MIB (UINT64_C(1) << 20)

static struct flow_state calm(void)
{
    return (struct flow_state){
        .memory_limit = 256 * MIB, .expansion = 2, .disk_free = 10, .min_free = 10};
}

TEST(flow_goes_on_when_all_is_well)
{
    struct flow_state s = calm();
    EXPECT_U64(flow_pauses(&s), 0);
    s.epochs = 1;
    EXPECT_U64(flow_pauses(&s), 0);
}

TEST(flow_pauses_for_each_reason)
{
    struct flow_state s = calm();
    s.failing = true;
    EXPECT_U64(flow_pauses(&s), 1u << FLOW_COMMIT);
    s = calm();
    s.epochs = FLOW_EPOCHS_MAX;
    EXPECT_U64(flow_pauses(&s), 1u << FLOW_COMMIT);
    s = calm();
    s.queued = 16 * MIB;
    EXPECT_U64(flow_pauses(&s), 1u << FLOW_ENCODER);
    s = calm();
    s.memory = 192 * MIB;
    EXPECT_U64(flow_pauses(&s), 1u << FLOW_MEMORY);
    s = calm();
    s.disk_free = 9;
    EXPECT_U64(flow_pauses(&s), 1u << FLOW_DISK_LOW);
    EXPECT_TEXT(flow_pause_name(FLOW_DISK_LOW), "disk");
}

/* By hand: three quarters of 256 MiB are 192 MiB, a 256th is 1 MiB. */
TEST(flow_asks_for_what_there_is_room_for)
{
    struct flow_state s = calm();
    s.memory = 92 * MIB;
    EXPECT_U64(flow_pull_bytes(&s), 50 * MIB);
    s.expansion = 10;
    EXPECT_U64(flow_pull_bytes(&s), 10 * MIB);
    s.oversize = 30 * MIB;
    EXPECT_U64(flow_pull_bytes(&s), 1 * MIB);
    EXPECT_U64(flow_pauses(&s), 0);
    s.oversize++;
    EXPECT_U64(flow_pauses(&s), 1u << FLOW_MEMORY);
    s.oversize = 100 * MIB;
    EXPECT_U64(flow_pull_bytes(&s), 0);
}

/* By hand: 24 MiB are 2,048 partitions of 12 KiB, half of them of one epoch. */
TEST(flow_asks_for_no_more_messages_than_partitions_are_free)
{
    struct flow_state s = calm();
    s.memory_limit = 24 * MIB;
    s.message = 100;
    EXPECT_U64(flow_share(&s), 2048 * 100);
    s.partitions = 2000;
    EXPECT_U64(flow_share(&s), 48 * 100);
    EXPECT_U64(flow_pauses(&s), 0); /* nothing would free any */
    s.epochs = 1;
    EXPECT_U64(flow_pauses(&s), 1u << FLOW_MEMORY);
    s.partitions = 2048 - 64;
    EXPECT_U64(flow_pauses(&s), 0);
    s.partitions = 3000;
    EXPECT_U64(flow_share(&s), 0);
    s.partitions = 0;
    s.message = MIB; /* memory is the limit */
    EXPECT_U64(flow_share(&s), flow_pull_bytes(&s));
}

/* Pauses end by commits alone: where there is nothing to commit, none may begin. */
TEST(flow_does_not_wait_for_nothing)
{
    struct flow_state s = calm();
    s.empty = true;
    s.oversize = 200 * MIB;
    EXPECT_U64(flow_pauses(&s), 0);
    EXPECT(!flow_must_seal(&s));
    s.epochs = 1;
    EXPECT_U64(flow_pauses(&s), 1u << FLOW_MEMORY);
}

TEST(flow_seals_at_half_of_the_limit)
{
    struct flow_state s = calm();
    s.memory = 128 * MIB - 1;
    EXPECT(!flow_must_seal(&s));
    s.memory = 128 * MIB;
    EXPECT(flow_must_seal(&s));
    EXPECT_U64(flow_pauses(&s), 0); /* what is sealed leaves room for as much again */
    s.idle = 1;
    EXPECT(!flow_must_seal(&s)); /* what the epoch does not have is not given back by its commit */
    s.idle = 0;
    s.epochs = 1;
    EXPECT(!flow_must_seal(&s)); /* one at a time */
    s.epochs = 0;
    s.empty = true;
    EXPECT(!flow_must_seal(&s));
}

/* A large message does not fit beside what is open. */
TEST(flow_seals_to_make_room_for_a_large_message)
{
    struct flow_state s = calm();
    s.memory = 100 * MIB;
    s.oversize = 32 * MIB;
    EXPECT(flow_must_seal(&s));
    s.oversize = 30 * MIB;
    EXPECT(!flow_must_seal(&s));
}

/* By hand: 92 + 2 * 20 + 60 is 192, three quarters of the limit. */
TEST(flow_makes_room_for_what_can_not_become_a_row)
{
    struct flow_state s = calm();
    s.memory = 92 * MIB;
    s.on_the_way = 20 * MIB;
    s.large = 60 * MIB;
    EXPECT(flow_has_room(&s) && flow_may_be_large(&s) && !flow_must_seal(&s));
    s.large++;
    EXPECT(!flow_has_room(&s) && !flow_may_be_large(&s));
    EXPECT(flow_must_seal(&s));
    s.empty = true; /* what is open is sealed */
    s.epochs = 1;
    EXPECT(!flow_may_be_large(&s));
    s.epochs = 0; /* and committed */
    EXPECT(!flow_may_be_large(&s));
    s.on_the_way = 0;
    s.large = FLOW_LARGE_BYTES(s.memory_limit);
    EXPECT(flow_may_be_large(&s));
    EXPECT_U64(flow_pauses(&s), 0);
}

/* Whatever the limit: when all has come that may be asked for, a row group fits, too. */
TEST(flow_shares_fit_into_the_limit)
{
    for (uint64_t limit = 16 * MIB; limit <= 1024 * MIB; limit *= 2) {
        struct flow_state s = calm();
        s.memory_limit = limit;
        for (s.memory = 0; s.memory < limit; s.memory += limit / 64) {
            if (flow_pauses(&s) != 0)
                continue;
            uint64_t arrived = s.memory + s.expansion * flow_pull_bytes(&s);
            EXPECT(arrived + FLOW_ROW_GROUP_BYTES(limit) <= limit);
        }
    }
}

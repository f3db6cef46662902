/* SPDX-License-Identifier: MIT */
#include "pipeline/flow.h"

#include "test.h"

static struct flow_state calm(void)
{
    return (struct flow_state){.memory_limit = 256 << 20, .disk_free = 10, .min_free = 10};
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
    s.queued = 16 << 20;
    EXPECT_U64(flow_pauses(&s), 1u << FLOW_ENCODER);
    s = calm();
    s.memory = 250 << 20;
    EXPECT_U64(flow_pauses(&s), 1u << FLOW_MEMORY);
    s = calm();
    s.disk_free = 9;
    EXPECT_U64(flow_pauses(&s), 1u << FLOW_DISK_LOW);
    EXPECT_TEXT(flow_pause_name(FLOW_DISK_LOW), "disk");
}

/* What is sealed early has to leave room for as much again. */
TEST(flow_seals_before_memory_pauses)
{
    struct flow_state s = calm();
    s.memory = flow_seal_memory(s.memory_limit);
    EXPECT_U64(flow_pauses(&s), 0);
}

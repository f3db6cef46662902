/* SPDX-License-Identifier: MIT */
#include "nats/consumer.h"

#include "base/clock.h"
#include "test.h"

static const struct nats_consumer_config plain = {
    .durable = {(const uint8_t *)"varve", 5},
    .deliver = NATS_DELIVER_ALL,
    .ack = NATS_ACK_EXPLICIT,
    .ack_wait_ns = 600 * CLOCK_SECOND,
    .max_ack_pending = 1000,
};

static struct nats_consumer_diff compare(const struct nats_consumer_config *wanted,
                                         const struct nats_consumer_config *found)
{
    struct nats_consumer_diff diff;
    nats_consumer_compare(wanted, found, &diff);
    return diff;
}

TEST(nats_consumer_diff_of_equals_is_empty)
{
    struct nats_consumer_diff d = compare(&plain, &plain);
    EXPECT_U64(d.count, 0);
    EXPECT_TEXT(d.text, "");
}

TEST(nats_consumer_diff_does_not_compare_what_we_leave_to_the_server)
{
    struct nats_consumer_config found = plain;
    found.max_waiting = 512;
    found.max_deliver = -1;
    found.replicas = 3;
    found.description = slice_of("theirs");
    found.inactive_threshold_ns = 5 * CLOCK_SECOND;
    EXPECT_U64(compare(&plain, &found).count, 0);
}

TEST(nats_consumer_diff_says_what_can_be_updated_and_what_not)
{
    struct nats_consumer_config found = plain;
    found.ack_wait_ns = 30 * CLOCK_SECOND;
    struct nats_consumer_diff d = compare(&plain, &found);
    EXPECT_TEXT(d.text, "ack_wait is 30s, want 10m");
    EXPECT(d.count == 1 && d.fixed == 0);
    found.ack = NATS_ACK_NONE;
    found.max_ack_pending = -1;
    d = compare(&plain, &found);
    EXPECT_TEXT(d.text, "ack_policy is none, want explicit (fixed); ack_wait is 30s, want 10m; "
                        "max_ack_pending is -1, want 1000");
    EXPECT(d.count == 3 && d.fixed == 1);
}

TEST(nats_consumer_diff_finds_a_push_consumer)
{
    struct nats_consumer_config found = plain;
    found.deliver_subject = slice_of("x");
    struct nats_consumer_diff d = compare(&plain, &found);
    EXPECT(d.fixed == 1 && strstr(d.text, "push") != NULL);
}

TEST(nats_consumer_diff_of_the_start)
{
    struct nats_consumer_config wanted = plain, found = plain;
    wanted.deliver = NATS_DELIVER_BY_START_SEQUENCE;
    wanted.start_seq = 10;
    EXPECT_TEXT(compare(&wanted, &found).text,
                "deliver_policy is all, want by_start_sequence (fixed)");
    found.deliver = wanted.deliver;
    found.start_seq = 9;
    EXPECT_TEXT(compare(&wanted, &found).text, "opt_start_seq is 9, want 10 (fixed)");
    found.start_seq = 10;
    EXPECT_U64(compare(&wanted, &found).count, 0);
    wanted.deliver = found.deliver = NATS_DELIVER_BY_START_TIME;
    wanted.start_time_ns = 1000000000;
    EXPECT_TEXT(compare(&wanted, &found).text,
                "opt_start_time is 1970-01-01T00:00:00.000000000Z, want "
                "1970-01-01T00:00:01.000000000Z (fixed)");
}

TEST(nats_consumer_diff_compares_filters_as_sets)
{
    struct slice ab[] = {slice_of("a"), slice_of("b")}, ba[] = {slice_of("b"), slice_of("a")};
    struct slice c = slice_of("c");
    struct nats_consumer_config wanted = plain, found = plain;
    wanted.filters = ab;
    wanted.filter_count = 2;
    found.filters = ba;
    found.filter_count = 2;
    EXPECT_U64(compare(&wanted, &found).count, 0);
    found.filters = &c;
    found.filter_count = 1;
    struct nats_consumer_diff d = compare(&wanted, &found);
    EXPECT_TEXT(d.text, "it filters c, want a b");
    EXPECT(d.fixed == 0 && !d.filters_ignored);
    d = compare(&plain, &found); /* we want everything, it has a filter */
    EXPECT_TEXT(d.text, "it filters c, want everything");
}

TEST(nats_consumer_diff_sees_filters_that_an_old_server_ignored)
{
    struct slice ab[] = {slice_of("a"), slice_of("b")};
    struct nats_consumer_config wanted = plain;
    wanted.filters = ab;
    wanted.filter_count = 2;
    struct nats_consumer_diff d = compare(&wanted, &plain);
    EXPECT(d.filters_ignored);
    EXPECT_TEXT(d.text, "it filters everything, want a b");
}

/* Every pull would be refused. */
TEST(nats_consumer_diff_wants_no_priority_groups)
{
    struct nats_consumer_config found = plain;
    found.grouped = true;
    struct nats_consumer_diff d = compare(&plain, &found);
    EXPECT_U64(d.count, 1);
    EXPECT_U64(d.fixed, 0);
    EXPECT_TEXT(d.text, "it has priority_groups, want none");
}

TEST(nats_consumer_diff_survives_long_lists)
{
    struct slice many[NATS_FILTERS_MAX];
    for (size_t i = 0; i < NATS_FILTERS_MAX; i++)
        many[i] = slice_of("a.rather.long.subject.that.fills.the.text");
    struct nats_consumer_config wanted = plain, found = plain;
    wanted.filters = many;
    wanted.filter_count = NATS_FILTERS_MAX;
    found.ack = NATS_ACK_UNKNOWN;
    found.deliver = NATS_DELIVER_UNKNOWN;
    found.headers_only = true;
    found.grouped = true;
    found.ack_wait_ns = 1;
    struct nats_consumer_diff d = compare(&wanted, &found);
    EXPECT_U64(d.count, 6);
    EXPECT(strlen(d.text) < sizeof(d.text));
}

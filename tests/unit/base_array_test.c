/* SPDX-License-Identifier: MIT */
#include "base/array.h"

#include "child.h"
#include "test.h"

struct pair {
    uint32_t a, b;
};

struct pairs {
    ARRAY(struct pair);
};

TEST(array_keeps_what_was_added_while_it_grows)
{
    struct pairs pairs = {0};
    struct {
        ARRAY(const char *) names;
    } member = {0};
    for (uint32_t i = 0; i < 10000; i++) {
        *array_add(&pairs) = (struct pair){i, ~i};
        *array_add(&member.names) = i % 2 == 0 ? "even" : "odd";
    }
    EXPECT_U64(pairs.count, 10000);
    for (uint32_t i = 0; i < 10000; i++) {
        EXPECT_U64(pairs.list[i].a, i);
        EXPECT_U64(pairs.list[i].b, ~i);
        EXPECT_TEXT(member.names.list[i], i % 2 == 0 ? "even" : "odd");
    }
    array_free(&pairs);
    array_free(&member.names);
    EXPECT(pairs.list == NULL && pairs.count == 0 && pairs.cap == 0);
}

TEST(array_grows_in_few_steps_and_reserves_exactly_what_is_more)
{
    struct pairs pairs = {0};
    int moves = 0;
    for (int i = 0; i < 100000; i++) {
        size_t before = pairs.cap;
        (void)array_add(&pairs);
        moves += pairs.cap != before;
        EXPECT(pairs.cap >= pairs.count);
    }
    EXPECT(moves < 20);
    array_free(&pairs);
    array_reserve(&pairs, 1000);
    EXPECT_U64(pairs.cap, 1000);
    EXPECT_U64(pairs.count, 0);
    struct pair *list = pairs.list;
    array_reserve(&pairs, 1000);
    EXPECT(pairs.list == list);
    pairs.count = 990;
    array_reserve(&pairs, 11);
    EXPECT(pairs.cap >= 1001);
    array_free(&pairs);
    array_free(&pairs);
}

static void overflow_bytes(void)
{
    struct pairs pairs = {0};
    array_reserve(&pairs, SIZE_MAX / 8 + 2);
}

static void overflow_count(void)
{
    struct pairs pairs = {.count = 1, .cap = 1};
    array_reserve(&pairs, SIZE_MAX);
}

TEST(array_refuses_sizes_that_overflow)
{
    EXPECT(child_assert_fails(overflow_bytes));
    EXPECT(child_assert_fails(overflow_count));
}

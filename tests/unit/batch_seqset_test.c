/* SPDX-License-Identifier: MIT */
#include "batch/seqset.h"

#include "child.h"
#include "test.h"

static void expect_ranges(const struct seqset *set, const struct seqrange *ranges, size_t count)
{
    EXPECT_U64(set->count, count);
    for (size_t i = 0; i < count; i++) {
        EXPECT_U64(set->list[i].first, ranges[i].first);
        EXPECT_U64(set->list[i].last, ranges[i].last);
    }
}

#define EXPECT_RANGES(set, ...)                                  \
    expect_ranges((set), (const struct seqrange[]){__VA_ARGS__}, \
                  sizeof((const struct seqrange[]){__VA_ARGS__}) / sizeof(struct seqrange))

TEST(seqset_zeroed_is_empty)
{
    struct seqset set = {0};
    EXPECT(!seqset_contains(&set, 0));
    EXPECT(!seqset_contains(&set, UINT64_MAX));
    EXPECT_U64(seqset_size(&set), 0);
    EXPECT_U64(seqset_contiguous_end(&set, 7), 6);
    seqset_remove_through(&set, UINT64_MAX);
    seqset_reset(&set);
    seqset_free(&set);
    seqset_free(&set);
    EXPECT(set.list == NULL && set.count == 0 && set.cap == 0);
}

TEST(seqset_add_in_order_is_one_range)
{
    struct seqset set = {0};
    for (uint64_t i = 1; i <= 100000; i++)
        EXPECT(seqset_add(&set, i));
    EXPECT_RANGES(&set, {1, 100000});
    EXPECT(!seqset_add(&set, 1));
    EXPECT(!seqset_add(&set, 100000));
    EXPECT_U64(seqset_size(&set), 100000);
    seqset_free(&set);
}

TEST(seqset_neighbours_merge_on_either_side)
{
    struct seqset set = {0};
    EXPECT(seqset_add(&set, 10));
    EXPECT(seqset_add(&set, 12));
    EXPECT_RANGES(&set, {10, 10}, {12, 12});
    EXPECT(seqset_add(&set, 11));
    EXPECT_RANGES(&set, {10, 12});
    EXPECT(seqset_add(&set, 9));
    EXPECT_RANGES(&set, {9, 12});
    EXPECT(seqset_add(&set, 13));
    EXPECT_RANGES(&set, {9, 13});
    EXPECT(!seqset_add(&set, 11));
    seqset_free(&set);
}

TEST(seqset_add_range_swallows_what_it_touches)
{
    struct seqset set = {0};
    for (uint64_t i = 10; i <= 100; i += 10)
        seqset_add_range(&set, i, i + 2);
    EXPECT_U64(set.count, 10);
    seqset_add_range(&set, 31, 31); /* inside */
    EXPECT_U64(set.count, 10);
    seqset_add_range(&set, 33, 61); /* from the neighbour of one into another */
    EXPECT_RANGES(&set, {10, 12}, {20, 22}, {30, 62}, {70, 72}, {80, 82}, {90, 92}, {100, 102});
    seqset_add_range(&set, 24, 28); /* touches nothing */
    EXPECT_U64(set.count, 8);
    seqset_add_range(&set, 1, 1000);
    EXPECT_RANGES(&set, {1, 1000});
    seqset_free(&set);
}

TEST(seqset_both_ends_of_the_numbers)
{
    struct seqset set = {0};
    EXPECT(seqset_add(&set, UINT64_MAX));
    EXPECT(seqset_add(&set, 0));
    EXPECT(!seqset_add(&set, UINT64_MAX));
    EXPECT_RANGES(&set, {0, 0}, {UINT64_MAX, UINT64_MAX});
    EXPECT_U64(seqset_contiguous_end(&set, UINT64_MAX), UINT64_MAX);
    EXPECT_U64(seqset_contiguous_end(&set, 0), 0);
    seqset_add_range(&set, 1, UINT64_MAX - 1);
    EXPECT_RANGES(&set, {0, UINT64_MAX});
    EXPECT_U64(seqset_size(&set), UINT64_MAX); /* 2^64 does not fit */
    seqset_remove_through(&set, 0);
    EXPECT_RANGES(&set, {1, UINT64_MAX});
    EXPECT_U64(seqset_size(&set), UINT64_MAX); /* exactly */
    seqset_remove_through(&set, UINT64_MAX - 1);
    EXPECT_RANGES(&set, {UINT64_MAX, UINT64_MAX});
    seqset_remove_through(&set, UINT64_MAX);
    EXPECT_U64(set.count, 0);
    seqset_add_range(&set, 0, UINT64_MAX);
    EXPECT_RANGES(&set, {0, UINT64_MAX});
    seqset_free(&set);
}

TEST(seqset_add_all_is_the_union)
{
    struct seqset a = {0};
    struct seqset b = {0};
    seqset_add_range(&a, 1, 5);
    seqset_add_range(&a, 20, 25);
    seqset_add_range(&b, 6, 7);
    seqset_add_range(&b, 24, 30);
    seqset_add_range(&b, 40, 40);
    seqset_add_all(&a, &b);
    EXPECT_RANGES(&a, {1, 7}, {20, 30}, {40, 40});
    EXPECT_RANGES(&b, {6, 7}, {24, 30}, {40, 40});
    seqset_add_all(&a, &a);
    EXPECT_RANGES(&a, {1, 7}, {20, 30}, {40, 40});
    seqset_free(&a);
    seqset_free(&b);
}

static void add_backwards(void)
{
    struct seqset set = {0};
    seqset_add_range(&set, 2, 1);
}

TEST(seqset_range_upside_down_fails_a_check)
{
    EXPECT(child_assert_fails(add_backwards));
}

enum { UNIVERSE = 160 };

/* All that can be asked of a set, against a bitmap of base..base + UNIVERSE - 1. */
static void compare(const struct seqset *set, const bool *bits, uint64_t base)
{
    uint64_t size = 0;
    size_t runs = 0;
    for (size_t i = 0; i < UNIVERSE; i++) {
        EXPECT(seqset_contains(set, base + i) == bits[i]);
        size += bits[i];
        runs += bits[i] && (i == 0 || !bits[i - 1]);
        size_t end = i;
        while (end < UNIVERSE && bits[end])
            end++;
        EXPECT_U64(seqset_contiguous_end(set, base + i), base + end - 1);
    }
    EXPECT_U64(seqset_size(set), size);
    EXPECT_U64(set->count, runs); /* as few ranges as can be */
    for (size_t i = 0; i < set->count; i++) {
        EXPECT(set->list[i].first <= set->list[i].last);
        EXPECT(i == 0 || set->list[i].first > set->list[i - 1].last + 1);
    }
}

/* Some of the universe, which the bitmap gets as well. */
static void fill_sparsely(struct seqset *set, bool *bits, uint64_t base)
{
    uint64_t often = 1 + test_random() % 8;
    seqset_reset(set);
    for (size_t i = test_random() % UNIVERSE; i < UNIVERSE; i++)
        if (test_random() % often == 0 && seqset_add(set, base + i))
            bits[i] = true;
}

static void add_new_sparsely(struct seqset *set, bool *bits, uint64_t base)
{
    struct seqset from = {0}, without = {0};
    bool in[UNIVERSE] = {0}, out[UNIVERSE] = {0};
    size_t through = test_random() % UNIVERSE;
    fill_sparsely(&from, in, base);
    fill_sparsely(&without, out, base);
    seqset_add_new(set, &from, &without, base + through);
    for (size_t i = through + 1; i < UNIVERSE; i++)
        bits[i] = bits[i] || (in[i] && !out[i]);
    seqset_free(&from);
    seqset_free(&without);
}

static void random_steps(uint64_t base)
{
    struct seqset set = {0};
    struct seqset other = {0};
    bool bits[UNIVERSE] = {0};
    for (int step = 0; step < 4000; step++) {
        size_t a = test_random() % UNIVERSE;
        size_t b = a + test_random() % 12;
        if (b >= UNIVERSE)
            b = UNIVERSE - 1;
        uint64_t what = test_random() % 40;
        if (what < 20) {
            EXPECT(seqset_add(&set, base + a) == !bits[a]);
            bits[a] = true;
        } else if (what < 32) {
            seqset_add_range(&set, base + a, base + b);
            memset(bits + a, true, b - a + 1);
        } else if (what < 36) {
            fill_sparsely(&other, bits, base);
            seqset_add_all(&set, &other);
        } else if (what < 38) {
            add_new_sparsely(&set, bits, base);
        } else {
            seqset_remove_through(&set, base + a);
            memset(bits, false, a + 1);
        }
        compare(&set, bits, base);
    }
    seqset_free(&set);
    seqset_free(&other);
}

TEST(seqset_agrees_with_a_bitmap_at_zero)
{
    random_steps(0);
}

TEST(seqset_agrees_with_a_bitmap_above_32_bits)
{
    random_steps((UINT64_C(1) << 32) - UNIVERSE / 2);
}

TEST(seqset_agrees_with_a_bitmap_at_the_end)
{
    random_steps(UINT64_MAX - UNIVERSE + 1);
}

/* Four consumers of one stream, each with its own part of the subjects, know of one another's rows
 * as a range a message. One insertion after the other, each moving all behind it, takes hours. */
TEST(seqset_a_million_ranges_between_a_million_others)
{
    enum { RANGES = 1 << 20 };
    struct seqset a = {0}, b = {0}, c = {0}, nothing = {0};
    for (uint64_t i = 0; i < RANGES; i++) {
        seqset_add(&a, 6 * i);
        seqset_add(&b, 6 * i + 2);
        seqset_add(&c, 6 * i + 4);
    }
    seqset_add_all(&a, &b);
    EXPECT_U64(a.count, 2 * RANGES);
    seqset_add_new(&a, &c, &b, 0);
    EXPECT_U64(a.count, 3 * RANGES);
    EXPECT_U64(seqset_size(&a), 3 * RANGES);
    seqset_add_new(&nothing, &a, &a, 0);
    EXPECT_U64(nothing.count, 0);
    for (uint64_t i = 0; i < RANGES; i++) {
        b.list[i] = (struct seqrange){6 * i + 3, 6 * i + 3};
        c.list[i] = (struct seqrange){6 * i + 5, 6 * i + 5};
    }
    seqset_add_all(&a, &b);
    seqset_add_all(&a, &c);
    EXPECT_U64(a.count, RANGES + 1); /* 0, then 2 to 6 and so on */
    EXPECT(a.list[1].first == 2 && a.list[1].last == 6);
    seqset_free(&a);
    seqset_free(&b);
    seqset_free(&c);
    seqset_free(&nothing);
}

TEST(seqset_find_gives_the_range_there_or_behind)
{
    struct seqset set = {0};
    EXPECT(seqset_find(&set, 0) == NULL);
    seqset_add_range(&set, 3, 5);
    seqset_add_range(&set, 9, 9);
    EXPECT_U64(seqset_find(&set, 0)->first, 3);
    EXPECT_U64(seqset_find(&set, 5)->first, 3);
    EXPECT_U64(seqset_find(&set, 6)->first, 9);
    EXPECT(seqset_find(&set, 10) == NULL);
    seqset_free(&set);
}

static bool parse_ranges(const char *text, struct seqset *set)
{
    seqset_reset(set);
    return seqset_parse_text(set, slice_of(text));
}

TEST(seqset_ranges_are_text)
{
    struct seqset set = {0};
    struct buf out = {0};
    EXPECT(parse_ranges("", &set) && set.count == 0);
    EXPECT(parse_ranges("1-5,7,9-18446744073709551615", &set));
    EXPECT_U64(set.count, 3);
    EXPECT(set.list[1].first == 7 && set.list[1].last == 7);
    EXPECT(set.list[2].first == 9 && set.list[2].last == UINT64_MAX);
    seqset_write_text(&out, &set);
    EXPECT_TEXT(buf_text(&out), "1-5,7,9-18446744073709551615");
    static const char *const bad[] = {",",       "1,",   ",1",    "1-",    "-1",
                                      "5-1",     "1,,2", "1-2-3", "1, 2",  "3,2",
                                      "1-5,5-6", "x",    "+1",    "1-5,3", "18446744073709551616"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT(!parse_ranges(bad[i], &set));
    buf_free(&out);
    seqset_free(&set);
}

static void expect_new(const char *from, const char *without, uint64_t through,
                       const char *expected)
{
    struct seqset a = {0}, b = {0}, set = {0};
    struct buf out = {0};
    EXPECT(parse_ranges(from, &a) && parse_ranges(without, &b));
    seqset_add_new(&set, &a, &b, through);
    seqset_write_text(&out, &set);
    EXPECT_TEXT(buf_text(&out), expected);
    buf_free(&out);
    seqset_free(&a);
    seqset_free(&b);
    seqset_free(&set);
}

TEST(seqset_adds_what_is_new)
{
    expect_new("5-9,12,20-30", "", 0, "5-9,12,20-30");
    expect_new("5-9,12,20-30", "", 6, "7-9,12,20-30");
    expect_new("5-9,12,20-30", "", 30, "");
    expect_new("5-9,12,20-30", "5-9,12,20-30", 0, "");
    expect_new("5-9,12,20-30", "1-100", 0, "");
    expect_new("5-9,12,20-30", "7,12,21,23-24,29-40", 5, "6,8-9,20,22,25-28");
    expect_new("5-9,12,20-30", "1-3,10-11,13-19,31", 0, "5-9,12,20-30");
    expect_new("", "1-3", 0, "");
}

TEST(seqset_meet_finds_the_lowest)
{
    static const struct {
        const char *a, *b;
        uint64_t first; /* 0: they don't meet */
    } cases[] = {
        {"", "1-5", 0},        {"1-5", "6-9", 0},      {"1-5,9", "6-8,10", 0}, {"1-5", "5-9", 5},
        {"3-7", "1-4,6", 3},   {"2,4,6,8", "5-6", 6},  {"1-100", "50", 50},    {"7", "7", 7},
        {"1,3,5", "2,4,6", 0}, {"1,3,5,9", "8-20", 9},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seqset a = {0}, b = {0};
        uint64_t first = 0;
        EXPECT(seqset_parse_text(&a, slice_of(cases[i].a)));
        EXPECT(seqset_parse_text(&b, slice_of(cases[i].b)));
        EXPECT(seqset_meet(&a, &b, &first) == (cases[i].first > 0));
        EXPECT_U64(first, cases[i].first);
        first = 0;
        EXPECT(seqset_meet(&b, &a, &first) == (cases[i].first > 0));
        EXPECT_U64(first, cases[i].first);
        seqset_free(&a);
        seqset_free(&b);
    }
}

/* SPDX-License-Identifier: MIT */
#include "verify/sequences.h"

#include "base/buf.h"
#include "test.h"

TEST(cli_verify_sequences_normalize)
{
    struct seqset set = {0};
    uint64_t twice = 1;
    sequences_normalize(&set, &twice);
    EXPECT(set.count == 0 && twice == 0);
    static const struct seqrange given[] = {{20, 25}, {1, 3}, {4, 4}, {8, 9}, {26, 26}};
    struct seqrange ranges[5];
    memcpy(ranges, given, sizeof(given));
    struct seqset some = {{.list = ranges, .count = 5}};
    sequences_normalize(&some, &twice);
    EXPECT_U64(twice, 0);
    EXPECT_U64(some.count, 3);
    EXPECT(ranges[0].first == 1 && ranges[0].last == 4);
    EXPECT(ranges[1].first == 8 && ranges[1].last == 9);
    EXPECT(ranges[2].first == 20 && ranges[2].last == 26);

    struct seqrange overlap[] = {{1, 10}, {3, 4}, {10, 12}, {UINT64_MAX, UINT64_MAX}};
    struct seqset other = {{.list = overlap, .count = 4}};
    sequences_normalize(&other, &twice);
    EXPECT_U64(twice, 3);
    EXPECT(other.count == 2 && overlap[0].last == 12);
}

/* One file with one range. */
static void add(struct sequences *s, const char *created, uint32_t file, uint64_t first,
                uint64_t last, bool quarantine)
{
    struct seqrange range = {first, last};
    struct seqset set = {{.list = &range, .count = 1}};
    sequences_add(s, slice_of("LOG"), slice_of(created), file, quarantine, &set);
}

static const char *const paths[] = {"a", "b", "c", "d"};

/* The texts of what is reported. */
static void expect_report(struct sequences *s, const char *expected)
{
    struct report r = {.json = true};
    struct claims none = {0};
    struct gaps gaps = {.report = &r, .claims = &none};
    report_begin(&r, "root");
    sequences_report(s, &r, paths, NULL, &gaps);
    gaps_free(&gaps);
    EXPECT_TEXT(buf_text(&r.list), expected);
    report_free(&r);
    sequences_free(s);
}

TEST(cli_verify_sequences_whole)
{
    struct sequences s = {0};
    expect_report(&s, "");
    add(&s, "t", 1, 11, 20, false);
    add(&s, "t", 0, 1, 10, false);
    add(&s, "u", 2, 5, 9, false); /* another generation begins anew */
    expect_report(&s, "");
}

TEST(cli_verify_sequences_gaps)
{
    struct sequences s = {0};
    add(&s, "t", 0, 1, 10, false);
    add(&s, "t", 1, 12, 20, false);
    add(&s, "t", 2, 25, 30, false);
    expect_report(&s, "{\"kind\":\"gap\",\"text\":\"LOG created t: 11-11 are missing\"},"
                      "{\"kind\":\"gap\",\"text\":\"LOG created t: 21-24 are missing\"}");
}

TEST(cli_verify_sequences_quarantine_closes_gaps)
{
    struct sequences s = {0};
    add(&s, "t", 0, 1, 10, false);
    add(&s, "t", 1, 11, 11, true);
    add(&s, "t", 2, 12, 20, false);
    add(&s, "t", 3, 15, 15, true); /* a row as well: no row is there twice */
    expect_report(&s, "");
}

TEST(cli_verify_sequences_duplicates)
{
    struct sequences s = {0};
    add(&s, "t", 0, 1, 10, false);
    add(&s, "t", 1, 10, 20, false);
    add(&s, "t", 2, 3, 4, false);
    expect_report(&s,
                  "{\"kind\":\"duplicate\",\"text\":\"LOG created t: 3-4 are in a and in c\"},"
                  "{\"kind\":\"duplicate\",\"text\":\"LOG created t: 10-10 are in a and in b\"}");
}

TEST(cli_verify_sequences_many)
{
    struct sequences s = {0};
    struct report r = {.json = true};
    for (uint64_t i = 0; i < 1000; i++)
        add(&s, "t", 0, 1 + 2 * i, 1 + 2 * i, false);
    struct claims none = {0};
    struct gaps gaps = {.report = &r, .claims = &none};
    report_begin(&r, "root");
    sequences_report(&s, &r, paths, NULL, &gaps);
    gaps_free(&gaps);
    EXPECT_U64(r.findings, REPORT_EACH_MAX + 1);
    EXPECT(strstr(buf_text(&r.list), "899 more ranges are missing; 999 sequences in all") != NULL);
    report_free(&r);
    sequences_free(&s);
}

TEST(cli_verify_sequences_ends)
{
    struct sequences s = {0};
    add(&s, "t", 0, 0, 0, false); /* no server counts from 0, but a file may say so */
    add(&s, "t", 1, UINT64_MAX, UINT64_MAX, false);
    expect_report(&s, "{\"kind\":\"gap\",\"text\":\"LOG created t: 1-18446744073709551614 are "
                      "missing\"}");
}

enum { RANGES = 600 };

/* Files that are each in order, or not at all; few and many; streams that come one after the other,
 * and mixed. */
TEST(cli_verify_sequences_sort)
{
    for (int round = 0; round < 200; round++) {
        struct sequences s = {0};
        uint64_t sum = 0, count = test_random() % RANGES, next = 0;
        uint32_t restart = 1 + (uint32_t)(test_random() % 64);
        for (uint32_t i = 0; i < count; i++) {
            next = i % restart == 0 ? test_random() % 1000 : next + test_random() % 3;
            add(&s, test_random() % 64 == 0 ? "t" : "u", i, next, next + 1, false);
            sum += next * (i + 1);
        }
        sequences_sort(&s);
        EXPECT_U64(s.count, count);
        for (size_t i = 0; i < s.count; i++) {
            const struct sequence_range *range = &s.list[i], *before = i > 0 ? range - 1 : range;
            EXPECT(before->stream < range->stream ||
                   (before->stream == range->stream && before->first <= range->first));
            EXPECT(range->last == range->first + 1);
            sum -= range->first * (range->file + 1);
        }
        EXPECT_U64(sum, 0); /* it is those that were put in */
        sequences_free(&s);
    }
}

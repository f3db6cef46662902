/* SPDX-License-Identifier: MIT */
#include "base/num.h"

#include <stdio.h>

#include "base/clock.h"
#include "test.h"

/* What a failed parse must leave alone. */
enum { UNTOUCHED = 0x5A5A };

static void expect_u64(const char *text, bool ok, uint64_t expected)
{
    uint64_t value = UNTOUCHED;
    EXPECT(num_parse_u64(slice_of(text), &value) == ok);
    EXPECT_U64(value, ok ? expected : UNTOUCHED);

    char within[128];
    int len = snprintf(within, sizeof(within), "98765432%s10", text);
    value = UNTOUCHED;
    EXPECT(num_parse_u64_within((struct slice){(uint8_t *)within + 8, (size_t)len - 10}, &value) ==
           ok);
    EXPECT_U64(value, ok ? expected : UNTOUCHED);
}

static void expect_i64(const char *text, bool ok, int64_t expected)
{
    int64_t value = UNTOUCHED;
    EXPECT(num_parse_i64(slice_of(text), &value) == ok);
    EXPECT_I64(value, ok ? expected : UNTOUCHED);
}

static void expect_size(const char *text, bool ok, uint64_t expected)
{
    uint64_t value = UNTOUCHED;
    EXPECT(num_parse_size(slice_of(text), &value) == ok);
    EXPECT_U64(value, ok ? expected : UNTOUCHED);
}

static void expect_duration(const char *text, bool ok, int64_t expected)
{
    int64_t value = UNTOUCHED;
    EXPECT(num_parse_duration(slice_of(text), &value) == ok);
    EXPECT_I64(value, ok ? expected : UNTOUCHED);
}

/* Eight digits are looked at together: what is none must be found wherever it stands. */
TEST(num_parse_u64_looks_at_each_byte)
{
    for (size_t len = 1; len <= 19; len++)
        for (size_t at = 0; at < len; at++)
            for (unsigned byte = 0; byte < 256; byte++) {
                uint8_t all[8 + 19], *text = all + 8;
                uint64_t value, expected = 0;
                memset(all, '1', sizeof(all));
                text[at] = (uint8_t)byte;
                for (size_t i = 0; i < len; i++)
                    expected = expected * 10 + (uint64_t)(text[i] - '0');
                bool ok = byte >= '0' && byte <= '9';
                EXPECT(num_parse_u64((struct slice){text, len}, &value) == ok);
                if (ok)
                    EXPECT_U64(value, expected);
                value = UNTOUCHED;
                EXPECT(num_parse_u64_within((struct slice){text, len}, &value) == ok);
                EXPECT_U64(value, ok ? expected : UNTOUCHED);
            }
}

TEST(num_parse_u64_takes_digits_and_nothing_else)
{
    expect_u64("0", true, 0);
    expect_u64("007", true, 7);
    expect_u64("18446744073709551615", true, UINT64_MAX);
    expect_u64("000000000000000000000000018446744073709551615", true, UINT64_MAX);
    static const char *const bad[] = {"",
                                      "18446744073709551616",
                                      "18446744073709551620",
                                      "99999999999999999999",
                                      "184467440737095516150",
                                      "+1",
                                      "-1",
                                      "-0",
                                      " 1",
                                      "1 ",
                                      "1\n",
                                      "1.0",
                                      "1e3",
                                      "0x10",
                                      "1_000",
                                      "1,000",
                                      "\xD9\xA1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_u64(bad[i], false, 0);
    uint64_t value = UNTOUCHED;
    EXPECT(!num_parse_u64((struct slice){NULL, 0}, &value));
    EXPECT(!num_parse_u64((struct slice){(const uint8_t *)"1\0", 2}, &value));
    EXPECT_U64(value, UNTOUCHED);
}

TEST(num_parse_i64_reaches_both_ends)
{
    expect_i64("9223372036854775807", true, INT64_MAX);
    expect_i64("-9223372036854775808", true, INT64_MIN);
    expect_i64("-9223372036854775807", true, -INT64_MAX);
    expect_i64("-0", true, 0);
    expect_i64("-1", true, -1);
    static const char *const bad[] = {"9223372036854775808",
                                      "-9223372036854775809",
                                      "18446744073709551615",
                                      "-18446744073709551616",
                                      "-",
                                      "--1",
                                      "+1",
                                      "- 1",
                                      "-1 ",
                                      "1-",
                                      ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_i64(bad[i], false, 0);
    int64_t value = UNTOUCHED;
    EXPECT(!num_parse_i64((struct slice){NULL, 0}, &value));
    EXPECT_I64(value, UNTOUCHED);
}

TEST(num_parse_size_knows_binary_units_only)
{
    expect_size("0", true, 0);
    expect_size("817", true, 817);
    expect_size("4KiB", true, 4096);
    expect_size("128MiB", true, 134217728);
    expect_size("1GiB", true, 1073741824);
    expect_size("3TiB", true, UINT64_C(3298534883328));
    expect_size("17179869183GiB", true, UINT64_C(18446744072635809792));
    static const char *const bad[] = {"17179869184GiB",
                                      "18446744073709551616",
                                      "",
                                      "KiB",
                                      "1KB",
                                      "1kib",
                                      "1 MiB",
                                      "1MiB ",
                                      "1.5MiB",
                                      "-1MiB",
                                      "1PiB",
                                      "1B",
                                      "1MiBMiB"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_size(bad[i], false, 0);
    uint64_t value = UNTOUCHED;
    EXPECT(!num_parse_size((struct slice){NULL, 0}, &value));
}

TEST(num_parse_duration_needs_a_unit)
{
    expect_duration("0s", true, 0);
    expect_duration("250ms", true, 250000000);
    expect_duration("60s", true, INT64_C(60000000000));
    expect_duration("2m", true, INT64_C(120000000000));
    expect_duration("30d", true, INT64_C(2592000000000000));
    expect_duration("3h", true, INT64_C(10800000000000));
    expect_duration("9223372036s", true, INT64_C(9223372036000000000));
    expect_duration("2562047h", true, INT64_C(9223369200000000000));
    static const char *const bad[] = {"9223372037s",
                                      "2562048h",
                                      "18446744073710ms",
                                      "18446744073709551615h",
                                      "",
                                      "s",
                                      "1",
                                      "1us",
                                      "1ns",
                                      "1 s",
                                      "1.5s",
                                      "-1s",
                                      "1S",
                                      "1mss",
                                      "1h30m",
                                      "106752d"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_duration(bad[i], false, 0);
}

TEST(num_checked_arithmetic_at_the_edges)
{
    uint64_t value;
    EXPECT(num_add_u64(UINT64_MAX, 0, &value));
    EXPECT_U64(value, UINT64_MAX);
    EXPECT(num_add_u64(UINT64_MAX - 5, 5, &value));
    EXPECT_U64(value, UINT64_MAX);
    EXPECT(!num_add_u64(UINT64_MAX, 1, &value));
    EXPECT(!num_add_u64(UINT64_C(1) << 63, UINT64_C(1) << 63, &value));
    EXPECT(num_mul_u64(UINT32_MAX, UINT32_MAX, &value));
    EXPECT_U64(value, UINT64_C(18446744065119617025));
    EXPECT(num_mul_u64(0, UINT64_MAX, &value));
    EXPECT_U64(value, 0);
    EXPECT(!num_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &value));
    EXPECT(!num_mul_u64(UINT64_MAX, 2, &value));
}

static void expect_size_text(uint64_t bytes, const char *expected)
{
    char text[NUM_SIZE_TEXT_MAX];
    num_format_size(bytes, text);
    EXPECT_TEXT(text, expected);
}

TEST(num_format_size_for_people)
{
    expect_size_text(0, "0 B");
    expect_size_text(817, "817 B");
    expect_size_text(1023, "1023 B");
    expect_size_text(1024, "1.0 KiB");
    expect_size_text(1536, "1.5 KiB");
    expect_size_text(3355443, "3.2 MiB");
    expect_size_text(1048524, "1023.9 KiB");
    expect_size_text(1048575, "1.0 MiB");
    expect_size_text(UINT64_C(1) << 40, "1.0 TiB");
    expect_size_text(UINT64_MAX, "16.0 EiB");
}

static void expect_duration_text(int64_t ns, const char *expected)
{
    char text[NUM_SIZE_TEXT_MAX];
    num_format_duration(ns, text);
    EXPECT_TEXT(text, expected);
}

TEST(num_format_duration_for_people)
{
    expect_duration_text(0, "0s");
    expect_duration_text(250 * CLOCK_MILLISECOND, "250ms");
    expect_duration_text(CLOCK_SECOND, "1s");
    expect_duration_text(1500 * CLOCK_MILLISECOND, "1.5s");
    expect_duration_text(60 * CLOCK_SECOND, "60s");
    expect_duration_text(90 * CLOCK_SECOND, "90s");
    expect_duration_text(120 * CLOCK_SECOND, "2m");
    expect_duration_text(3600 * CLOCK_SECOND, "1h");
    expect_duration_text(3 * 3600 * CLOCK_SECOND, "3h");
    expect_duration_text(24 * 3600 * CLOCK_SECOND, "24h");
    expect_duration_text(30 * INT64_C(86400) * CLOCK_SECOND, "30d");
    expect_duration_text(-250 * CLOCK_MILLISECOND, "-250ms");
    expect_duration_text(-1500 * CLOCK_MILLISECOND, "-1.5s");
    expect_duration_text(1500 * INT64_C(1000), "1.5ms");
    expect_duration_text(INT64_MAX, "9223372036.855s");
    expect_duration_text(INT64_MIN, "-9223372036.855s");
}

/* SPDX-License-Identifier: MIT */
#include "base/num.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "test.h"

/* What a failed parse must leave alone. */
enum { UNTOUCHED = 0x5A5A };

static void expect_u64(const char *text, bool ok, uint64_t expected)
{
    uint64_t value = UNTOUCHED;
    EXPECT(num_parse_u64(slice_of(text), &value) == ok);
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

static void expect_time(const char *text, bool ok, int64_t expected)
{
    int64_t value = UNTOUCHED;
    EXPECT(num_parse_time(slice_of(text), &value) == ok);
    EXPECT_I64(value, ok ? expected : UNTOUCHED);
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
                                      "1TiB",
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
                                      "1d"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_duration(bad[i], false, 0);
}

/* Expected values: Python's calendar.timegm. */
TEST(num_parse_time_knows_rfc3339)
{
    expect_time("1970-01-01T00:00:00Z", true, 0);
    expect_time("2026-11-24T12:00:00.5Z", true, INT64_C(1795521600500000000));
    expect_time("2026-11-24t12:00:00.500000000z", true, INT64_C(1795521600500000000));
    expect_time("2026-11-24T12:00:00.000000001Z", true, INT64_C(1795521600000000001));
    expect_time("2026-11-24T12:00:00+01:30", true, INT64_C(1795516200000000000));
    expect_time("2026-11-24T12:00:00-23:59", true, INT64_C(1795607940000000000));
    expect_time("2026-11-24T12:00:00-00:00", true, INT64_C(1795521600000000000));
    expect_time("2000-02-29T23:59:59Z", true, INT64_C(951868799000000000));
    expect_time("2100-03-01T00:00:00Z", true, INT64_C(4107542400000000000));
    expect_time("2261-12-31T23:59:59.999999999Z", true, INT64_C(9214646399999999999));
}

TEST(num_parse_time_refuses_what_is_no_time)
{
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-11-24",
                                      "2026-11-24T",
                                      "2026-11-24T12:00Z",
                                      "2026-11-24T12:00:00",
                                      "2026-11-24 12:00:00Z",
                                      "2026-11-24T12:00:00 Z",
                                      "2026-11-24T12:00:00Z ",
                                      " 2026-11-24T12:00:00Z",
                                      "2026-11-24T12:00:00.Z",
                                      "2026-11-24T12:00:00,5Z",
                                      "2026-11-24T12:00:00.1234567890Z",
                                      "2026-11-24T12:00:00.5",
                                      "2026-11-24T12:00:00+1:00",
                                      "2026-11-24T12:00:00+0100",
                                      "2026-11-24T12:00:00+01:60",
                                      "2026-11-24T12:00:00+24:00",
                                      "2026-11-24T12:00:00Z+01:00",
                                      "2026-11-24T12:00:00+",
                                      "2026-00-24T12:00:00Z",
                                      "2026-13-24T12:00:00Z",
                                      "2026-11-00T12:00:00Z",
                                      "2026-11-31T12:00:00Z",
                                      "2026-02-29T12:00:00Z",
                                      "2100-02-29T12:00:00Z",
                                      "2000-02-30T12:00:00Z",
                                      "2026-11-24T24:00:00Z",
                                      "2026-11-24T12:60:00Z",
                                      "2026-11-24T12:00:60Z",
                                      "2026-11-24T12:00:61Z",
                                      "1969-12-31T23:59:59Z",
                                      "2262-01-01T00:00:00Z",
                                      "9999-12-31T23:59:59Z",
                                      "0000-01-01T00:00:00Z",
                                      "02026-11-24T12:00:00Z",
                                      "+2026-11-24T12:00:00Z",
                                      "2026-1-24T12:00:00Z",
                                      "2026-11-24T-1:00:00Z",
                                      "2026-11-24T12:00:0-Z"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_time(bad[i], false, 0);
    int64_t value = UNTOUCHED;
    EXPECT(!num_parse_time((struct slice){NULL, 0}, &value));
}

static int between(int first, int last)
{
    return first + (int)(test_random() % (uint64_t)(last - first + 1));
}

TEST(num_parse_time_agrees_with_timegm)
{
    for (int i = 0; i < 20000; i++) {
        int year = between(1970, 2261);
        int month = between(0, 13);
        int day = between(0, 32);
        int hour = between(0, 24);
        int minute = between(0, 60);
        int second = between(0, 59);
        int offset = between(-23 * 60 - 59, 23 * 60 + 59);
        char text[64];
        (void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", year, month,
                       day, hour, minute, second, offset < 0 ? '-' : '+',
                       (offset < 0 ? -offset : offset) / 60, (offset < 0 ? -offset : offset) % 60);
        struct tm tm = {.tm_year = year - 1900,
                        .tm_mon = month - 1,
                        .tm_mday = day,
                        .tm_hour = hour,
                        .tm_min = minute,
                        .tm_sec = second};
        int64_t seconds = timegm(&tm);
        /* timegm brings what does not exist into range; then it was no date. */
        bool exists = tm.tm_year == year - 1900 && tm.tm_mon == month - 1 && tm.tm_mday == day &&
                      tm.tm_hour == hour && tm.tm_min == minute;
        expect_time(text, exists, (seconds - offset * 60) * CLOCK_SECOND);
    }
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

static void expect_date(int64_t ns)
{
    int64_t seconds = ns / CLOCK_SECOND - (ns % CLOCK_SECOND < 0);
    time_t t = (time_t)seconds;
    struct tm tm;
    EXPECT(gmtime_r(&t, &tm) != NULL);
    struct num_date d = num_date_of(ns);
    EXPECT_I64(d.year, tm.tm_year + 1900);
    EXPECT_I64(d.month, tm.tm_mon + 1);
    EXPECT_I64(d.day, tm.tm_mday);
    EXPECT_I64(d.hour, tm.tm_hour);
    EXPECT_I64(d.minute, tm.tm_min);
    EXPECT_I64(d.second, tm.tm_sec);
    EXPECT_I64(d.nanosecond, (ns % CLOCK_SECOND + CLOCK_SECOND) % CLOCK_SECOND);
}

TEST(num_date_agrees_with_gmtime)
{
    /* Each midnight and the nanosecond before it, 1678 to 2261. */
    for (int64_t day = -106650; day <= 106650; day++) {
        expect_date(day * 86400 * CLOCK_SECOND);
        expect_date(day * 86400 * CLOCK_SECOND - 1);
    }
    for (int i = 0; i < 20000; i++)
        expect_date((int64_t)test_random());
    expect_date(INT64_MIN);
    expect_date(INT64_MAX);
}

static void expect_time_text(int64_t ns, int digits, const char *expected)
{
    char text[NUM_TIME_TEXT_MAX];
    num_format_time(ns, digits, text);
    EXPECT_TEXT(text, expected);
}

TEST(num_format_time_any_int64)
{
    expect_time_text(0, 0, "1970-01-01T00:00:00Z");
    expect_time_text(0, 3, "1970-01-01T00:00:00.000Z");
    expect_time_text(-1, 9, "1969-12-31T23:59:59.999999999Z");
    expect_time_text(-1, 0, "1969-12-31T23:59:59Z");
    expect_time_text(INT64_MAX, 9, "2262-04-11T23:47:16.854775807Z");
    expect_time_text(INT64_MIN, 9, "1677-09-21T00:12:43.145224192Z");
    expect_time_text(INT64_C(1795521600500999999), 3, "2026-11-24T12:00:00.500Z");
    expect_time_text(INT64_C(1795521600500999999), 6, "2026-11-24T12:00:00.500999Z");
}

TEST(num_time_text_round_trips)
{
    for (int i = 0; i < 20000; i++) {
        int64_t ns = (int64_t)(test_random() % UINT64_C(9214646400000000000));
        char text[NUM_TIME_TEXT_MAX];
        num_format_time(ns, 9, text);
        expect_time(text, true, ns);
    }
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
    expect_duration_text(-250 * CLOCK_MILLISECOND, "-250ms");
    expect_duration_text(-1500 * CLOCK_MILLISECOND, "-1.5s");
    expect_duration_text(1500 * INT64_C(1000), "1.5ms");
    expect_duration_text(INT64_MAX, "9223372036.855s");
    expect_duration_text(INT64_MIN, "-9223372036.855s");
}

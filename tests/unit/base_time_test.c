/* SPDX-License-Identifier: MIT */
#include "base/time.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "test.h"

/* What a failed parse must leave alone. */
enum { UNTOUCHED = 0x5A5A };

static void expect_time(const char *text, bool ok, int64_t expected)
{
    int64_t value = UNTOUCHED;
    EXPECT(time_parse(slice_of(text), &value) == ok);
    EXPECT_I64(value, ok ? expected : UNTOUCHED);
}

/* Expected values: Python's calendar.timegm. */
TEST(time_parse_knows_rfc3339)
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

TEST(time_parse_refuses_what_is_no_time)
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
    EXPECT(!time_parse((struct slice){NULL, 0}, &value));
}

static int between(int first, int last)
{
    return first + (int)(test_random() % (uint64_t)(last - first + 1));
}

TEST(time_parse_agrees_with_timegm)
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

static void expect_date(int64_t ns)
{
    int64_t seconds = ns / CLOCK_SECOND - (ns % CLOCK_SECOND < 0);
    time_t since = (time_t)seconds;
    struct tm tm;
    EXPECT(gmtime_r(&since, &tm) != NULL);
    struct time_utc t = time_utc_of(ns);
    EXPECT_I64(t.date.year, tm.tm_year + 1900);
    EXPECT_I64(t.date.month, tm.tm_mon + 1);
    EXPECT_I64(t.date.day, tm.tm_mday);
    EXPECT_I64(t.hour, tm.tm_hour);
    EXPECT_I64(t.minute, tm.tm_min);
    EXPECT_I64(t.second, tm.tm_sec);
    EXPECT_I64(t.nanosecond, (ns % CLOCK_SECOND + CLOCK_SECOND) % CLOCK_SECOND);
}

TEST(time_utc_agrees_with_gmtime)
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
    char text[TIME_TEXT_MAX];
    time_format(ns, digits, text);
    EXPECT_TEXT(text, expected);
}

TEST(time_format_any_int64)
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

TEST(time_text_round_trips)
{
    for (int i = 0; i < 20000; i++) {
        int64_t ns = (int64_t)(test_random() % UINT64_C(9214646400000000000));
        char text[TIME_TEXT_MAX];
        time_format(ns, 9, text);
        expect_time(text, true, ns);
    }
}

static unsigned month_length(int64_t year, unsigned month)
{
    if (month == 2)
        return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* Day by day through all years that a Parquet DATE is printed of; 719528 days lie between. */
TEST(time_date_counts_the_days_of_ten_thousand_years)
{
    int64_t days = -719528;
    for (int64_t year = 0; year <= 9999; year++)
        for (unsigned month = 1; month <= 12; month++)
            for (unsigned day = 1; day <= month_length(year, month); day++, days++) {
                struct time_date date = time_date_of(days);
                EXPECT(date.year == year && date.month == month && date.day == day);
                EXPECT(time_days_of(date) == days);
            }
    EXPECT_I64(days, 2932897);
}

/* 2^63 ns are 9,223,372,036 s and 854,775,807 ns or 808. */
TEST(time_ns_ends_where_an_int64_does)
{
    EXPECT(time_ns_of(0, 0) == 0 && time_ns_of(1, 999999999) == INT64_C(1999999999));
    EXPECT(time_ns_of(-1, 1) == INT64_C(-999999999));
    EXPECT(time_ns_of(INT64_C(9223372036), 854775807) == INT64_MAX);
    EXPECT(time_ns_of(INT64_C(9223372036), 854775806) == INT64_MAX - 1);
    EXPECT(time_ns_of(INT64_C(9223372036), 854775808) == INT64_MAX);
    EXPECT(time_ns_of(INT64_C(9223372037), 0) == INT64_MAX);
    EXPECT(time_ns_of(INT64_MAX, 999999999) == INT64_MAX);
    EXPECT(time_ns_of(INT64_C(-9223372036), 0) == INT64_C(-9223372036000000000));
    EXPECT(time_ns_of(INT64_MIN, 0) == INT64_MIN);
}

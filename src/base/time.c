/* SPDX-License-Identifier: MIT */
#include "base/time.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/num.h"

/*
 * Days are counted in eras of 400 years, which all have the same length, and years from March on,
 * so that the leap day is the last one.
 */
enum {
    DAY_SECONDS = 24 * 60 * 60,
    ERA_DAYS = 146097,
    DAYS_TO_1970 = 719468, /* since 0000-03-01 */
};

int64_t time_days_of(struct time_date date)
{
    int64_t year = date.year - (date.month <= 2);
    int64_t era = num_floor_divide(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t month = date.month + (date.month > 2 ? -3 : 9); /* 0 is March */
    int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - DAYS_TO_1970;
}

struct time_date time_date_of(int64_t days)
{
    days += DAYS_TO_1970;
    int64_t era = num_floor_divide(days, ERA_DAYS);
    int64_t day_of_era = days - era * ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
    return (struct time_date){
        .year = era * 400 + year_of_era + (month >= 10),
        .month = (uint8_t)(month < 10 ? month + 3 : month - 9),
        .day = (uint8_t)(day_of_year - (153 * month + 2) / 5 + 1),
    };
}

struct time_utc time_utc_of(int64_t ns)
{
    int64_t seconds = num_floor_divide(ns, CLOCK_SECOND);
    int64_t days = num_floor_divide(seconds, DAY_SECONDS);
    int64_t second_of_day = seconds - days * DAY_SECONDS;
    int64_t fraction = ns % CLOCK_SECOND;
    return (struct time_utc){
        .date = time_date_of(days),
        .hour = (uint8_t)(second_of_day / 3600),
        .minute = (uint8_t)(second_of_day / 60 % 60),
        .second = (uint8_t)(second_of_day % 60),
        .nanosecond = (uint32_t)(fraction < 0 ? fraction + CLOCK_SECOND : fraction),
    };
}

/* Exactly `count` digits at `at`; moves on. */
static bool take_digits(struct slice text, size_t *at, size_t count, uint64_t *out)
{
    if (text.len - *at < count)
        return false;
    struct slice digits = {text.data + *at, count};
    *at += count;
    return num_parse_u64(digits, out);
}

static bool take_char(struct slice text, size_t *at, char wanted)
{
    if (*at >= text.len || text.data[*at] != (uint8_t)wanted)
        return false;
    (*at)++;
    return true;
}

/* ".123", at most nine digits; nothing is zero. */
static bool take_fraction(struct slice text, size_t *at, uint64_t *ns)
{
    *ns = 0;
    if (!take_char(text, at, '.'))
        return true;
    uint64_t scale = CLOCK_SECOND;
    size_t start = *at;
    while (*at < text.len && text.data[*at] >= '0' && text.data[*at] <= '9') {
        scale /= 10;
        if (scale == 0)
            return false;
        *ns += (uint64_t)(text.data[*at] - '0') * scale;
        (*at)++;
    }
    return *at > start;
}

/* "Z" or "+hh:mm" or "-hh:mm". */
static bool take_offset(struct slice text, size_t *at, int64_t *seconds)
{
    *seconds = 0;
    if (take_char(text, at, 'Z') || take_char(text, at, 'z'))
        return true;
    bool negative = take_char(text, at, '-');
    uint64_t hours;
    uint64_t minutes;
    if ((!negative && !take_char(text, at, '+')) || !take_digits(text, at, 2, &hours) ||
        !take_char(text, at, ':') || !take_digits(text, at, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *seconds = (int64_t)(hours * 3600 + minutes * 60) * (negative ? -1 : 1);
    return true;
}

static unsigned days_in_month(uint64_t year, uint64_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

bool time_parse(struct slice text, int64_t *ns)
{
    size_t at = 0;
    uint64_t year;
    uint64_t month;
    uint64_t day;
    uint64_t hour;
    uint64_t minute;
    uint64_t second;
    uint64_t fraction;
    int64_t offset;
    if (!take_digits(text, &at, 4, &year) || !take_char(text, &at, '-') ||
        !take_digits(text, &at, 2, &month) || !take_char(text, &at, '-') ||
        !take_digits(text, &at, 2, &day))
        return false;
    if (!take_char(text, &at, 'T') && !take_char(text, &at, 't'))
        return false;
    if (!take_digits(text, &at, 2, &hour) || !take_char(text, &at, ':') ||
        !take_digits(text, &at, 2, &minute) || !take_char(text, &at, ':') ||
        !take_digits(text, &at, 2, &second) || !take_fraction(text, &at, &fraction) ||
        !take_offset(text, &at, &offset) || at != text.len)
        return false;
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 59)
        return false;
    int64_t seconds =
        time_days_of((struct time_date){(int64_t)year, (uint8_t)month, (uint8_t)day}) *
            DAY_SECONDS +
        (int64_t)(hour * 3600 + minute * 60 + second) - offset;
    *ns = seconds * CLOCK_SECOND + (int64_t)fraction;
    return true;
}

int64_t time_ns_of(int64_t seconds, int64_t nanoseconds)
{
    int64_t ns;
    if (__builtin_mul_overflow(seconds, CLOCK_SECOND, &ns) ||
        __builtin_add_overflow(ns, nanoseconds, &ns))
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

void time_format(int64_t ns, int digits, char out[static TIME_TEXT_MAX])
{
    struct time_utc t = time_utc_of(ns);
    char fraction[16];
    (void)snprintf(fraction, sizeof(fraction), ".%09u", (unsigned)t.nanosecond);
    fraction[digits == 0 ? 0 : digits + 1] = '\0';
    (void)snprintf(out, TIME_TEXT_MAX, "%04d-%02u-%02uT%02u:%02u:%02u%sZ", (int)t.date.year,
                   (unsigned)t.date.month, (unsigned)t.date.day, (unsigned)t.hour,
                   (unsigned)t.minute, (unsigned)t.second, fraction);
}

/* SPDX-License-Identifier: MIT */
#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

bool num_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

bool num_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

bool num_parse_u64(struct slice text, uint64_t *out)
{
    if (text.len == 0)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return false;
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (!num_mul_u64(value, 10, &value) || !num_add_u64(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool num_parse_i64(struct slice text, int64_t *out)
{
    bool negative = text.len > 0 && text.data[0] == '-';
    struct slice digits = negative ? (struct slice){text.data + 1, text.len - 1} : text;
    uint64_t magnitude;
    if (!num_parse_u64(digits, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static bool parse_with_unit(struct slice text, const struct unit *units, size_t count,
                            uint64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && is_digit(text.data[digits]))
        digits++;
    uint64_t value;
    if (!num_parse_u64((struct slice){text.data, digits}, &value))
        return false;
    struct slice suffix = {text.data + digits, text.len - digits};
    for (size_t i = 0; i < count; i++)
        if (slice_is(suffix, units[i].name))
            return num_mul_u64(value, units[i].factor, out);
    return false;
}

bool num_parse_size(struct slice text, uint64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
    uint64_t value;
    if (!parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), &value))
        return false;
    *bytes = value;
    return true;
}

bool num_parse_duration(struct slice text, int64_t *ns)
{
    static const struct unit units[] = {{"ms", 1000000},
                                        {"s", 1000000000},
                                        {"m", UINT64_C(60) * 1000000000},
                                        {"h", UINT64_C(3600) * 1000000000}};
    uint64_t value;
    if (!parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), &value) ||
        value > INT64_MAX)
        return false;
    *ns = (int64_t)value;
    return true;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar, years from 1 on, counting them from
 * March so that the leap day is the last one. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

struct num_date num_date_of(int64_t ns)
{
    int64_t seconds = ns / CLOCK_SECOND;
    int64_t fraction = ns % CLOCK_SECOND;
    if (fraction < 0) {
        fraction += CLOCK_SECOND;
        seconds--;
    }
    int64_t days = seconds / 86400;
    int64_t second_of_day = seconds % 86400;
    if (second_of_day < 0) {
        second_of_day += 86400;
        days--;
    }
    days += 719468; /* positive: an int64 of nanoseconds does not reach back beyond 1677 */
    int64_t era = days / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    return (struct num_date){
        .year = (int32_t)(year_of_era + era * 400 + (month <= 2)),
        .month = (uint8_t)month,
        .day = (uint8_t)(day_of_year - (153 * shifted_month + 2) / 5 + 1),
        .hour = (uint8_t)(second_of_day / 3600),
        .minute = (uint8_t)(second_of_day / 60 % 60),
        .second = (uint8_t)(second_of_day % 60),
        .nanosecond = (uint32_t)fraction,
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
    while (*at < text.len && is_digit(text.data[*at])) {
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

bool num_parse_time(struct slice text, int64_t *ns)
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
    int64_t seconds = days_of((int64_t)year, (unsigned)month, (unsigned)day) * 86400 +
                      (int64_t)(hour * 3600 + minute * 60 + second) - offset;
    *ns = seconds * CLOCK_SECOND + (int64_t)fraction;
    return true;
}

void num_format_size(uint64_t bytes, char out[static NUM_SIZE_TEXT_MAX])
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        (void)snprintf(out, NUM_SIZE_TEXT_MAX, "%" PRIu64 " B", bytes);
        return;
    }
    size_t unit = 0;
    double value = (double)bytes;
    while (value >= 1023.95 && unit + 1 < sizeof(names) / sizeof(names[0])) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(out, NUM_SIZE_TEXT_MAX, "%.1f %s", value, names[unit]);
}

void num_format_duration(int64_t ns, char out[static NUM_SIZE_TEXT_MAX])
{
    const int64_t minute = 60 * CLOCK_SECOND;
    const int64_t hour = 60 * minute;
    if (ns != 0 && ns % hour == 0) {
        (void)snprintf(out, NUM_SIZE_TEXT_MAX, "%" PRId64 "h", ns / hour);
        return;
    }
    if (ns % minute == 0 && ns / minute > 1) {
        (void)snprintf(out, NUM_SIZE_TEXT_MAX, "%" PRId64 "m", ns / minute);
        return;
    }
    bool small = ns != 0 && ns > -CLOCK_SECOND && ns < CLOCK_SECOND;
    int len = snprintf(out, NUM_SIZE_TEXT_MAX, "%.3f",
                       (double)ns / (double)(small ? CLOCK_MILLISECOND : CLOCK_SECOND));
    while (out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.')
        len--;
    (void)snprintf(out + len, NUM_SIZE_TEXT_MAX - (size_t)len, small ? "ms" : "s");
}

void num_format_time(int64_t ns, int digits, char out[static NUM_TIME_TEXT_MAX])
{
    struct num_date d = num_date_of(ns);
    char fraction[16];
    (void)snprintf(fraction, sizeof(fraction), ".%09u", (unsigned)d.nanosecond);
    fraction[digits == 0 ? 0 : digits + 1] = '\0';
    (void)snprintf(out, NUM_TIME_TEXT_MAX, "%04d-%02u-%02uT%02u:%02u:%02u%sZ", (int)d.year,
                   (unsigned)d.month, (unsigned)d.day, (unsigned)d.hour, (unsigned)d.minute,
                   (unsigned)d.second, fraction);
}

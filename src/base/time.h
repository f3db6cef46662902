/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_TIME_H
#define VARVE_BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* The calendar: Gregorian also before 1582, in UTC, without leap seconds. */

struct time_date {
    int64_t year; /* 0 is the year before 1 */
    uint8_t month, day;
};

/* The date that is so many days after 1970-01-01, and back. Years from 0 to 9999 are exact, and so
 * is each day that an int64 of nanoseconds reaches. */
struct time_date time_date_of(int64_t days);
int64_t time_days_of(struct time_date date);

/* A time in nanoseconds since 1970; any int64 works. */
struct time_utc {
    struct time_date date;
    uint8_t hour, minute, second;
    uint32_t nanosecond;
};
struct time_utc time_utc_of(int64_t ns);

/* Seconds since 1970, of somebody else's, and a part of one, as nanoseconds. What an int64 can't
 * hold, before 1677 or after 2262, is its end. */
int64_t time_ns_of(int64_t seconds, int64_t nanoseconds);

/* An RFC 3339 time such as 2026-11-24T12:00:00.5Z or with an offset; nanoseconds since 1970. Years
 * 1970 to 2261. False, and *ns left alone, for anything else. */
bool time_parse(struct slice text, int64_t *ns) __attribute__((warn_unused_result));

enum { TIME_TEXT_MAX = 48 };

/* RFC 3339 with as many fraction digits (0, 3, 6 or 9) as asked for. Any int64 works. */
void time_format(int64_t ns, int digits, char out[static TIME_TEXT_MAX]);

#endif

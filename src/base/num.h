/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_NUM_H
#define VARVE_BASE_NUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Strict, locale-free number parsing. Each returns false, and leaves *out alone, for anything that
 * is not exactly one number of the stated form: empty, signs, blanks, trailing bytes, overflow.
 */

/* Decimal digits, 0 to UINT64_MAX. Leading zeros are accepted. */
bool num_parse_u64(struct slice text, uint64_t *out) __attribute__((warn_unused_result));

/* An optional '-' and decimal digits, INT64_MIN to INT64_MAX. */
bool num_parse_i64(struct slice text, int64_t *out) __attribute__((warn_unused_result));

/* Digits, then nothing (bytes), KiB, MiB or GiB. */
bool num_parse_size(struct slice text, uint64_t *bytes) __attribute__((warn_unused_result));

/* Digits, then ms, s, m or h; nanoseconds, at most INT64_MAX. */
bool num_parse_duration(struct slice text, int64_t *ns) __attribute__((warn_unused_result));

/* An RFC 3339 time such as 2026-11-24T12:00:00.5Z or with an offset; nanoseconds since 1970 UTC.
 * Years 1970 to 2261. */
bool num_parse_time(struct slice text, int64_t *ns) __attribute__((warn_unused_result));

/* a + b, a * b; false if the result does not fit. */
bool num_add_u64(uint64_t a, uint64_t b, uint64_t *out) __attribute__((warn_unused_result));
bool num_mul_u64(uint64_t a, uint64_t b, uint64_t *out) __attribute__((warn_unused_result));

enum { NUM_SIZE_TEXT_MAX = 24, NUM_TIME_TEXT_MAX = 48 };

/* A size for people, such as "3.2 MiB" or "817 B". */
void num_format_size(uint64_t bytes, char out[static NUM_SIZE_TEXT_MAX]);

/* A duration for people, such as "60s", "1.5s", "250ms" or "3h". */
void num_format_duration(int64_t ns, char out[static NUM_SIZE_TEXT_MAX]);

/* RFC 3339 in UTC with as many fraction digits (0, 3, 6 or 9) as asked for. Any int64 works. */
void num_format_time(int64_t ns, int digits, char out[static NUM_TIME_TEXT_MAX]);

/* The civil date and hour, in UTC, of a time in nanoseconds since 1970; any int64 works. */
struct num_date {
    int32_t year;
    uint8_t month, day, hour, minute, second;
    uint32_t nanosecond;
};
struct num_date num_date_of(int64_t ns);

#endif

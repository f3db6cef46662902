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

/* The same, quicker, where the eight bytes in front of `text` can be read as well. */
bool num_parse_u64_within(struct slice text, uint64_t *out) __attribute__((warn_unused_result));

/* An optional '-' and decimal digits, INT64_MIN to INT64_MAX. */
bool num_parse_i64(struct slice text, int64_t *out) __attribute__((warn_unused_result));

/* Digits, then nothing (bytes), KiB, MiB, GiB or TiB. */
bool num_parse_size(struct slice text, uint64_t *bytes) __attribute__((warn_unused_result));

/* Digits, then ms, s, m, h or d; nanoseconds, at most INT64_MAX. */
bool num_parse_duration(struct slice text, int64_t *ns) __attribute__((warn_unused_result));

/* a + b, a * b; false if the result does not fit. */
bool num_add_u64(uint64_t a, uint64_t b, uint64_t *out) __attribute__((warn_unused_result));
bool num_mul_u64(uint64_t a, uint64_t b, uint64_t *out) __attribute__((warn_unused_result));

static inline uint64_t num_least_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* a / b, rounded down; b is positive. */
static inline int64_t num_floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* Append a finite number in as few digits as read back as the same one: of `narrow`, as a float. */
void num_append_real(struct buf *out, double value, bool narrow);

enum { NUM_SIZE_TEXT_MAX = 24 };

/* A size for people, such as "3.2 MiB" or "817 B". */
void num_format_size(uint64_t bytes, char out[static NUM_SIZE_TEXT_MAX]);

/* A count for people, such as "10,005". */
enum { NUM_COUNT_TEXT_MAX = 27 };
void num_format_count(uint64_t count, char out[static NUM_COUNT_TEXT_MAX]);

/* A duration for people, such as "60s", "1.5s", "250ms", "3h" or "2d". */
void num_format_duration(int64_t ns, char out[static NUM_SIZE_TEXT_MAX]);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_STATISTICS_H
#define VARVE_PARQUET_WRITE_STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "parquet/format.h"

/*
 * The smallest and the largest of some values, as readers see them: for BYTE_ARRAY no longer than
 * BOUND_BYTES_MAX or a little more, so that a huge value can't bloat footers. A zeroed struct
 * bounds nothing. Order is that of parquet.thrift: signed for int64, unsigned bytewise for byte
 * strings.
 */
enum {
    BOUND_BYTES_MAX = 64,
    BOUND_BYTES_CAP = BOUND_BYTES_MAX + 3, /* rounding up may make the last character longer */
};

/* Of numbers. All types of fixed width have them as int64 in the same order: FLOAT and DOUBLE by
 * their bits (see real_of_order), BOOLEAN as 0 and 1. */
struct bounds_int64 {
    bool has;
    int64_t min, max;
};

struct bounds_real {
    bool has;
    double min, max;
};

struct bounds_bytes {
    bool has;
    bool has_max; /* false if no short string bounds the values, such as 100 x U+10FFFF */
    uint8_t min_len, max_len;
    uint8_t min[BOUND_BYTES_CAP], max[BOUND_BYTES_CAP];
};

/* The bounds of `count` PLAIN values. *ascending is cleared if a value is less than the one before,
 * or the first one less than *last; *last becomes the last value. */
struct bounds_int64 bounds_of_int64(const uint8_t *values, uint32_t count, int64_t *last,
                                    bool *ascending);

/* The bounds of PLAIN values of any other type of fixed width, a byte a BOOLEAN. NaNs are left out:
 * no order has a place for them. A zero is bounded from below by -0.0 and from above by +0.0, as
 * parquet.thrift wants it, since readers take the two for equal or not. */
struct bounds_int64 bounds_of_numbers(struct slice values, enum parquet_type type);

/* What a column chunk of varve's says of its values. False if it is not in the form in which varve
 * says it; both are empty if it says nothing. */
bool bounds_of_statistics(const struct parquet_statistics *statistics, enum parquet_type type,
                          struct bounds_int64 *numbers, struct bounds_bytes *bytes);

/* The bytes of a bound in PLAIN form, at most 8 at `to`; how many. */
size_t bound_plain(int64_t bound, enum parquet_type type, uint8_t *to);

/* The number behind a bound of a FLOAT or DOUBLE column. */
double real_of_order(int64_t order, enum parquet_type type);

/* Bounds of all values from `min` to `max`, cut to BOUND_BYTES_MAX: the maximum is then rounded up,
 * at a character if `text`, else at a byte. */
struct bounds_bytes bounds_of_range(struct slice min, struct slice max, bool text);

/* Widen `to` to what `from` bounds. */
void bounds_int64_add(struct bounds_int64 *to, const struct bounds_int64 *from);
void bounds_bytes_add(struct bounds_bytes *to, const struct bounds_bytes *from);

/* What is known of a column, or of a part of it. */
struct column_total {
    uint64_t values; /* without the nulls */
    uint64_t nulls;
    struct bounds_int64 numbers;
    struct bounds_bytes bytes;
};

void column_total_add(struct column_total *total, const struct column_total *part);

/* Views of the bounds, valid as long as `bounds`. */
struct slice bounds_min(const struct bounds_bytes *bounds);
struct slice bounds_max(const struct bounds_bytes *bounds);

#endif

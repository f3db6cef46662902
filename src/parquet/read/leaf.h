/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_LEAF_H
#define VARVE_PARQUET_READ_LEAF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "parquet/format.h"
#include "parquet/read/values.h"

/*
 * The columns of a file: the leaves of its schema, in order, and what their values mean. Of
 * LogicalType and ConvertedType the former counts where both are there (LogicalTypes.md).
 */
enum parquet_meaning {
    PARQUET_MEANING_BOOLEAN,
    PARQUET_MEANING_SIGNED,   /* INT32 or INT64 */
    PARQUET_MEANING_UNSIGNED, /* the same */
    PARQUET_MEANING_DATE,     /* INT32, days since 1970 */
    PARQUET_MEANING_TIME,     /* INT32 or INT64, `unit` since midnight */
    PARQUET_MEANING_TIMESTAMP,
    PARQUET_MEANING_INT96, /* ns of the day, then the Julian day: a deprecated timestamp */
    PARQUET_MEANING_FLOAT,
    PARQUET_MEANING_DOUBLE,
    PARQUET_MEANING_FLOAT16,
    PARQUET_MEANING_DECIMAL, /* unscaled: INT32, INT64, or big-endian two's complement */
    PARQUET_MEANING_TEXT,    /* STRING, ENUM, JSON: should be UTF-8 */
    PARQUET_MEANING_UUID,
    PARQUET_MEANING_BYTES, /* of any content; also BSON, INTERVAL */
};

struct parquet_leaf {
    struct slice name; /* the names on its path, joined with dots */
    const struct parquet_schema_element *element;
    struct parquet_value_type type;
    enum parquet_meaning meaning;
    enum parquet_time_unit unit; /* TIME, TIMESTAMP */
    bool utc;                    /* TIMESTAMP: an instant, not a local time */
    int32_t scale;               /* DECIMAL: digits after the point */
    uint8_t definition;          /* the level of a value; lower ones are nulls (Nested Encoding) */
    uint8_t repetition;          /* lists that it is within; 0: one entry a row */
    bool ordered;                /* there is an order for minimum and maximum */
    const char *unsupported;     /* why its values can't be read; or NULL */
};

enum {
    /* Levels of groups; Parquet names no limit. Bounds what recursion over a schema takes. */
    PARQUET_SCHEMA_DEPTH_MAX = 64,
    /* Joined paths repeat the names of groups: both bound the memory that a small footer takes. */
    PARQUET_LEAVES_MAX = 65536,
    PARQUET_PATH_MAX = 1024,
    /* Digits behind the point of a DECIMAL; 256 bits have 77 digits in all. */
    PARQUET_SCALE_MAX = 255,
};

/* The leaves of the schema of a file, in the arena. ERR_FORMAT if the schema is not one tree,
 * ERR_LIMIT if it is larger than the limits above. */
int parquet_leaves(const struct parquet_file_metadata *metadata, struct arena *arena,
                   struct parquet_leaf **leaves, uint32_t *count, struct err *err)
    __attribute__((warn_unused_result));

/* Compare two values as the minimum and maximum of this column are ordered (parquet.thrift,
 * ColumnOrder): negative, zero, positive. Only if leaf->ordered, and both of the right width.
 * NaNs are for the caller to leave out. */
int parquet_leaf_compare(const struct parquet_leaf *leaf, struct slice a, struct slice b);

/* True if the value is a floating point NaN, which no order has a place for. */
bool parquet_leaf_is_nan(const struct parquet_leaf *leaf, struct slice value);

/* "INT64" and so on, or NULL. */
const char *parquet_type_name(enum parquet_type type);

/* A value of meaning FLOAT, DOUBLE or FLOAT16, widened. */
double parquet_leaf_real(const struct parquet_leaf *leaf, struct slice value);

/* A value of INT96, a deprecated timestamp: nanoseconds of the day and the Julian day, as
 * microseconds since 1970. Any bits are a time: those of no sensible year wrap. */
static inline int64_t parquet_int96_micros(const uint8_t *value)
{
    const int64_t julian_1970 = 2440588;
    int64_t days = (int64_t)load_u32le(value + 8) - julian_1970;
    return (int64_t)((uint64_t)days * 86400 * 1000 * 1000 + load_u64le(value) / 1000);
}

#endif

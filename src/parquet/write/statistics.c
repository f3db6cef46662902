/* SPDX-License-Identifier: MIT */
#include "parquet/write/statistics.h"

#include <math.h>

#include "base/bytes.h"
#include "base/utf8.h"

enum {
    SURROGATE_FIRST = 0xD800,
    SURROGATE_LAST = 0xDFFF,
    CHARACTER_LAST = 0x10FFFF,
};

struct bounds_int64 bounds_of_int64(const uint8_t *values, uint32_t count, int64_t *last,
                                    bool *ascending)
{
    struct bounds_int64 bounds = {.has = count > 0, .min = INT64_MAX, .max = INT64_MIN};
    int64_t previous = *last;
    unsigned descents = 0;

    /* Without branches, so that compilers make vector code of it. */
    for (uint32_t i = 0; i < count; i++) {
        int64_t value = (int64_t)load_u64le(values + (size_t)i * 8);
        bounds.min = value < bounds.min ? value : bounds.min;
        bounds.max = value > bounds.max ? value : bounds.max;
        descents |= value < previous;
        previous = value;
    }
    *last = previous;
    if (descents != 0)
        *ascending = false;
    return bounds;
}

/* Bits of a floating point number, widened, as an int64 in the order of the numbers: those of
 * negative ones descend. The same function leads back. */
static int64_t turn(int64_t bits)
{
    return bits < 0 ? bits ^ INT64_MAX : bits;
}

/* A float has its bits in the upper half, so that its sign is that of the int64. */
static int64_t order_of(const uint8_t *value, enum parquet_type type, bool *nan)
{
    float narrow;
    double wide;
    *nan = false;
    switch (type) {
    case PARQUET_TYPE_BOOLEAN:
        return *value;
    case PARQUET_TYPE_INT32:
        return (int32_t)load_u32le(value);
    case PARQUET_TYPE_INT64:
        return (int64_t)load_u64le(value);
    case PARQUET_TYPE_FLOAT: {
        uint32_t bits = load_u32le(value);
        memcpy(&narrow, &bits, sizeof(narrow));
        *nan = isnan(narrow);
        return turn((int64_t)((uint64_t)bits << 32));
    }
    case PARQUET_TYPE_DOUBLE: {
        uint64_t bits = load_u64le(value);
        memcpy(&wide, &bits, sizeof(wide));
        *nan = isnan(wide);
        return turn((int64_t)bits);
    }
    case PARQUET_TYPE_INT96:
    case PARQUET_TYPE_BYTE_ARRAY:
    case PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY:
        break;
    }
    return 0;
}

static uint32_t width_of(enum parquet_type type)
{
    bool narrow = type == PARQUET_TYPE_INT32 || type == PARQUET_TYPE_FLOAT;
    return type == PARQUET_TYPE_BOOLEAN ? 1 : narrow ? 4 : 8;
}

struct bounds_int64 bounds_of_numbers(struct slice values, enum parquet_type type)
{
    struct bounds_int64 bounds = {0};
    bool real = type == PARQUET_TYPE_FLOAT || type == PARQUET_TYPE_DOUBLE;
    uint32_t width = width_of(type);

    for (size_t at = 0; at < values.len; at += width) {
        bool nan;
        int64_t value = order_of(values.data + at, type, &nan);
        if (nan)
            continue;
        bounds_int64_add(&bounds, &(struct bounds_int64){true, value, value});
    }
    if (real && bounds.has && bounds.min == 0)
        bounds.min = turn(INT64_MIN);
    if (real && bounds.has && bounds.max == turn(INT64_MIN))
        bounds.max = 0;
    return bounds;
}

bool bounds_of_statistics(const struct parquet_statistics *statistics, enum parquet_type type,
                          struct bounds_int64 *numbers, struct bounds_bytes *bytes)
{
    const struct slice min = statistics->min, max = statistics->max;
    bool has_min = statistics->has_min, has_max = statistics->has_max, nan[2];

    *numbers = (struct bounds_int64){0};
    *bytes = (struct bounds_bytes){0};
    if (!has_min && !has_max)
        return true;
    if (type == PARQUET_TYPE_BYTE_ARRAY) {
        if (!has_min || min.len > BOUND_BYTES_CAP || max.len > BOUND_BYTES_CAP)
            return false;
        *bytes = (struct bounds_bytes){true, has_max, (uint8_t)min.len, (uint8_t)max.len, {0}, {0}};
        memcpy(bytes->min, min.data, min.len);
        if (has_max)
            memcpy(bytes->max, max.data, max.len);
        return true;
    }
    if (!has_min || !has_max || min.len != width_of(type) || max.len != width_of(type))
        return false;
    *numbers = (struct bounds_int64){true, order_of(min.data, type, &nan[0]),
                                     order_of(max.data, type, &nan[1])};
    return !nan[0] && !nan[1];
}

size_t bound_plain(int64_t bound, enum parquet_type type, uint8_t *to)
{
    if (type == PARQUET_TYPE_BOOLEAN)
        *to = (uint8_t)bound;
    else if (type == PARQUET_TYPE_INT32)
        store_u32le(to, (uint32_t)bound);
    else if (type == PARQUET_TYPE_FLOAT)
        store_u32le(to, (uint32_t)((uint64_t)turn(bound) >> 32));
    else
        store_u64le(to, (uint64_t)(type == PARQUET_TYPE_DOUBLE ? turn(bound) : bound));
    return width_of(type);
}

double real_of_order(int64_t order, enum parquet_type type)
{
    uint8_t bytes[8] = {0};
    float narrow;
    double wide;

    bound_plain(order, type, bytes);
    if (type == PARQUET_TYPE_FLOAT) {
        uint32_t bits = load_u32le(bytes);
        memcpy(&narrow, &bits, sizeof(narrow));
        return (double)narrow;
    }
    uint64_t bits = load_u64le(bytes);
    memcpy(&wide, &bits, sizeof(wide));
    return wide;
}

/* Cut at a character and make the last one larger: the result sorts behind all that begins with
 * what was kept. A character that can't grow is dropped and the one before grows. */
static size_t round_up_text(uint8_t *text, size_t len)
{
    while (len > 0) {
        size_t start = len - 1;
        while (start > 0 && (text[start] & 0xc0) == 0x80)
            start--;
        uint32_t code;
        if (utf8_decode((struct slice){text + start, len - start}, &code) != 0 &&
            code < CHARACTER_LAST) {
            code++;
            if (code >= SURROGATE_FIRST && code <= SURROGATE_LAST)
                code = SURROGATE_LAST + 1;
            return start + utf8_encode(code, text + start);
        }
        len = start;
    }
    return 0;
}

static size_t round_up_bytes(uint8_t *bytes, size_t len)
{
    while (len > 0 && bytes[len - 1] == 0xff)
        len--;
    if (len > 0)
        bytes[len - 1]++;
    return len;
}

static size_t cut(struct slice value, bool text)
{
    if (value.len <= BOUND_BYTES_MAX)
        return value.len;
    return text ? utf8_prefix(value, BOUND_BYTES_MAX) : BOUND_BYTES_MAX;
}

struct bounds_bytes bounds_of_range(struct slice min, struct slice max, bool text)
{
    struct bounds_bytes bounds = {.has = true, .has_max = true};
    size_t min_len = cut(min, text), max_len = cut(max, text);

    if (min_len > 0)
        memcpy(bounds.min, min.data, min_len);
    if (max_len > 0)
        memcpy(bounds.max, max.data, max_len);
    if (max_len < max.len) {
        max_len = text ? round_up_text(bounds.max, max_len) : round_up_bytes(bounds.max, max_len);
        bounds.has_max = max_len > 0;
    }
    bounds.min_len = (uint8_t)min_len;
    bounds.max_len = (uint8_t)max_len;
    return bounds;
}

struct slice bounds_min(const struct bounds_bytes *bounds)
{
    return (struct slice){bounds->min, bounds->min_len};
}

struct slice bounds_max(const struct bounds_bytes *bounds)
{
    return (struct slice){bounds->max, bounds->max_len};
}

void bounds_int64_add(struct bounds_int64 *to, const struct bounds_int64 *from)
{
    if (!from->has)
        return;
    if (!to->has) {
        *to = *from;
        return;
    }
    if (from->min < to->min)
        to->min = from->min;
    if (from->max > to->max)
        to->max = from->max;
}

void bounds_bytes_add(struct bounds_bytes *to, const struct bounds_bytes *from)
{
    if (!from->has)
        return;
    if (!to->has) {
        *to = *from;
        return;
    }
    if (slice_compare(bounds_min(from), bounds_min(to)) < 0) {
        memcpy(to->min, from->min, from->min_len);
        to->min_len = from->min_len;
    }
    to->has_max = to->has_max && from->has_max;
    if (to->has_max && slice_compare(bounds_max(from), bounds_max(to)) > 0) {
        memcpy(to->max, from->max, from->max_len);
        to->max_len = from->max_len;
    }
}

void column_total_add(struct column_total *total, const struct column_total *part)
{
    total->values += part->values;
    total->nulls += part->nulls;
    bounds_int64_add(&total->numbers, &part->numbers);
    bounds_bytes_add(&total->bytes, &part->bytes);
}

/* SPDX-License-Identifier: MIT */
#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
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

enum { UNCHECKED_DIGITS = 19 }; /* as many nines fit 64 bits */

/* The number that eight characters are, the first one in the lowest byte; false if one of them is
 * no digit. Pairs of digits become numbers below 100, pairs of these below 10,000, and so on. */
static bool eight_digits(uint64_t word, uint64_t *value)
{
    const uint64_t high = UINT64_C(0xF0F0F0F0F0F0F0F0), zeros = UINT64_C(0x3030303030303030);
    const uint64_t six = UINT64_C(0x0606060606060606); /* takes what is above '9' out of 0x3_ */
    if ((word & high) != zeros || ((word + six) & high) != zeros)
        return false;
    word -= zeros;
    word = (word * 10 + (word >> 8)) & UINT64_C(0x00FF00FF00FF00FF);
    word = (word * 100 + (word >> 16)) & UINT64_C(0x0000FFFF0000FFFF);
    *value = (word * 10000 + (word >> 32)) & UINT64_C(0xFFFFFFFF);
    return true;
}

bool num_parse_u64(struct slice text, uint64_t *out)
{
    uint64_t value = 0, digits;
    size_t i = 0;
    if (text.len == 0)
        return false;
    for (; i + 8 <= text.len && i + 8 <= UNCHECKED_DIGITS; i += 8) {
        if (!eight_digits(load_u64le(text.data + i), &digits))
            return false;
        value = value * 100000000 + digits;
    }
    for (; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return false;
        digits = (uint64_t)(text.data[i] - '0');
        if (i < UNCHECKED_DIGITS)
            value = value * 10 + digits;
        else if (!num_mul_u64(value, 10, &value) || !num_add_u64(value, digits, &value))
            return false;
    }
    *out = value;
    return true;
}

bool num_parse_u64_within(struct slice text, uint64_t *out)
{
    const uint64_t zeros = UINT64_C(0x3030303030303030);
    uint64_t value = 0, scale = 1, digits;
    if (text.len == 0 || text.len > UNCHECKED_DIGITS)
        return num_parse_u64(text, out);
    /* The last eight first. In front of the first digit there are zeros, in place of what is. */
    for (size_t left = text.len;; left -= 8) {
        uint64_t word = load_u64le(text.data + left - 8);
        if (left < 8) {
            unsigned other = 8 * (8 - (unsigned)left);
            word = word >> other << other | zeros >> (64 - other);
        }
        if (!eight_digits(word, &digits))
            return false;
        value += digits * scale;
        scale *= 100000000;
        if (left <= 8)
            break;
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
        {"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", UINT64_C(1) << 40}};
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
                                        {"h", UINT64_C(3600) * 1000000000},
                                        {"d", UINT64_C(24) * 3600 * 1000000000}};
    uint64_t value;
    if (!parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), &value) ||
        value > INT64_MAX)
        return false;
    *ns = (int64_t)value;
    return true;
}

void num_append_real(struct buf *out, double value, bool narrow)
{
    char text[40];
    int enough = narrow ? 9 : 17;
    for (int digits = narrow ? 6 : 15; digits <= enough; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, value);
        bool same = narrow ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
        if (same)
            break;
    }
    buf_append_text(out, text);
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

void num_format_count(uint64_t count, char out[static NUM_COUNT_TEXT_MAX])
{
    char digits[NUM_SIZE_TEXT_MAX];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, count);
    char *to = out;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
}

void num_format_duration(int64_t ns, char out[static NUM_SIZE_TEXT_MAX])
{
    const int64_t minute = 60 * CLOCK_SECOND;
    const int64_t hour = 60 * minute;
    if (ns % (24 * hour) == 0 && ns / (24 * hour) > 1) {
        (void)snprintf(out, NUM_SIZE_TEXT_MAX, "%" PRId64 "d", ns / (24 * hour));
        return;
    }
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

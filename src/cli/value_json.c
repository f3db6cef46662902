/* SPDX-License-Identifier: MIT */
#include "cli/value_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/num.h"
#include "base/time.h"
#include "base/utf8.h"

enum {
    DAY_SECONDS = 24 * 60 * 60,
    JULIAN_1970 = 2440588, /* the Julian day of 1970-01-01, as INT96 counts days */
    DECIMAL_BYTES_MAX = 64,
    DECIMAL_DIGITS_MAX = DECIMAL_BYTES_MAX * 5 / 2, /* log10(256) is 2.41 */
};

static int64_t signed_integer(const struct parquet_leaf *leaf, struct slice value)
{
    if (leaf->type.type == PARQUET_TYPE_INT32)
        return (int32_t)load_u32le(value.data);
    return (int64_t)load_u64le(value.data);
}

static void append_unsigned(struct buf *out, const struct parquet_leaf *leaf, struct slice value)
{
    if (leaf->type.type == PARQUET_TYPE_INT32)
        buf_append_decimal(out, load_u32le(value.data));
    else
        buf_append_decimal(out, load_u64le(value.data));
}

/* The date so many days after 1970-01-01, as YYYY-MM-DD; false for years beyond 0..9999. */
static bool append_date(struct buf *out, int64_t days)
{
    if (days < -719528 || days > 2932896)
        return false;
    struct time_date date = time_date_of(days);
    buf_printf(out, "%04d-%02d-%02d", (int)date.year, date.month, date.day);
    return true;
}

static void append_clock(struct buf *out, int64_t second_of_day, int64_t fraction, int digits)
{
    buf_printf(out, "%02d:%02d:%02d.%0*d", (int)(second_of_day / 3600),
               (int)(second_of_day / 60 % 60), (int)(second_of_day % 60), digits, (int)fraction);
}

/* `digits` are those of the fraction: 3, 6 or 9. */
static bool append_timestamp(struct buf *out, int64_t seconds, int64_t fraction, int digits,
                             bool utc)
{
    size_t len = out->len;
    int64_t days = num_floor_divide(seconds, DAY_SECONDS);
    buf_append_byte(out, '"');
    if (!append_date(out, days)) {
        out->len = len;
        return false;
    }
    buf_append_byte(out, 'T');
    append_clock(out, seconds - days * DAY_SECONDS, fraction, digits);
    buf_append_text(out, utc ? "Z\"" : "\"");
    return true;
}

static int unit_digits(enum parquet_time_unit unit)
{
    return unit == PARQUET_UNIT_MILLIS ? 3 : unit == PARQUET_UNIT_MICROS ? 6 : 9;
}

static void append_time(struct buf *out, const struct parquet_leaf *leaf, int64_t value)
{
    int digits = unit_digits(leaf->unit);
    int64_t per_second = digits == 3 ? 1000 : digits == 6 ? 1000000 : 1000000000;
    int64_t seconds = num_floor_divide(value, per_second);
    int64_t fraction = value % per_second;
    if (fraction < 0)
        fraction += per_second;
    if (leaf->meaning == PARQUET_MEANING_TIMESTAMP) {
        if (append_timestamp(out, seconds, fraction, digits, leaf->utc))
            return;
    } else if (seconds >= 0 && seconds < DAY_SECONDS) {
        buf_append_byte(out, '"');
        append_clock(out, seconds, fraction, digits);
        buf_append_byte(out, '"');
        return;
    }
    buf_printf(out, "%" PRId64, value);
}

static void append_int96(struct buf *out, struct slice value)
{
    uint64_t ns = load_u64le(value.data);
    int64_t days = (int64_t)(int32_t)load_u32le(value.data + 8) - JULIAN_1970;
    int64_t seconds = days * DAY_SECONDS + (int64_t)(ns / 1000000000);
    if (ns / 1000000000 < DAY_SECONDS &&
        append_timestamp(out, seconds, (int64_t)(ns % 1000000000), 9, false))
        return;
    buf_append_byte(out, '"');
    base64_append(out, value);
    buf_append_byte(out, '"');
}

/* As few digits as give the same number again. */
static void append_real(struct buf *out, double value, bool narrow)
{
    if (isnan(value))
        buf_append_text(out, "\"NaN\"");
    else if (isinf(value))
        buf_append_text(out, value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    else
        num_append_real(out, value, narrow);
}

static void append_bytes(struct buf *out, struct slice value)
{
    buf_append_byte(out, '"');
    base64_append(out, value);
    buf_append_byte(out, '"');
}

/* Big-endian magnitude of a decimal, made of its little-endian or big-endian two's complement. */
static bool magnitude(const struct parquet_leaf *leaf, struct slice value,
                      uint8_t bytes[DECIMAL_BYTES_MAX], size_t *len)
{
    bool integer = leaf->type.type == PARQUET_TYPE_INT32 || leaf->type.type == PARQUET_TYPE_INT64;
    for (size_t i = 0; i < value.len; i++)
        bytes[i] = integer ? value.data[value.len - 1 - i] : value.data[i];
    *len = value.len;
    if (value.len == 0 || (bytes[0] & 0x80) == 0)
        return false;
    unsigned carry = 1;
    for (size_t i = value.len; i-- > 0;) {
        unsigned byte = (uint8_t)~bytes[i] + carry;
        bytes[i] = (uint8_t)byte;
        carry = byte >> 8;
    }
    return true;
}

static void append_decimal(struct buf *out, const struct parquet_leaf *leaf, struct slice value)
{
    uint8_t bytes[DECIMAL_BYTES_MAX];
    char digits[DECIMAL_DIGITS_MAX + PARQUET_SCALE_MAX + 2];
    size_t len = 0, start = 0, at = sizeof(digits);
    size_t scale = (size_t)leaf->scale;
    if (value.len > DECIMAL_BYTES_MAX) {
        append_bytes(out, value);
        return;
    }
    bool negative = magnitude(leaf, value, bytes, &len);
    /* Divide by ten, from the last digit on, until nothing is left. */
    for (size_t count = 0; start < len || count <= scale; count++) {
        unsigned rest = 0;
        for (size_t i = start; i < len; i++) {
            unsigned part = rest << 8 | bytes[i];
            bytes[i] = (uint8_t)(part / 10);
            rest = part % 10;
        }
        while (start < len && bytes[start] == 0)
            start++;
        if (count == scale && scale > 0)
            digits[--at] = '.';
        digits[--at] = (char)('0' + rest);
    }
    buf_append_text(out, negative ? "\"-" : "\"");
    buf_append(out, digits + at, sizeof(digits) - at);
    buf_append_byte(out, '"');
}

static void append_uuid(struct buf *out, struct slice value)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < value.len; i++)
        buf_printf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", value.data[i]);
    buf_append_byte(out, '"');
}

void value_json_append(struct buf *out, const struct parquet_leaf *leaf, struct slice value)
{
    if (value.data == NULL) {
        buf_append_text(out, "null");
        return;
    }
    switch (leaf->meaning) {
    case PARQUET_MEANING_BOOLEAN:
        buf_append_text(out, value.data[0] != 0 ? "true" : "false");
        break;
    case PARQUET_MEANING_SIGNED:
        buf_printf(out, "%" PRId64, signed_integer(leaf, value));
        break;
    case PARQUET_MEANING_UNSIGNED:
        append_unsigned(out, leaf, value);
        break;
    case PARQUET_MEANING_DATE:
        buf_append_byte(out, '"');
        if (!append_date(out, signed_integer(leaf, value))) {
            out->len--;
            buf_printf(out, "%" PRId64, signed_integer(leaf, value));
        } else {
            buf_append_byte(out, '"');
        }
        break;
    case PARQUET_MEANING_TIME:
    case PARQUET_MEANING_TIMESTAMP:
        append_time(out, leaf, signed_integer(leaf, value));
        break;
    case PARQUET_MEANING_INT96:
        append_int96(out, value);
        break;
    case PARQUET_MEANING_FLOAT:
    case PARQUET_MEANING_FLOAT16:
        append_real(out, parquet_leaf_real(leaf, value), true);
        break;
    case PARQUET_MEANING_DOUBLE:
        append_real(out, parquet_leaf_real(leaf, value), false);
        break;
    case PARQUET_MEANING_DECIMAL:
        append_decimal(out, leaf, value);
        break;
    case PARQUET_MEANING_TEXT:
        if (utf8_valid(value))
            json_append_string(out, value);
        else
            append_bytes(out, value);
        break;
    case PARQUET_MEANING_UUID:
        append_uuid(out, value);
        break;
    case PARQUET_MEANING_BYTES:
        append_bytes(out, value);
        break;
    }
}

bool value_json_is_text(struct slice media_type)
{
    static const char *const types[] = {"json", "text", "application/json"};
    const char *text = (const char *)media_type.data;
    size_t len = 0;
    while (len < media_type.len && text[len] != ';')
        len++;
    while (len > 0 && text[len - 1] == ' ')
        len--;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (len == strlen(types[i]) && strncasecmp(text, types[i], len) == 0)
            return true;
    return len > 5 &&
           (strncasecmp(text, "text/", 5) == 0 || strncasecmp(text + len - 5, "+json", 5) == 0);
}

void value_json_append_text(struct buf *out, struct slice value)
{
    if (utf8_valid(value)) {
        json_append_string(out, value);
        return;
    }
    buf_append_text(out, "{\"base64\":");
    append_bytes(out, value);
    buf_append_byte(out, '}');
}

static void append_members(struct buf *out, const struct parquet_file *file,
                           const struct parquet_value *value)
{
    buf_append_byte(out, '{');
    for (const struct parquet_value *v = value->first; v != NULL; v = v->next) {
        if (v != value->first)
            buf_append_byte(out, ',');
        json_append_string(out, v->field->name);
        buf_append_byte(out, ':');
        value_json_append_tree(out, file, v);
    }
    buf_append_byte(out, '}');
}

static void append_elements(struct buf *out, const struct parquet_file *file,
                            const struct parquet_value *value)
{
    buf_append_byte(out, '[');
    for (const struct parquet_value *v = value->first; v != NULL; v = v->next) {
        if (v != value->first)
            buf_append_byte(out, ',');
        value_json_append_tree(out, file, v);
    }
    buf_append_byte(out, ']');
}

static void append_key(struct buf *out, const struct parquet_file *file,
                       const struct parquet_value *key)
{
    struct buf text = {0};
    value_json_append_tree(&text, file, key);
    if (text.data[0] == '"')
        buf_append_slice(out, buf_slice(&text));
    else
        json_append_string(out, buf_slice(&text));
    buf_free(&text);
}

static void append_entries(struct buf *out, const struct parquet_file *file,
                           const struct parquet_value *map)
{
    buf_append_byte(out, '{');
    for (const struct parquet_value *v = map->first; v != NULL; v = v->next) {
        if (v != map->first)
            buf_append_byte(out, ',');
        append_key(out, file, v->first);
        buf_append_byte(out, ':');
        value_json_append_tree(out, file, v->first->next);
    }
    buf_append_byte(out, '}');
}

void value_json_append_tree(struct buf *out, const struct parquet_file *file,
                            const struct parquet_value *value)
{
    if (value->null) {
        buf_append_text(out, "null");
        return;
    }
    switch (value->field->kind) {
    case PARQUET_FIELD_VALUE:
        value_json_append(out, &file->leaves[value->field->leaf], value->bytes);
        break;
    case PARQUET_FIELD_STRUCT:
        append_members(out, file, value);
        break;
    case PARQUET_FIELD_LIST:
        append_elements(out, file, value);
        break;
    case PARQUET_FIELD_MAP:
        append_entries(out, file, value);
        break;
    }
}

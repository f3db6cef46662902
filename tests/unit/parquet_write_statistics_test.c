/* SPDX-License-Identifier: MIT */
#include "parquet/write/statistics.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "test.h"

static struct bounds_int64 bounds_of(const int64_t *values, uint32_t count, int64_t *last,
                                     bool *ascending)
{
    struct buf plain = {0};

    for (uint32_t i = 0; i < count; i++)
        buf_append_u64le(&plain, (uint64_t)values[i]);
    struct bounds_int64 bounds = bounds_of_int64(plain.data, count, last, ascending);
    buf_free(&plain);
    return bounds;
}

TEST(statistics_int64_bounds_are_signed)
{
    int64_t last = INT64_MIN;
    bool ascending = true;
    struct bounds_int64 b =
        bounds_of((const int64_t[]){3, -1, INT64_MAX, INT64_MIN, 0}, 5, &last, &ascending);

    EXPECT(b.has);
    EXPECT_I64(b.min, INT64_MIN);
    EXPECT_I64(b.max, INT64_MAX);
    EXPECT_I64(last, 0);
    EXPECT(!ascending);
}

TEST(statistics_order_is_followed_across_pages)
{
    int64_t last = INT64_MIN;
    bool ascending = true;

    bounds_of((const int64_t[]){INT64_MIN, 1, 1, 2}, 4, &last, &ascending);
    EXPECT(ascending);
    bounds_of((const int64_t[]){2, 5}, 2, &last, &ascending);
    EXPECT(ascending);
    bounds_of((const int64_t[]){4, 9}, 2, &last, &ascending);
    EXPECT(!ascending);
}

TEST(statistics_int64_bounds_add_up)
{
    struct bounds_int64 all = {0};

    bounds_int64_add(&all, &(const struct bounds_int64){0});
    EXPECT(!all.has);
    bounds_int64_add(&all, &(const struct bounds_int64){true, 5, 6});
    bounds_int64_add(&all, &(const struct bounds_int64){true, -7, 5});
    bounds_int64_add(&all, &(const struct bounds_int64){true, 0, 8});
    EXPECT_I64(all.min, -7);
    EXPECT_I64(all.max, 8);
}

static struct slice text_of(char *out, size_t count, const char *character)
{
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        strcat(out, character);
    return slice_of(out);
}

static void expect_bounds(struct slice value, bool text, const char *min, const char *max)
{
    struct bounds_bytes b = bounds_of_range(value, value, text);
    struct slice low = bounds_min(&b), high = bounds_max(&b);

    EXPECT_BYTES(low.data, low.len, min, strlen(min));
    EXPECT(b.has_max == (max != NULL));
    if (max != NULL)
        EXPECT_BYTES(high.data, high.len, max, strlen(max));
}

#define X63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

TEST(statistics_short_strings_are_kept_as_they_are)
{
    expect_bounds(slice_of(""), true, "", "");
    expect_bounds(slice_of(X63), true, X63, X63);
    expect_bounds(slice_of(X63 "y"), true, X63 "y", X63 "y");
    expect_bounds(slice_of(X63 "\xff"), false, X63 "\xff", X63 "\xff");
}

TEST(statistics_long_strings_are_cut_and_rounded)
{
    /* U+007F, U+D7FF and U+FFFF grow into characters that are longer or skip the surrogates */
    expect_bounds(slice_of(X63 "yz"), true, X63 "y", X63 "z");
    expect_bounds(slice_of(X63 "\x7fz"), true, X63 "\x7f", X63 "\xc2\x80");
    /* a character across the border goes as a whole */
    expect_bounds(slice_of(X63 "\xc3\xa4z"), true, X63,
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxy");
    expect_bounds(slice_of(X63 "\xf0\x9f\x98\x80"), true, X63,
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxy");
}

TEST(statistics_characters_that_cannot_simply_grow)
{
    char text[600], expected[600];
    struct slice value = text_of(text, 30, "\xed\x9f\xbf"); /* U+D7FF, 3 bytes */

    /* 21 of them fit; the last becomes U+E000 */
    text_of(expected, 20, "\xed\x9f\xbf");
    strcat(expected, "\xee\x80\x80");
    struct bounds_bytes b = bounds_of_range(value, value, true);
    EXPECT_BYTES(bounds_max(&b).data, bounds_max(&b).len, expected, 63);

    /* U+FFFF becomes U+10000, one byte longer */
    value = text_of(text, 30, "\xef\xbf\xbf");
    text_of(expected, 20, "\xef\xbf\xbf");
    strcat(expected, "\xf0\x90\x80\x80");
    b = bounds_of_range(value, value, true);
    EXPECT_BYTES(bounds_max(&b).data, bounds_max(&b).len, expected, 64);

    /* U+10FFFF is the last: the one before grows, or there is no bound */
    strcpy(text, "a");
    text_of(text + 1, 30, "\xf4\x8f\xbf\xbf");
    b = bounds_of_range(slice_of(text), slice_of(text), true);
    EXPECT_BYTES(bounds_max(&b).data, bounds_max(&b).len, "b", 1);
    value = text_of(text, 30, "\xf4\x8f\xbf\xbf");
    b = bounds_of_range(value, value, true);
    EXPECT(b.has && !b.has_max);
}

TEST(statistics_bytes_are_rounded_at_a_byte)
{
    uint8_t bytes[80];

    memset(bytes, 0xff, sizeof(bytes));
    struct slice value = {bytes, sizeof(bytes)};
    struct bounds_bytes b = bounds_of_range(value, value, false);
    EXPECT(!b.has_max);
    EXPECT_U64(b.min_len, 64);
    bytes[3] = 0x10;
    b = bounds_of_range(value, value, false);
    EXPECT(b.has_max);
    EXPECT_BYTES(bounds_max(&b).data, bounds_max(&b).len, "\xff\xff\xff\x11", 4);
    b = bounds_of_range((struct slice){bytes, 64}, (struct slice){bytes, 64}, false);
    EXPECT_U64(b.max_len, 64);
}

/* A random string of `count` characters of all lengths. */
static struct slice random_text(uint8_t *out, size_t count)
{
    static const uint32_t edges[] = {0,      0x7f,   0x80,    0x7ff,    0x800, 0xd7ff,
                                     0xe000, 0xffff, 0x10000, 0x10ffff, 'a',   0x10fffe};
    size_t len = 0;

    for (size_t i = 0; i < count; i++)
        len += utf8_encode(edges[test_random() % 12], out + len);
    return (struct slice){out, len};
}

TEST(statistics_bounds_bound_and_stay_text)
{
    uint8_t a[400], b[400];

    for (int i = 0; i < 20000; i++) {
        struct slice x = random_text(a, test_random() % 80), y = random_text(b, test_random() % 80);
        if (test_random() % 4 == 0) /* long common beginnings */
            y = (struct slice){x.data, utf8_prefix(x, test_random() % 100)};
        bool less = slice_compare(x, y) < 0;
        struct bounds_bytes bounds = bounds_of_range(less ? x : y, less ? y : x, true);
        struct slice min = bounds_min(&bounds), max = bounds_max(&bounds);
        EXPECT(slice_compare(min, x) <= 0 && slice_compare(min, y) <= 0);
        EXPECT(min.len <= 64 && utf8_valid(min));
        if (bounds.has_max) {
            EXPECT(slice_compare(max, x) >= 0 && slice_compare(max, y) >= 0);
            EXPECT(max.len <= 67 && utf8_valid(max));
        }
    }
}

TEST(statistics_bytes_bounds_add_up)
{
    struct bounds_bytes all = {0}, b = bounds_of_range(slice_of("c"), slice_of("d"), true);
    char text[400];

    bounds_bytes_add(&all, &(const struct bounds_bytes){0});
    EXPECT(!all.has);
    bounds_bytes_add(&all, &b);
    b = bounds_of_range(slice_of("a"), slice_of("c2"), true);
    bounds_bytes_add(&all, &b);
    EXPECT(slice_is(bounds_min(&all), "a") && slice_is(bounds_max(&all), "d"));
    b = bounds_of_range(slice_of("b"), slice_of("da"), true);
    bounds_bytes_add(&all, &b);
    EXPECT(slice_is(bounds_min(&all), "a") && slice_is(bounds_max(&all), "da"));

    /* one part that has no maximum takes it from all, whatever comes after */
    struct slice last = text_of(text, 30, "\xf4\x8f\xbf\xbf");
    b = bounds_of_range(last, last, true);
    bounds_bytes_add(&all, &b);
    EXPECT(!all.has_max);
    b = bounds_of_range(slice_of("z"), slice_of("z"), true);
    bounds_bytes_add(&all, &b);
    EXPECT(!all.has_max && slice_is(bounds_min(&all), "a"));
}

/* PLAIN is little-endian on every machine. */
static void put_double(uint8_t bytes[static 8], double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    store_u64le(bytes, bits);
}

/* The bounds of at most 8 doubles, as their PLAIN bytes. */
static void expect_doubles(const double *values, size_t count, bool has, double min, double max)
{
    uint8_t bytes[8], expected[8], encoded[8 * 8];
    EXPECT(count <= 8);
    for (size_t i = 0; i < count; i++)
        put_double(encoded + 8 * i, values[i]);
    struct slice plain = {encoded, 8 * count};
    struct bounds_int64 bounds = bounds_of_numbers(plain, PARQUET_TYPE_DOUBLE);

    EXPECT(bounds.has == has);
    if (!has)
        return;
    EXPECT_U64(bound_plain(bounds.min, PARQUET_TYPE_DOUBLE, bytes), 8);
    put_double(expected, min);
    EXPECT_BYTES(bytes, 8, expected, 8);
    EXPECT_U64(bound_plain(bounds.max, PARQUET_TYPE_DOUBLE, bytes), 8);
    put_double(expected, max);
    EXPECT_BYTES(bytes, 8, expected, 8);
    EXPECT(real_of_order(bounds.max, PARQUET_TYPE_DOUBLE) == max);
}

/* parquet.thrift, ColumnOrder: no NaN in a bound; a minimum of zero is -0.0, a maximum +0.0. */
TEST(statistics_of_doubles)
{
    const double inf = HUGE_VAL, nan = NAN;

    expect_doubles((const double[]){1.5, -2.25, 1e300}, 3, true, -2.25, 1e300);
    expect_doubles((const double[]){-1.0, -3.0, -2.0}, 3, true, -3.0, -1.0);
    expect_doubles((const double[]){inf, -inf}, 2, true, -inf, inf);
    expect_doubles((const double[]){nan, 2.0, nan}, 3, true, 2.0, 2.0);
    expect_doubles((const double[]){nan, -nan}, 2, false, 0, 0);
    expect_doubles((const double[]){0.0}, 1, true, -0.0, 0.0);
    expect_doubles((const double[]){-0.0}, 1, true, -0.0, 0.0);
    expect_doubles((const double[]){-0.0, 1.0}, 2, true, -0.0, 1.0);
    expect_doubles((const double[]){-1.0, -0.0}, 2, true, -1.0, 0.0);
}

TEST(statistics_of_other_numbers)
{
    uint8_t bytes[8];
    size_t len;
    struct slice plain;

    plain.data = test_hex("ffffffff 05000000 00000080", &plain.len); /* -1, 5, INT32_MIN */
    struct bounds_int64 bounds = bounds_of_numbers(plain, PARQUET_TYPE_INT32);
    EXPECT(bounds.has && bounds.min == INT32_MIN && bounds.max == 5);
    len = bound_plain(bounds.min, PARQUET_TYPE_INT32, bytes);
    EXPECT_BYTES(bytes, len, "\x00\x00\x00\x80", 4);

    plain.data = test_hex("01 00 01", &plain.len);
    bounds = bounds_of_numbers(plain, PARQUET_TYPE_BOOLEAN);
    EXPECT(bounds.has && bounds.min == 0 && bounds.max == 1);
    EXPECT_U64(bound_plain(bounds.max, PARQUET_TYPE_BOOLEAN, bytes), 1);

    plain.data = test_hex("000080bf 0000c07f 00004040", &plain.len); /* -1, NaN, 3 */
    bounds = bounds_of_numbers(plain, PARQUET_TYPE_FLOAT);
    len = bound_plain(bounds.min, PARQUET_TYPE_FLOAT, bytes);
    EXPECT_BYTES(bytes, len, "\x00\x00\x80\xbf", 4);
    EXPECT(real_of_order(bounds.max, PARQUET_TYPE_FLOAT) == 3.0);
    EXPECT(!bounds_of_numbers((struct slice){0}, PARQUET_TYPE_FLOAT).has);
}

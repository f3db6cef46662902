/* SPDX-License-Identifier: MIT */
#include "parquet/write/encodings.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "test.h"

static void expect_int64(const int64_t *values, uint32_t count, const char *hex)
{
    struct buf plain = {0}, out = {0};
    size_t len;
    const uint8_t *expected = test_hex(hex, &len);

    for (uint32_t i = 0; i < count; i++)
        buf_append_u64le(&plain, (uint64_t)values[i]);
    delta_encode_int64(&out, plain.data, count);
    EXPECT_BYTES(out.data, out.len, expected, len);
    buf_free(&plain);
    buf_free(&out);
}

/* The first three were made by another encoder and read by four others; the last by hand. */
TEST(delta_known_bytes)
{
    expect_int64((const int64_t[]){1, 2, 3, 4, 5}, 5, "80 01 04 05 02 02 00 00 00 00");
    expect_int64(NULL, 0, "80 01 04 00 00");
    expect_int64((const int64_t[]){7}, 1, "80 01 04 01 0e");
    /* differences -2 and 0: least -2, above it 0 and 2, two bits each in one miniblock */
    expect_int64((const int64_t[]){7, 5, 5}, 3,
                 "80 01 04 03 0e 03 02 00 00 00 08 00 00 00 00 00 00 00");
}

static uint64_t read_varint(const uint8_t **at)
{
    uint64_t value = 0;

    for (unsigned shift = 0;; shift += 7) {
        value |= (uint64_t)(**at & 0x7f) << shift;
        if (*(*at)++ < 0x80)
            return value;
    }
}

/* A decoder straight from Encodings.md, bit by bit. Returns the first byte behind. */
static const uint8_t *decode(const uint8_t *at, int64_t *values, uint32_t count)
{
    EXPECT_U64(read_varint(&at), 128);
    EXPECT_U64(read_varint(&at), 4);
    EXPECT_U64(read_varint(&at), count);
    uint64_t value = (uint64_t)zigzag_decode(read_varint(&at));
    uint32_t n = 0;
    if (count > 0)
        values[n++] = (int64_t)value;
    while (n < count) {
        uint64_t least = (uint64_t)zigzag_decode(read_varint(&at));
        const uint8_t *widths = at;
        at += 4;
        for (int m = 0; m < 4; m++) {
            EXPECT(widths[m] <= 64);
            if (n >= count)
                EXPECT_U64(widths[m], 0);
            for (unsigned i = 0; i < 32; i++) {
                uint64_t above = 0;
                for (unsigned bit = 0; bit < widths[m]; bit++) {
                    unsigned position = i * widths[m] + bit;
                    above |= (uint64_t)(at[position / 8] >> position % 8 & 1) << bit;
                }
                value += least + above;
                if (n < count)
                    values[n++] = (int64_t)value;
            }
            at += 4 * (size_t)widths[m];
        }
    }
    return at;
}

static void expect_same(const int64_t *values, uint32_t count)
{
    struct buf plain = {0}, out = {0};
    int64_t *decoded = malloc((count + 1) * sizeof(*decoded));

    for (uint32_t i = 0; i < count; i++)
        buf_append_u64le(&plain, (uint64_t)values[i]);
    delta_encode_int64(&out, plain.data, count);
    EXPECT(decode(out.data, decoded, count) == out.data + out.len);
    for (uint32_t i = 0; i < count; i++)
        EXPECT_I64(decoded[i], values[i]);
    free(decoded);
    buf_free(&plain);
    buf_free(&out);
}

TEST(delta_extremes_wrap_around)
{
    expect_same((const int64_t[]){INT64_MIN, INT64_MAX, INT64_MIN, -1, 0, INT64_MAX}, 6);
    expect_same((const int64_t[]){INT64_MAX, INT64_MIN}, 2);
    expect_same((const int64_t[]){0, INT64_MIN, 0, INT64_MIN}, 4);
}

TEST(delta_every_length_around_blocks)
{
    int64_t values[400];

    for (uint32_t i = 0; i < 400; i++)
        values[i] = (int64_t)(test_random() % 1000) - 500;
    for (uint32_t count = 0; count < 400; count++)
        expect_same(values, count);
}

TEST(delta_every_width)
{
    int64_t values[300];

    for (unsigned bits = 1; bits <= 64; bits++) {
        for (uint32_t i = 0; i < 300; i++)
            values[i] = (int64_t)(test_random() >> (64 - bits));
        expect_same(values, 300);
    }
}

TEST(delta_lengths_come_before_bytes)
{
    struct buf plain = {0}, out = {0}, scratch = {0};
    size_t lengths_len;
    /* lengths 5 and 7, then the bytes, as in the example of Encodings.md */
    const uint8_t *lengths = test_hex("80 01 04 02 0a 04 00 00 00 00", &lengths_len);

    buf_append_u32le(&plain, 5);
    buf_append_text(&plain, "Hello");
    buf_append_u32le(&plain, 7);
    buf_append_text(&plain, "Parquet");
    buf_append_text(&out, "levels");
    size_t at = delta_encode_bytes(&out, buf_slice(&plain), 2, &scratch);
    EXPECT_BYTES(out.data + at, 6, "levels", 6);
    at += 6;
    EXPECT_BYTES(out.data + at, lengths_len, lengths, lengths_len);
    at += lengths_len;
    EXPECT_BYTES(out.data + at, out.len - at, "HelloParquet", 12);
    buf_free(&plain);
    buf_free(&out);
    buf_free(&scratch);
}

TEST(delta_bytes_of_every_length)
{
    struct buf plain = {0}, out = {0}, scratch = {0}, content = {0};
    int64_t lengths[1100];

    for (uint32_t i = 0; i < 1100; i++) {
        lengths[i] = i;
        buf_append_u32le(&plain, i);
        for (uint32_t j = 0; j < i; j++) {
            uint8_t byte = (uint8_t)test_random();
            buf_append_byte(&plain, byte);
            buf_append_byte(&content, byte);
        }
    }
    size_t start = delta_encode_bytes(&out, buf_slice(&plain), 1100, &scratch);
    EXPECT_U64(scratch.len, sizeof(lengths));
    for (uint32_t i = 0; i < 1100; i++)
        EXPECT_U64(load_u64le(scratch.data + 8 * i), i);
    int64_t *decoded = malloc(sizeof(lengths));
    const uint8_t *at = decode(out.data + start, decoded, 1100);
    EXPECT_BYTES(decoded, sizeof(lengths), lengths, sizeof(lengths));
    EXPECT_BYTES(at, (size_t)(out.data + out.len - at), content.data, content.len);
    free(decoded);
    buf_free(&plain);
    buf_free(&out);
    buf_free(&scratch);
    buf_free(&content);
}

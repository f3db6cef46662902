/* SPDX-License-Identifier: MIT */
#include "parquet/write/encodings.h"

#include <stdlib.h>

#include "test.h"

static void expect_encoded(const uint32_t *values, size_t count, unsigned width, const char *hex)
{
    struct buf out = {0};
    size_t len;
    const uint8_t *expected = test_hex(hex, &len);

    rle_encode(&out, values, count, width);
    EXPECT_BYTES(out.data, out.len, expected, len);
    buf_free(&out);
}

static uint32_t *repeated(uint32_t value, size_t count)
{
    uint32_t *values = malloc((count + 1) * sizeof(*values));

    for (size_t i = 0; i < count; i++)
        values[i] = value;
    return values;
}

/* Examples of parquet-format Encodings.md and bytes written down by hand. */
TEST(rle_known_bytes)
{
    uint32_t *ones = repeated(1, 1000), *fives = repeated(5, 100), *large = repeated(70000, 9);

    expect_encoded((const uint32_t[]){0, 1, 2, 3, 0, 1, 2, 3}, 8, 2, "03 e4 e4");
    expect_encoded((const uint32_t[]){0, 1, 2, 3, 4, 5, 6, 7}, 8, 3, "03 88 c6 fa");
    expect_encoded(fives, 100, 3, "c8 01 05");
    expect_encoded(ones, 1000, 1, "d0 0f 01");
    expect_encoded(large, 9, 17, "12 70 11 01");
    expect_encoded(NULL, 0, 1, "");
    expect_encoded((const uint32_t[]){1}, 1, 1, "02 01");
    expect_encoded((const uint32_t[]){1, 0, 1}, 3, 1, "03 05");
    free(ones);
    free(fives);
    free(large);
}

/* 504 values that don't repeat are one packed run of 63 groups; one more needs another run. */
TEST(rle_packed_runs_have_headers_of_one_byte)
{
    struct buf out = {0};
    uint32_t values[512];

    for (uint32_t i = 0; i < 512; i++)
        values[i] = i % 2;
    rle_encode(&out, values, 504, 1);
    EXPECT_U64(out.len, 1 + 63);
    EXPECT_U64(out.data[0], 127);
    buf_reset(&out);
    rle_encode(&out, values, 512, 1);
    EXPECT_U64(out.len, 1 + 63 + 2);
    EXPECT_U64(out.data[64], 3);
    buf_free(&out);
}

TEST(rle_width_fits_the_largest_number)
{
    static const uint32_t largest[] = {0,   1,   2,   3,   4,     7,     8,     15,           16,
                                       127, 128, 255, 256, 65534, 65535, 65536, (1 << 24) - 1};
    static const unsigned widths[] = {1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 8, 9, 16, 16, 17, 24};

    for (size_t i = 0; i < sizeof(largest) / sizeof(largest[0]); i++)
        EXPECT_U64(rle_width(largest[i]), widths[i]);
}

/* A decoder straight from the grammar, bit by bit. */
static size_t decode(const uint8_t *at, size_t len, unsigned width, uint32_t *values, size_t count)
{
    const uint8_t *end = at + len;
    size_t n = 0;

    while (n < count) {
        uint64_t header = 0;
        for (unsigned shift = 0;; shift += 7) {
            EXPECT(at < end);
            header |= (uint64_t)(*at & 0x7f) << shift;
            if (*at++ < 0x80)
                break;
        }
        if (header & 1) {
            for (uint64_t i = 0; i < header / 2 * 8; i++) {
                uint32_t value = 0;
                for (unsigned bit = 0; bit < width; bit++) {
                    uint64_t position = i * width + bit;
                    EXPECT(at + position / 8 < end);
                    value |= (uint32_t)(at[position / 8] >> position % 8 & 1) << bit;
                }
                if (n < count)
                    values[n++] = value;
            }
            at += header / 2 * width;
        } else {
            uint32_t value = 0;
            for (unsigned byte = 0; byte < (width + 7) / 8; byte++)
                value |= (uint32_t)*at++ << 8 * byte;
            EXPECT(header > 0 && n + header / 2 <= count);
            for (uint64_t i = 0; i < header / 2; i++)
                values[n++] = value;
        }
    }
    return (size_t)(end - at);
}

static void expect_same(const uint32_t *values, size_t count, unsigned width)
{
    struct buf out = {0};
    uint32_t *decoded = repeated(0, count);

    rle_encode(&out, values, count, width);
    EXPECT_U64(decode(out.data, out.len, width, decoded, count), 0);
    for (size_t i = 0; i < count; i++)
        EXPECT_U64(decoded[i], values[i]);
    free(decoded);
    buf_free(&out);
}

/* Runs of all lengths at all positions within a group of eight, in all widths. */
TEST(rle_mixed_runs_decode_to_the_same)
{
    uint32_t values[3000];

    for (unsigned width = 1; width <= RLE_WIDTH_MAX; width++)
        for (int round = 0; round < 12; round++) {
            size_t count = 0, wanted = 1 + test_random() % 2900;
            while (count < wanted) {
                size_t run = 1 + test_random() % (test_random() % 8 == 0 ? 700 : 20);
                bool equal = test_random() % 2;
                uint32_t mask = (UINT32_C(1) << width) - 1, value = (uint32_t)test_random() & mask;
                for (; run > 0 && count < wanted; run--) {
                    values[count++] = value;
                    if (!equal)
                        value = (uint32_t)test_random() & mask;
                }
            }
            expect_same(values, count, width);
        }
}

TEST(rle_every_short_length)
{
    uint32_t values[40] = {0};

    for (size_t count = 0; count <= 40; count++)
        for (uint32_t change = 0; change <= count; change++) {
            for (uint32_t i = 0; i < count; i++)
                values[i] = i < change ? 2 : 1;
            expect_same(values, count, 2);
        }
}

TEST(rle_around_the_longest_packed_run)
{
    uint32_t values[600];

    for (uint32_t i = 0; i < 600; i++)
        values[i] = i % 3;
    for (size_t count = 495; count <= 520; count++)
        expect_same(values, count, 2);
}

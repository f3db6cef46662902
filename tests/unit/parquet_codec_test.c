/* SPDX-License-Identifier: MIT */
#include "parquet/codec.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "test.h"

static struct slice random_bytes(uint8_t *out, size_t len, uint8_t mask)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(test_random() & mask);
    return (struct slice){out, len};
}

static const struct parquet_effort efforts[] = {{-7, true, 11}, {-3, true, 0}, {1, false, 0},
                                                {3, false, 0},  {9, false, 0}, {19, false, 0}};

TEST(codec_frames_come_back)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct buf frame = {0}, out = {0};
    struct err err = {0};
    uint8_t *bytes = malloc(300000);
    static const size_t lengths[] = {0, 1, 255, 256, 65535, 65536, 131072, 300000};

    for (size_t e = 0; e < sizeof(efforts) / sizeof(efforts[0]); e++)
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            struct slice data = random_bytes(bytes, lengths[i], (uint8_t)(i % 2 ? 0xff : 0x0f));
            buf_reset(&frame);
            buf_reset(&out);
            buf_append_text(&frame, "before");
            buf_append_text(&out, "kept");
            parquet_compress(codec, efforts[e], data, &frame);
            EXPECT_BYTES(frame.data, 6, "before", 6);
            struct slice stored = {frame.data + 6, frame.len - 6};
            EXPECT_I64(parquet_decompress(codec, stored, data.len, &out, &err), 0);
            EXPECT_BYTES(out.data, 4, "kept", 4);
            EXPECT_BYTES(out.data + 4, out.len - 4, data.data, data.len);
        }
    free(bytes);
    buf_free(&frame);
    buf_free(&out);
    parquet_codec_free(codec);
}

/* RFC 8878, 3.1.1: magic; descriptor with content size and checksum, no dictionary; for larger
 * content a window of at most 8 MiB. */
TEST(codec_frames_have_size_and_checksum_and_a_small_window)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct buf frame = {0};
    uint8_t *bytes = malloc(9 << 20);

    for (size_t e = 0; e < sizeof(efforts) / sizeof(efforts[0]); e++) {
        if (efforts[e].level > 9)
            continue; /* takes seconds, and its window is less than at level 9 is allowed */
        for (size_t len = 0; len <= (9 << 20); len = len * 8 + 1000) {
            buf_reset(&frame);
            parquet_compress(codec, efforts[e], random_bytes(bytes, len, 3), &frame);
            EXPECT_U64(load_u32le(frame.data), 0xFD2FB528);
            uint8_t descriptor = frame.data[4];
            EXPECT((descriptor & 0x04) != 0 && (descriptor & 0x03) == 0);
            bool single = descriptor & 0x20;
            EXPECT(single || descriptor >> 6 != 0);
            if (!single) {
                unsigned exponent = frame.data[5] >> 3, mantissa = frame.data[5] & 7;
                uint64_t base = UINT64_C(1) << (10 + exponent);
                EXPECT(base + base / 8 * mantissa <= 8 << 20);
            }
        }
    }
    free(bytes);
    buf_free(&frame);
    parquet_codec_free(codec);
}

TEST(codec_damage_is_an_error_and_changes_nothing)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct buf frame = {0}, out = {0};
    uint8_t bytes[2000];
    struct slice data = random_bytes(bytes, sizeof(bytes), 0x0f);
    unsigned noticed = 0;

    buf_append_text(&out, "kept");
    parquet_compress(codec, efforts[2], data, &frame);
    for (size_t bit = 0; bit < frame.len * 8; bit++) {
        struct err err = {0};
        frame.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (parquet_decompress(codec, buf_slice(&frame), data.len, &out, &err) == 0) {
            /* flags of the header that say nothing about the content */
            EXPECT_BYTES(out.data + 4, out.len - 4, data.data, data.len);
            out.len = 4;
        } else {
            EXPECT(err.code == ERR_FORMAT);
            noticed++;
        }
        EXPECT_U64(out.len, 4);
        frame.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    EXPECT(noticed > frame.len * 8 - 8);
    for (size_t len = 0; len < frame.len; len++) {
        struct err err = {0};
        struct slice part = {frame.data, len};
        EXPECT_I64(parquet_decompress(codec, part, data.len, &out, &err), -1);
    }
    buf_free(&frame);
    buf_free(&out);
    parquet_codec_free(codec);
}

TEST(codec_another_size_than_announced_is_an_error)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct buf frame = {0}, out = {0};

    parquet_compress(codec, efforts[2], slice_of("ten bytes!"), &frame);
    for (size_t len = 0; len < 20; len++) {
        struct err err = {0};
        int expected = len == 10 ? 0 : -1;
        EXPECT_I64(parquet_decompress(codec, buf_slice(&frame), len, &out, &err), expected);
    }
    EXPECT_U64(out.len, 10);
    buf_free(&frame);
    buf_free(&out);
    parquet_codec_free(codec);
}

/* Other writers may put several frames into a page. */
TEST(codec_reads_frames_in_a_row)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct buf frame = {0}, out = {0};
    struct err err = {0};

    parquet_compress(codec, efforts[2], slice_of("one "), &frame);
    parquet_compress(codec, efforts[3], slice_of("two"), &frame);
    EXPECT_I64(parquet_decompress(codec, buf_slice(&frame), 7, &out, &err), 0);
    EXPECT_BYTES(out.data, out.len, "one two", 7);
    buf_free(&frame);
    buf_free(&out);
    parquet_codec_free(codec);
}

static size_t size_with(struct parquet_codec *codec, struct parquet_effort effort,
                        struct slice data)
{
    struct buf frame = {0};

    parquet_compress(codec, effort, data, &frame);
    size_t len = frame.len;
    buf_free(&frame);
    return len;
}

TEST(codec_effort_stays_below_the_ceiling)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    uint8_t bytes[20000];

    for (int ceiling = PARQUET_LEVEL_MIN; ceiling <= 12; ceiling++)
        for (uint8_t mask = 1; mask != 0; mask = (uint8_t)(mask * 2 + 1) & 0x7f) {
            struct slice data = random_bytes(bytes, sizeof(bytes), mask);
            struct parquet_effort effort =
                parquet_effort_choose(codec, ceiling, data, sizeof(bytes));
            EXPECT(effort.level <= ceiling && effort.level >= PARQUET_LEVEL_MIN);
            EXPECT(effort.level >= 0 || effort.literals);
            if (mask == 0x7f)
                break;
        }
    parquet_codec_free(codec);
}

/* Text without repeats rewards no search for matches; text with far repeats does. */
TEST(codec_effort_follows_the_data)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    uint8_t bytes[64000];

    struct slice noise = random_bytes(bytes, sizeof(bytes), 0x3f);
    struct parquet_effort effort = parquet_effort_choose(codec, 3, noise, sizeof(bytes));
    EXPECT_I64(effort.level, -7);
    EXPECT(size_with(codec, effort, noise) < sizeof(bytes) * 7 / 8);

    for (size_t i = 0; i + 40 <= sizeof(bytes); i += 40) {
        memcpy(bytes + i, "{\"agent\":00,\"reward\":0.000,\"step\":00000}", 40);
        bytes[i + 10] = (uint8_t)('0' + test_random() % 10);
        bytes[i + 23] = (uint8_t)('0' + test_random() % 10);
        bytes[i + 37] = (uint8_t)('0' + i / 40 % 10);
    }
    struct slice text = {bytes, sizeof(bytes)};
    effort = parquet_effort_choose(codec, 3, text, sizeof(bytes));
    size_t best = SIZE_MAX;
    for (int level = -7; level <= 3; level++) {
        size_t size = size_with(codec, (struct parquet_effort){level, true, 0}, text);
        best = size < best ? size : best;
    }
    EXPECT(size_with(codec, effort, text) <= best + best / 50);
    parquet_codec_free(codec);
}

TEST(codec_output_does_not_depend_on_what_was_before)
{
    struct account account = {0};
    struct parquet_codec *used = parquet_codec_new(&account);
    uint8_t bytes[50000];
    struct buf first = {0}, second = {0};

    random_bytes(bytes, sizeof(bytes), 0x07);
    struct slice data = {bytes, sizeof(bytes)};
    for (size_t e = 0; e < sizeof(efforts) / sizeof(efforts[0]); e++) {
        struct parquet_codec *fresh = parquet_codec_new(NULL);
        buf_reset(&first);
        buf_reset(&second);
        parquet_compress(used, efforts[e], data, &first);
        parquet_compress(fresh, efforts[e], data, &second);
        EXPECT_BYTES(first.data, first.len, second.data, second.len);
        parquet_codec_free(fresh);
    }
    EXPECT(account_bytes(&account) > 100000); /* most of it is zstd's */
    buf_free(&first);
    buf_free(&second);
    parquet_codec_free(used);
    EXPECT_U64(account_bytes(&account), 0);
}

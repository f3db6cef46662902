/* SPDX-License-Identifier: MIT */
#include "parquet/codec.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "test.h"

static struct slice random_bytes(uint8_t *out, size_t len, uint8_t mask)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(test_random() & mask);
    return (struct slice){out, len};
}

static const struct parquet_effort efforts[] = {
    {.level = -7, .literals = true, .hash_log = 11},
    {.level = -3, .literals = true},
    {.level = 1},
    {.level = 3},
    {.level = 8, .hash_log = 17, .search_log = 2},
    {.level = 8, .hash_log = 17, .search_log = 2, .chains = true},
    {.level = 9},
    {.level = 19},
};

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
            parquet_compress(codec, efforts[e], data, NULL, &frame);
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
            parquet_compress(codec, efforts[e], random_bytes(bytes, len, 3), NULL, &frame);
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
    parquet_compress(codec, efforts[2], data, NULL, &frame);
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

    parquet_compress(codec, efforts[2], slice_of("ten bytes!"), NULL, &frame);
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

    parquet_compress(codec, efforts[2], slice_of("one "), NULL, &frame);
    parquet_compress(codec, efforts[3], slice_of("two"), NULL, &frame);
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

    parquet_compress(codec, effort, data, NULL, &frame);
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
                parquet_effort_choose(codec, ceiling, data, NULL, sizeof(bytes));
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
    struct parquet_effort effort = parquet_effort_choose(codec, 3, noise, NULL, sizeof(bytes));
    EXPECT_I64(effort.level, -7);
    EXPECT(size_with(codec, effort, noise) < sizeof(bytes) * 7 / 8);

    for (size_t i = 0; i + 40 <= sizeof(bytes); i += 40) {
        memcpy(bytes + i, "{\"agent\":00,\"reward\":0.000,\"step\":00000}", 40);
        bytes[i + 10] = (uint8_t)('0' + test_random() % 10);
        bytes[i + 23] = (uint8_t)('0' + test_random() % 10);
        bytes[i + 37] = (uint8_t)('0' + i / 40 % 10);
    }
    struct slice text = {bytes, sizeof(bytes)};
    effort = parquet_effort_choose(codec, 3, text, NULL, sizeof(bytes));
    size_t best = SIZE_MAX;
    for (int level = -7; level <= 3; level++) {
        size_t size =
            size_with(codec, (struct parquet_effort){.level = level, .literals = true}, text);
        best = size < best ? size : best;
    }
    EXPECT(size_with(codec, effort, text) <= best + best / 50);
    parquet_codec_free(codec);
}

/* At the level of merged files: close to the best that zstd can, on a part of its time and memory.
 */
TEST(codec_high_effort_costs_little_memory)
{
    enum { PAGE = 1 << 20 };
    struct account account = {0};
    struct parquet_codec *codec = parquet_codec_new(&account);
    uint8_t *bytes = malloc(PAGE);
    for (size_t i = 0; i < PAGE; i += 64) {
        random_bytes(bytes + i, 64, 0xff);
        if (i >= 8192 && i % 256 != 0) /* most is somewhere in front */
            memcpy(bytes + i, bytes + i - 64 * (1 + test_random() % 128), 64);
    }
    struct slice page = {bytes, PAGE};
    size_t least = size_with(codec, (struct parquet_effort){.level = 9}, page);
    parquet_codec_free(codec);
    codec = parquet_codec_new(&account);
    struct parquet_effort effort =
        parquet_effort_choose(codec, 9, (struct slice){bytes, 65536}, NULL, PAGE);
    EXPECT(size_with(codec, effort, page) <= least + least / 50);
    EXPECT(size_with(codec, parquet_effort_highest(9), page) <= least + least / 50);
    EXPECT(account_bytes(&account) < (4 << 20));
    free(bytes);
    parquet_codec_free(codec);
}

/* Chains are for what is nearly all repeated, however far back, and lose nothing there. */
TEST(codec_chains_are_for_what_is_repeated)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct buf text = {0};
    uint8_t noise[65536];
    for (unsigned i = 0; text.len < 1 << 19; i++)
        buf_printf(&text, "{\"step\": %u, \"reward\": 0.%u, \"agent\": \"a%llu\"}", i, i * 7 % 1000,
                   (unsigned long long)(test_random() % 17));
    struct slice sample = {text.data, 65536};
    struct parquet_effort effort = parquet_effort_choose(codec, 9, sample, NULL, text.len);
    size_t size = size_with(codec, effort, buf_slice(&text));
    EXPECT(effort.chains && effort.level > 3);
    effort.chains = false;
    EXPECT(size <= size_with(codec, effort, buf_slice(&text)) * 51 / 50);
    EXPECT(!parquet_effort_choose(codec, 3, sample, NULL, text.len).chains);
    random_bytes(noise, sizeof(noise), 0x3f);
    sample.data = noise;
    EXPECT(!parquet_effort_choose(codec, 9, sample, NULL, 1 << 20).chains);
    buf_free(&text);
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
        parquet_compress(used, efforts[e], data, NULL, &first);
        parquet_compress(fresh, efforts[e], data, NULL, &second);
        EXPECT_BYTES(first.data, first.len, second.data, second.len);
        parquet_codec_free(fresh);
    }
    EXPECT(account_bytes(&account) > 100000); /* most of it is zstd's */
    buf_free(&first);
    buf_free(&second);
    parquet_codec_free(used);
    EXPECT_U64(account_bytes(&account), 0);
}

static const struct parquet_effort by_value = {
    .level = -7, .literals = true, .values = true, .hash_log = 11};

/* Values with lengths in front of them, of `sizes` sizes, each with what all of that size begin
 * with; behind `start` other bytes. */
static void make_values(struct buf *out, size_t start, size_t count, size_t most, uint8_t mask)
{
    buf_reset(out);
    for (size_t i = 0; i < start; i++)
        buf_append_byte(out, (uint8_t)test_random());
    for (size_t i = 0; i < count; i++) {
        size_t len = most > 0 ? test_random() % most : 0;
        buf_append_u32le(out, (uint32_t)len);
        for (size_t k = 0; k < len; k++)
            buf_append_byte(out, k < len / 2 ? (uint8_t)k : (uint8_t)(test_random() & mask));
    }
}

static void expect_comes_back(struct parquet_codec *codec, struct slice data,
                              struct parquet_values values)
{
    struct buf frame = {0}, out = {0};
    struct err err = {0};

    parquet_compress(codec, by_value, data, &values, &frame);
    EXPECT_I64(parquet_decompress(codec, buf_slice(&frame), data.len, &out, &err), 0);
    EXPECT(slice_equal(buf_slice(&out), data));
    buf_free(&frame);
    buf_free(&out);
}

/* A list of the values' sizes says the same as the lengths in front of them do: the same is found.
 * Not all of the data may be there. */
static void expect_same_by_list(struct parquet_codec *codec, struct slice data, size_t len,
                                size_t start)
{
    struct buf lengths = {0}, frames[2] = {{0}};

    for (size_t at = start, size; at < data.len; at += size) {
        size = 4 + (size_t)load_u32le(data.data + at);
        buf_append_u64le(&lengths, size);
    }
    struct parquet_values values = {.start = start};
    parquet_compress(codec, by_value, (struct slice){data.data, len}, &values, &frames[0]);
    values.lengths = lengths.data;
    parquet_compress(codec, by_value, (struct slice){data.data, len}, &values, &frames[1]);
    EXPECT_BYTES(frames[1].data, frames[1].len, frames[0].data, frames[0].len);
    buf_free(&lengths);
    buf_free(&frames[0]);
    buf_free(&frames[1]);
}

/* Whatever the values are, wherever a block or the data ends within one, and where there are none:
 * the search may only ever find what is there. */
TEST(codec_search_by_value_finds_what_is_there)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct buf data = {0};
    static const size_t counts[] = {0, 1, 2, 50, 3000}, most[] = {0, 1, 5, 60, 900};

    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < 5; k++)
            for (size_t start = 0; start < 30; start += 29) {
                make_values(&data, start, counts[i], most[k], (uint8_t)(k % 2 ? 0xff : 3));
                struct slice all = buf_slice(&data), sample = {data.data, data.len * 3 / 4};
                expect_comes_back(codec, all, (struct parquet_values){.start = start});
                expect_comes_back(codec, sample, (struct parquet_values){.start = start});
                expect_comes_back(codec, all, (struct parquet_values){.start = start, .width = 8});
                expect_comes_back(codec, all, (struct parquet_values){.start = start + 1});
                expect_same_by_list(codec, all, all.len, start);
                expect_same_by_list(codec, all, sample.len, start);
            }
    /* Values of more than a block of zstd's, which has 128 KiB. */
    make_values(&data, 0, 4, 0, 0);
    for (size_t i = 0; i < 4; i++) {
        buf_append_u32le(&data, 300000);
        for (size_t k = 0; k < 300000; k++)
            buf_append_byte(&data, (uint8_t)(k / 1000));
    }
    expect_comes_back(codec, buf_slice(&data), (struct parquet_values){.start = 0});
    expect_same_by_list(codec, buf_slice(&data), data.len, 0);
    expect_comes_back(codec, buf_slice(&data), (struct parquet_values){.start = 7, .width = 8});
    expect_comes_back(codec, buf_slice(&data), (struct parquet_values){.start = data.len});
    buf_free(&data);
    parquet_codec_free(codec);
}

/* Identifiers as text, and times, are what it is for: both have nothing else in common. */
TEST(codec_effort_by_value_is_chosen_for_identifiers_and_times)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct buf data = {0};
    struct parquet_values ids = {.start = 0}, times = {.width = 8};

    for (int i = 0; i < 1500; i++) {
        buf_append_u32le(&data, 36);
        for (int k = 0; k < 36; k++)
            buf_append_byte(&data, k == 8 || k == 13 || k == 18 || k == 23
                                       ? (uint8_t)'-'
                                       : (uint8_t) "0123456789abcdef"[test_random() % 16]);
    }
    struct slice sample = buf_slice(&data);
    struct parquet_effort effort = parquet_effort_choose(codec, 1, sample, &ids, 1 << 20);
    EXPECT(effort.values && effort.level <= 1);
    struct buf frame = {0};
    parquet_compress(codec, effort, sample, &ids, &frame);
    EXPECT(frame.len < size_with(codec, (struct parquet_effort){.level = 1}, sample));
    /* 32 digits of 4 bits, four dashes, and hardly anything for the length. */
    EXPECT(frame.len / 1500 <= 19);
    EXPECT(!parquet_effort_choose(codec, 1, sample, NULL, 1 << 20).values);

    buf_reset(&data);
    uint64_t time = UINT64_C(1780000000000000000);
    for (int i = 0; i < 4000; i++)
        buf_append_u64le(&data, time += 1000 + test_random() % 5000);
    EXPECT(parquet_effort_choose(codec, 1, buf_slice(&data), &times, 1 << 20).values);
    buf_free(&frame);
    buf_free(&data);
    parquet_codec_free(codec);
}

TEST(codec_choices_are_kept_by_name_and_not_for_any_number_of_names)
{
    struct parquet_codec *codec = parquet_codec_new(NULL);
    char name[32];
    int kept = 0;

    struct parquet_choice *first = parquet_codec_choice(codec, slice_of("first"));
    EXPECT_U64(first->left, 0);
    first->left = 17;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "column %d", i);
        kept += parquet_codec_choice(codec, slice_of(name)) != NULL;
    }
    EXPECT(kept >= 100 && kept < 1000);
    EXPECT(parquet_codec_choice(codec, slice_of("first")) == first);
    EXPECT_U64(first->left, 17);
    parquet_codec_free(codec);
}

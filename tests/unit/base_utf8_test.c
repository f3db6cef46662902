/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <stdlib.h>

#include "test.h"

/* RFC 3629 the long way round: decode what the lead byte promises, then ask whether the value may
 * be written in that length. 0 if it is not a character. */
static size_t naive_decode(const uint8_t *p, size_t len, uint32_t *code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t ones = 0;
    while (len > 0 && ones < 8 && (p[0] << ones & 0x80))
        ones++;
    size_t size = ones == 0 ? 1 : ones;
    if (len < size || ones == 1 || ones > 4)
        return 0;
    uint32_t value = ones == 0 ? p[0] : p[0] % (1u << (7 - ones));
    for (size_t i = 1; i < size; i++) {
        if (p[i] / 64 != 2)
            return 0;
        value = value * 64 + p[i] % 64;
    }
    if (value < smallest[size] || value > 0x10FFFF || value / 0x800 == 0xD800 / 0x800)
        return 0;
    *code = value;
    return size;
}

static bool naive_valid(const uint8_t *p, size_t len)
{
    uint32_t code;
    for (size_t size; len > 0; p += size, len -= size)
        if ((size = naive_decode(p, len, &code)) == 0)
            return false;
    return true;
}

static void compare(const uint8_t *p, size_t len)
{
    uint32_t code = 0;
    uint32_t expected_code = 0;
    struct slice text = {p, len};
    size_t size = utf8_decode(text, &code);
    EXPECT_U64(size, naive_decode(p, len, &expected_code));
    EXPECT_U64(code, expected_code);
    EXPECT(utf8_valid(text) == naive_valid(p, len));
}

TEST(utf8_all_sequences_of_up_to_three_bytes)
{
    uint8_t p[3];
    uint32_t code = 7;
    EXPECT_U64(utf8_decode((struct slice){NULL, 0}, &code), 0);
    EXPECT_U64(code, 7);
    EXPECT(utf8_valid((struct slice){NULL, 0}));
    for (uint32_t i = 0; i < 0x10000; i++) {
        p[0] = (uint8_t)(i >> 8);
        p[1] = (uint8_t)i;
        compare(p, 1);
        compare(p, 2);
        if (p[0] < 0xE0)
            continue;
        /* The edges of the continuation range, and around them. */
        static const uint8_t third[] = {0x00, 0x7F, 0x80, 0x81, 0xBE, 0xBF, 0xC0, 0xFF};
        for (size_t t = 0; t < sizeof(third); t++) {
            p[2] = third[t];
            compare(p, 3);
        }
    }
}

TEST(utf8_all_leads_of_four_bytes_at_the_edges)
{
    static const uint8_t edges[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    uint8_t p[4];
    for (uint32_t i = 0; i < 0x2000; i++) {
        p[0] = (uint8_t)(0xE0 | i >> 8);
        p[1] = (uint8_t)i;
        for (size_t a = 0; a < sizeof(edges); a++)
            for (size_t b = 0; b < sizeof(edges); b++) {
                p[2] = edges[a];
                p[3] = edges[b];
                compare(p, 4);
            }
    }
}

TEST(utf8_every_scalar_value_round_trips)
{
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        if (code == 0xD800)
            code = 0xE000;
        uint8_t p[4];
        size_t size = utf8_encode(code, p);
        uint32_t back = UINT32_MAX;
        EXPECT_U64(naive_decode(p, size, &back), size);
        EXPECT_U64(back, code);
        EXPECT_U64(utf8_decode((struct slice){p, size}, &back), size);
        EXPECT_U64(back, code);
        /* Cut short it is nothing. */
        for (size_t cut = 1; cut < size; cut++)
            EXPECT_U64(utf8_decode((struct slice){p, cut}, &back), 0);
    }
}

TEST(utf8_encode_known_characters)
{
    uint8_t p[4];
    EXPECT_BYTES(p, utf8_encode('A', p), "A", 1);
    EXPECT_BYTES(p, utf8_encode(0x7F, p), "\x7F", 1);
    EXPECT_BYTES(p, utf8_encode(0x80, p), "\xC2\x80", 2);
    EXPECT_BYTES(p, utf8_encode(0x20AC, p), "\xE2\x82\xAC", 3);
    EXPECT_BYTES(p, utf8_encode(0xFFFF, p), "\xEF\xBF\xBF", 3);
    EXPECT_BYTES(p, utf8_encode(0x1F600, p), "\xF0\x9F\x98\x80", 4);
    EXPECT_BYTES(p, utf8_encode(0x10FFFF, p), "\xF4\x8F\xBF\xBF", 4);
}

/* A bad or a good sequence at each place of texts of each length, for the fast path over ASCII; on
 * the heap, so that a read past the end is seen. */
TEST(utf8_valid_at_every_offset)
{
    static const char *const pieces[] = {
        "\x80",         "\xFF",     "\xC3\xA9",         "\xC3",
        "\xE2\x82\xAC", "\xE2\x82", "\xF0\x9F\x98\x80", "\xF0\x9F\x98",
        "\xED\xA0\x80", "\xC0\x80"};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        size_t size = strlen(pieces[i]);
        for (size_t len = size; len < 40; len++) {
            uint8_t *text = malloc(len);
            EXPECT(text != NULL);
            for (size_t at = 0; at + size <= len; at++) {
                memset(text, 'a', len);
                memcpy(text + at, pieces[i], size);
                EXPECT(utf8_valid((struct slice){text, len}) == naive_valid(text, len));
            }
            free(text);
        }
    }
}

TEST(utf8_valid_agrees_on_random_bytes)
{
    static const uint8_t likely[] = {0x00, 'a',  0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                     0xC1, 0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5};
    int valid = 0;
    for (int i = 0; i < 300000; i++) {
        uint8_t text[12];
        size_t len = test_random() % sizeof(text);
        for (size_t at = 0; at < len; at++)
            text[at] = likely[test_random() % sizeof(likely)];
        EXPECT(utf8_valid((struct slice){text, len}) == naive_valid(text, len));
        valid += utf8_valid((struct slice){text, len});
    }
    EXPECT(valid > 1000);
}

TEST(utf8_nul_is_a_character)
{
    EXPECT(utf8_valid((struct slice){(const uint8_t *)"a\0b", 3}));
}

TEST(utf8_prefix_ends_between_characters)
{
    struct slice text = slice_of("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"); /* 1 2 3 4 1 bytes */
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11};
    for (size_t max = 0; max < sizeof(expected) / sizeof(expected[0]); max++)
        EXPECT_U64(utf8_prefix(text, max), expected[max]);
    EXPECT_U64(utf8_prefix(text, SIZE_MAX), 11);
    EXPECT_U64(utf8_prefix((struct slice){NULL, 0}, 0), 0);
    EXPECT_U64(utf8_prefix((struct slice){NULL, 0}, 5), 0);
}

/* One character of 1 to 4 bytes, in the first of which the lengths are as frequent. */
static size_t random_character(uint8_t *p)
{
    static const uint32_t ends[] = {0, 0x80, 0x800, 0x10000, 0x110000};
    size_t size = 1 + test_random() % 4;
    uint32_t code;
    do {
        code = ends[size - 1] + (uint32_t)(test_random() % (ends[size] - ends[size - 1]));
    } while (code / 0x800 == 0xD800 / 0x800);
    return utf8_encode(code, p);
}

/* Whatever the processor has for long text: each length and alignment, whole and damaged. */
TEST(utf8_long_text)
{
    uint8_t room[400];
    uint64_t valid = 0;
    for (size_t len = 0; len <= 300; len++)
        for (int round = 0; round < 40; round++) {
            uint8_t *p = room + test_random() % 64;
            size_t at = 0, ascii = test_random() % 4;
            while (at < len)
                at +=
                    test_random() % 4 < ascii ? (size_t)(p[at] = 'a', 1) : random_character(p + at);
            at = at > len && round % 4 == 0 ? len : at; /* may end within a character */
            for (int damage = round % 3; damage > 0 && at > 0; damage--) {
                size_t where = test_random() % at;
                p[where] = round % 2 ? (uint8_t)test_random() : p[test_random() % at];
            }
            bool expected = naive_valid(p, at);
            valid += expected;
            EXPECT(utf8_valid((struct slice){p, at}) == expected);
            EXPECT(utf8_valid_portable((struct slice){p, at}) == expected);
        }
    EXPECT(valid > 1000 && valid < 301 * 40 - 1000);
}

/* All pairs of bytes, and each third one behind some, where a block ends and where none does. */
TEST(utf8_all_sequences_in_long_text)
{
    uint8_t p[70];
    for (uint32_t i = 0x8000; i < 0x10000; i++) {
        static const uint8_t edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
        for (size_t t = 0; t < sizeof(edges); t++) {
            size_t where = 28 + (i + t) % 5; /* of four bytes */
            memset(p, 'a', sizeof(p));
            p[where] = (uint8_t)(i >> 8);
            p[where + 1] = (uint8_t)i;
            p[where + 2] = edges[t];
            p[where + 3] = edges[(t + i) % sizeof(edges)];
            EXPECT(utf8_valid((struct slice){p, sizeof(p)}) == naive_valid(p, sizeof(p)));
        }
    }
}

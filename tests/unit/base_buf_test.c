/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "child.h"
#include "test.h"

static const struct slice nothing = {NULL, 0};

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

TEST(buf_slices_without_memory_are_empty_text)
{
    EXPECT(slice_equal(nothing, slice_of("")));
    EXPECT(slice_is(nothing, ""));
    EXPECT(!slice_is(nothing, "a"));
    EXPECT_I64(slice_compare(nothing, nothing), 0);
    EXPECT(slice_compare(nothing, slice_of("a")) < 0);
    EXPECT(slice_compare(slice_of("a"), nothing) > 0);
    EXPECT(slice_starts_with(nothing, ""));
    EXPECT(!slice_starts_with(nothing, "a"));
}

TEST(buf_slice_comparison_is_exact)
{
    struct slice with_nul = {(const uint8_t *)"ab\0c", 4};
    EXPECT(!slice_is(with_nul, "ab"));
    EXPECT(slice_starts_with(with_nul, "ab"));
    EXPECT(!slice_starts_with(with_nul, "abc"));
    EXPECT(!slice_is(slice_of("ab"), "abc"));
    EXPECT(!slice_is(slice_of("abc"), "ab"));
    EXPECT(!slice_starts_with(slice_of("ab"), "abc"));
    EXPECT(slice_starts_with(slice_of("ab"), ""));
}

TEST(buf_slice_order_is_bytewise_unsigned)
{
    static const char *const ascending[] = {"",  "\x01", "a",    "aa",       "ab",
                                            "b", "\x7f", "\x80", "\x80\x01", "\xff"};
    int count = sizeof(ascending) / sizeof(ascending[0]);
    for (int a = 0; a < count; a++)
        for (int b = 0; b < count; b++)
            EXPECT_I64(sign(slice_compare(slice_of(ascending[a]), slice_of(ascending[b]))),
                       sign(a - b));
    struct slice shorter = {(const uint8_t *)"a", 1};
    struct slice with_nul = {(const uint8_t *)"a\0", 2};
    EXPECT(slice_compare(shorter, with_nul) < 0);
}

/* As bytes, wherever the first difference is. */
TEST(buf_slices_of_any_length_are_in_the_order_of_their_bytes)
{
    uint8_t a[40], b[40];
    for (int round = 0; round < 20000; round++) {
        size_t len_a = test_random() % (sizeof(a) + 1), len_b = test_random() % (sizeof(b) + 1);
        memset(a, 0x7f, sizeof(a));
        memset(b, 0x7f, sizeof(b));
        for (int i = 0; i < 2; i++) {
            a[test_random() % sizeof(a)] = (uint8_t)test_random();
            b[test_random() % sizeof(b)] = (uint8_t)test_random();
        }
        size_t shared = len_a < len_b ? len_a : len_b;
        int order = sign(memcmp(a, b, shared));
        if (order == 0)
            order = len_a < len_b ? -1 : len_a > len_b;
        struct slice x = {a, len_a}, y = {b, len_b};
        EXPECT_I64(sign(slice_compare(x, y)), order);
        EXPECT(slice_equal(x, y) == (order == 0));
    }
}

TEST(buf_empty_accepts_every_call)
{
    struct buf b = {0};
    buf_reset(&b);
    buf_consume(&b, 10);
    buf_append(&b, NULL, 0);
    buf_append_slice(&b, nothing);
    buf_append_text(&b, "");
    buf_reserve(&b, 0);
    buf_reserve_exact(&b, 0);
    EXPECT(b.data == NULL);
    EXPECT_U64(buf_slice(&b).len, 0);
    EXPECT_TEXT(buf_text(&b), "");
    EXPECT_U64(b.len, 0);
    buf_free(&b);
    buf_free(&b);
    EXPECT(b.data == NULL && b.len == 0 && b.cap == 0);
}

TEST(buf_numbers_have_the_stated_form)
{
    struct buf b = {0};
    buf_append_byte(&b, 0xAB);
    buf_append_u32le(&b, 0x01020304);
    buf_append_u64le(&b, UINT64_C(0x1112131415161718));
    size_t len;
    const uint8_t *expected = test_hex("AB 04030201 1817161514131211", &len);
    EXPECT_BYTES(b.data, b.len, expected, len);
    buf_reset(&b);
    buf_append_decimal(&b, 0);
    buf_append_byte(&b, ' ');
    buf_append_decimal(&b, 10);
    buf_append_byte(&b, ' ');
    buf_append_decimal(&b, UINT64_MAX);
    EXPECT_TEXT(buf_text(&b), "0 10 18446744073709551615");
    buf_free(&b);
}

TEST(buf_printf_at_every_distance_from_the_end)
{
    /* The text must come out whole whether it fits, lacks room for its NUL, or lacks all. */
    for (size_t before = 0; before <= 300; before++) {
        struct buf b = {0};
        for (size_t i = 0; i < before; i++)
            buf_append_byte(&b, 'x');
        buf_printf(&b, "%s-%d", "abcdefgh", 12345);
        EXPECT_U64(b.len, before + 14);
        EXPECT_BYTES(b.data + before, 14, "abcdefgh-12345", 14);
        buf_free(&b);
    }
    struct buf b = {0};
    buf_printf(&b, "%s", "");
    EXPECT_U64(b.len, 0);
    buf_printf(&b, "%5000d", 7);
    EXPECT_U64(b.len, 5000);
    EXPECT_U64(b.data[4999], '7');
    buf_free(&b);
}

TEST(buf_consume_moves_the_rest_to_the_front)
{
    struct buf b = {0};
    buf_append_text(&b, "abcdef");
    buf_consume(&b, 0);
    EXPECT_TEXT(buf_text(&b), "abcdef");
    buf_consume(&b, 2);
    EXPECT_TEXT(buf_text(&b), "cdef");
    buf_append_text(&b, "g");
    EXPECT_TEXT(buf_text(&b), "cdefg");
    buf_consume(&b, SIZE_MAX);
    EXPECT_U64(b.len, 0);
    buf_append_text(&b, "h");
    EXPECT_TEXT(buf_text(&b), "h");
    buf_free(&b);
}

TEST(buf_reset_keeps_the_memory)
{
    struct buf b = {0};
    buf_append_text(&b, "abc");
    const uint8_t *data = b.data;
    size_t cap = b.cap;
    buf_reset(&b);
    buf_append_text(&b, "def");
    EXPECT(b.data == data && b.cap == cap);
    buf_free(&b);
}

TEST(buf_reserve_makes_room_and_exact_makes_no_more)
{
    struct buf b = {0};
    buf_reserve_exact(&b, 1000);
    EXPECT_U64(b.cap, 1000);
    buf_reserve_exact(&b, 999);
    EXPECT_U64(b.cap, 1000);
    buf_append_byte(&b, 1);
    buf_reserve_exact(&b, 1000);
    EXPECT_U64(b.cap, 1001);
    buf_reserve(&b, 5000);
    EXPECT(b.cap >= 5001);
    EXPECT_U64(b.len, 1);
    EXPECT_U64(b.data[0], 1);
    buf_free(&b);
}

TEST(buf_growth_is_geometric)
{
    struct buf b = {0};
    unsigned moves = 0;
    size_t cap = 0;
    for (unsigned i = 0; i < 20 * 1024 * 1024; i += 64) {
        uint8_t block[64] = {0};
        buf_append(&b, block, sizeof(block));
        moves += b.cap != cap;
        cap = b.cap;
    }
    EXPECT(moves < 40);
    EXPECT(b.cap < 2 * b.len);
    buf_free(&b);
}

static void reserve_too_much(void)
{
    struct buf b = {0};
    buf_append_byte(&b, 0);
    buf_reserve(&b, SIZE_MAX);
}

static void reserve_exactly_too_much(void)
{
    struct buf b = {0};
    buf_append_byte(&b, 0);
    buf_reserve_exact(&b, SIZE_MAX - 1);
}

TEST(buf_sizes_that_overflow_fail_an_assertion)
{
    EXPECT(child_assert_fails(reserve_too_much));
    EXPECT(child_assert_fails(reserve_exactly_too_much));
}

TEST(buf_random_edits_match_a_plain_array)
{
    uint8_t model[8192];
    size_t len = 0;
    struct buf b = {0};
    for (int step = 0; step < 20000; step++) {
        uint8_t piece[300];
        size_t size = test_random() % sizeof(piece);
        for (size_t i = 0; i < size; i++)
            piece[i] = (uint8_t)test_random();
        if (len + size <= sizeof(model)) {
            buf_append_slice(&b, (struct slice){piece, size});
            memcpy(model + len, piece, size);
            len += size;
        } else {
            size_t drop = test_random() % (len + 1);
            buf_consume(&b, drop);
            for (size_t i = drop; i < len; i++)
                model[i - drop] = model[i];
            len -= drop;
        }
        EXPECT_BYTES(b.data, b.len, model, len);
    }
    buf_free(&b);
}

TEST(buf_bytes_load_what_was_stored_at_any_alignment)
{
    uint8_t room[24];
    for (size_t at = 0; at < 16; at++) {
        store_u64le(room + at, UINT64_C(0xF1E2D3C4B5A69788));
        EXPECT_U64(room[at], 0x88);
        EXPECT_U64(room[at + 7], 0xF1);
        EXPECT_U64(load_u64le(room + at), UINT64_C(0xF1E2D3C4B5A69788));
        store_u32le(room + at, 0xFEDCBA98);
        EXPECT_U64(room[at], 0x98);
        EXPECT_U64(load_u32le(room + at), 0xFEDCBA98);
    }
}

TEST(buf_bytes_zigzag_orders_by_magnitude)
{
    static const int64_t values[] = {0, -1, 1, -2, 2, INT64_MAX, INT64_MIN};
    static const uint64_t codes[] = {0, 1, 2, 3, 4, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        EXPECT_U64(zigzag_encode(values[i]), codes[i]);
        EXPECT_I64(zigzag_decode(codes[i]), values[i]);
    }
}

TEST(buf_trim_gives_back_large_empty_buffers_only)
{
    struct buf b = {0};
    buf_reserve(&b, 5000);
    buf_append_text(&b, "x");
    buf_trim(&b, 100);
    EXPECT(b.cap >= 5000);
    buf_reset(&b);
    buf_trim(&b, b.cap);
    EXPECT(b.cap >= 5000);
    buf_trim(&b, b.cap - 1);
    EXPECT(b.cap == 0 && b.data == NULL);
    buf_free(&b);
}

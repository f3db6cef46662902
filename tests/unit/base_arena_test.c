/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>

#include "child.h"
#include "test.h"

TEST(arena_zeroed_is_empty_and_can_be_reset_and_freed)
{
    struct arena a = {0};
    arena_reset(&a);
    arena_free(&a);
    arena_free(&a);
    EXPECT(a.blocks == NULL && a.used == 0);
}

TEST(arena_pieces_are_aligned_and_do_not_overlap)
{
    enum { PIECES = 500 };
    struct arena a = {0};
    uint8_t *pieces[PIECES];
    size_t sizes[PIECES];
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < PIECES; i++) {
            /* Mostly small, some larger than any block so far. */
            sizes[i] = i % 50 == 49 ? test_random() % 30000 : test_random() % 100;
            pieces[i] = arena_alloc(&a, sizes[i]);
            EXPECT(pieces[i] != NULL);
            EXPECT_U64((uintptr_t)pieces[i] % alignof(max_align_t), 0);
            memset(pieces[i], (int)(i & 0xFF), sizes[i]);
        }
        for (size_t i = 0; i < PIECES; i++)
            for (size_t at = 0; at < sizes[i]; at++)
                EXPECT_U64(pieces[i][at], i & 0xFF);
        arena_reset(&a);
        EXPECT_U64(a.used, 0);
    }
    arena_free(&a);
}

TEST(arena_calloc_zeroes_memory_that_was_used_before)
{
    struct arena a = {0};
    memset(arena_alloc(&a, 4000), 0xFF, 4000);
    arena_reset(&a);
    const uint8_t *zeroed = arena_calloc(&a, 500, 8);
    for (size_t i = 0; i < 4000; i++)
        EXPECT_U64(zeroed[i], 0);
    EXPECT(arena_calloc(&a, 0, SIZE_MAX) != NULL);
    EXPECT(arena_calloc(&a, SIZE_MAX, 0) != NULL);
    arena_free(&a);
}

TEST(arena_reset_keeps_the_largest_block)
{
    struct arena a = {0};
    (void)arena_alloc(&a, 100);
    (void)arena_alloc(&a, 200000);
    arena_reset(&a);
    const struct arena_block *kept = a.blocks;
    uint8_t *again = arena_alloc(&a, 200000);
    memset(again, 1, 200000);
    EXPECT(a.blocks == kept);
    arena_free(&a);
}

TEST(arena_text_copies_and_terminates)
{
    struct arena a = {0};
    char source[] = "abcdef";
    const char *copy = arena_text(&a, source, 3);
    source[0] = 'X';
    EXPECT_TEXT(copy, "abc");
    EXPECT_TEXT(arena_text(&a, NULL, 0), "");
    EXPECT_BYTES(arena_text(&a, "a\0b", 3), 4, "a\0b", 4);
    arena_free(&a);
}

static void overflow_product(void)
{
    struct arena a = {0};
    (void)arena_calloc(&a, SIZE_MAX / 8 + 2, 8);
}

static void overflow_size(void)
{
    struct arena a = {0};
    (void)arena_alloc(&a, SIZE_MAX);
}

TEST(arena_sizes_that_overflow_fail_an_assertion)
{
    EXPECT(child_assert_fails(overflow_product));
    EXPECT(child_assert_fails(overflow_size));
}

TEST(arena_memory_is_what_blocks_take)
{
    struct arena a = {0};
    EXPECT_U64(arena_memory(&a), 0);
    (void)arena_alloc(&a, 1);
    size_t first = arena_memory(&a);
    EXPECT(first >= 4096 && first < 4096 + 100);
    (void)arena_alloc(&a, 8 << 20);
    (void)arena_alloc(&a, 100); /* a large block does not make the next one large */
    EXPECT(arena_memory(&a) <= first + (8 << 20) + (1 << 20) + 200);
    arena_reset(&a);
    EXPECT(arena_memory(&a) >= 8 << 20); /* the largest stays, though it is not the newest */
    EXPECT(arena_memory(&a) < (8 << 20) + 100);
    arena_free(&a);
    EXPECT_U64(arena_memory(&a), 0);
}

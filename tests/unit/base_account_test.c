/* SPDX-License-Identifier: MIT */
#include "base/account.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/buf.h"
#include "base/map.h"
#include "child.h"
#include "test.h"

struct numbers {
    ARRAY(uint64_t);
};

/* One of each that can hold memory, all booked to `account`. */
struct holders {
    struct buf buf;
    struct arena arena;
    struct map map;
    struct numbers numbers;
};

static struct holders holders_of(struct account *account)
{
    return (struct holders){
        .buf.account = account,
        .arena.account = account,
        .map.account = account,
        .numbers.account = account,
    };
}

static void grow(struct holders *h)
{
    struct slice noise = {(const uint8_t *)h, test_random() % sizeof(*h)};
    bool added;
    buf_append_slice(&h->buf, noise);
    (void)arena_alloc(&h->arena, test_random() % 10000);
    (void)map_put(&h->map, noise, &added);
    *array_add(&h->numbers) = noise.len;
}

static void change(struct holders *h)
{
    switch (test_random() % 12) {
    case 0:
        buf_shrink(&h->buf);
        break;
    case 1:
        buf_free(&h->buf);
        break;
    case 2:
        arena_reset(&h->arena);
        break;
    case 3:
        arena_free(&h->arena);
        break;
    case 4:
        map_reset(&h->map);
        break;
    case 5:
        map_free(&h->map);
        break;
    case 6:
        array_free(&h->numbers);
        break;
    case 7:
        array_reserve(&h->numbers, test_random() % 1000);
        break;
    case 8:
        buf_reserve_exact(&h->buf, test_random() % 10000);
        break;
    default:
        grow(h);
    }
}

static void free_all(struct holders *h)
{
    buf_free(&h->buf);
    arena_free(&h->arena);
    map_free(&h->map);
    array_free(&h->numbers);
}

static uint64_t held(const struct holders *h)
{
    const struct map *m = &h->map;
    uint64_t slots = m->mask == 0 ? 0 : (uint64_t)m->mask + 1;
    return h->buf.cap + arena_memory(&h->arena) + slots * sizeof(*m->slots) +
           m->starts_cap * sizeof(*m->starts) + m->keys.cap + h->numbers.cap * sizeof(uint64_t);
}

TEST(account_is_exact_after_each_change)
{
    struct account total = {0}, mine = {.parent = &total}, other = {.parent = &total};
    struct holders a = holders_of(&mine), b = holders_of(&other), uncounted = holders_of(NULL);
    for (int i = 0; i < 5000; i++) {
        change(&a);
        change(&b);
        change(&uncounted);
        EXPECT_U64(account_bytes(&mine), held(&a));
        EXPECT_U64(account_bytes(&other), held(&b));
        EXPECT_U64(account_bytes(&total), held(&a) + held(&b));
    }
    free_all(&a);
    EXPECT_U64(account_bytes(&mine), 0);
    grow(&a); /* what was freed is still counted */
    EXPECT_U64(account_bytes(&mine), held(&a));
    EXPECT(held(&a) > 0);
    free_all(&a);
    free_all(&b);
    free_all(&uncounted);
    EXPECT_U64(account_bytes(&total), 0);
    EXPECT_U64(account_bytes(NULL), 0);
}

TEST(account_follows_what_is_handed_on)
{
    struct account from = {0};
    struct buf a = {.account = &from};
    buf_append_text(&a, "handed on");
    struct buf b = a; /* a queue's item, say; whoever has it last frees it */
    a = (struct buf){.account = &from};
    EXPECT_U64(account_bytes(&from), b.cap);
    buf_free(&b);
    EXPECT_U64(account_bytes(&from), 0);
}

TEST(account_counts_single_pieces)
{
    struct account a = {0};
    uint8_t *piece = account_alloc(&a, 3, 5);
    for (int i = 0; i < 15; i++)
        EXPECT_U64(piece[i], 0);
    EXPECT_U64(account_bytes(&a), 15);
    piece = account_resize(&a, piece, 15, 4000);
    EXPECT_U64(account_bytes(&a), 4000);
    piece = account_resize(&a, piece, 4000, 7);
    EXPECT_U64(account_bytes(&a), 7);
    account_free(&a, piece, 7);
    account_free(&a, NULL, 0);
    account_add(&a, 100);
    account_remove(&a, 99);
    EXPECT_U64(account_bytes(&a), 1);
}

enum { THREADS = 4, ROUNDS = 20000 };

static void *make_and_drop(void *argument)
{
    struct account mine = {.parent = argument};
    struct buf b = {.account = &mine};
    for (int i = 0; i < ROUNDS; i++) {
        buf_reserve_exact(&b, (size_t)i % 64 + 1);
        buf_free(&b);
    }
    EXPECT_U64(account_bytes(&mine), 0);
    buf_reserve_exact(&b, 1000);
    free(b.data);
    return NULL;
}

TEST(account_is_exact_when_threads_book_at_once)
{
    struct account total = {0};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, make_and_drop, &total) == 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    EXPECT_U64(account_bytes(&total), THREADS * 1000);
}

static void give_back_too_much(void)
{
    struct account a = {0};
    account_add(&a, 10);
    account_remove(&a, 11);
}

static void overflow(void)
{
    (void)account_alloc(NULL, SIZE_MAX / 8, 16);
}

TEST(account_refuses_what_can_not_be)
{
    EXPECT(child_assert_fails(give_back_too_much));
    EXPECT(child_assert_fails(overflow));
}

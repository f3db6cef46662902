/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/account.h"
#include "base/bytes.h"
#include "child.h"
#include "test.h"

static uint32_t put(struct map *m, struct slice key, bool expect_added)
{
    bool added = !expect_added;
    uint32_t index = map_put(m, key, &added);
    EXPECT(added == expect_added);
    return index;
}

TEST(map_zeroed_is_empty)
{
    struct account account = {0};
    struct map m = {.account = &account};
    EXPECT_I64(map_find(&m, slice_of("a")), -1);
    EXPECT_U64(account_bytes(&account), 0);
    map_reset(&m);
    map_free(&m);
    map_free(&m);
    EXPECT(m.slots == NULL && m.starts == NULL && m.count == 0);
}

TEST(map_numbers_keys_in_order_and_keeps_them_plain)
{
    struct map m = {0};
    EXPECT_U64(put(&m, slice_of("b"), true), 0);
    EXPECT_U64(put(&m, slice_of(""), true), 1);
    EXPECT_U64(put(&m, slice_of("a"), true), 2);
    EXPECT_U64(put(&m, slice_of("b"), false), 0);
    EXPECT_U64(put(&m, (struct slice){NULL, 0}, false), 1);
    EXPECT_U64(put(&m, (struct slice){(const uint8_t *)"a\0", 2}, true), 3);
    EXPECT_U64(m.count, 4);
    size_t len;
    const uint8_t *plain = test_hex("01000000 62 00000000 01000000 61 02000000 6100", &len);
    EXPECT_BYTES(m.keys.data, m.keys.len, plain, len);
    EXPECT(slice_is(map_key(&m, 0), "b"));
    EXPECT(slice_is(map_key(&m, 1), ""));
    EXPECT_I64(map_find(&m, slice_of("c")), -1);
    map_free(&m);
}

TEST(map_reset_forgets_keys_and_keeps_memory)
{
    struct account account = {0};
    struct map m = {.account = &account};
    for (uint32_t i = 0; i < 1000; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "key %u", i);
        EXPECT_U64(put(&m, slice_of(key), true), i);
    }
    uint64_t memory = account_bytes(&account);
    map_reset(&m);
    EXPECT_I64(map_find(&m, slice_of("key 1")), -1);
    EXPECT_U64(put(&m, slice_of("key 999"), true), 0);
    EXPECT_I64(map_find(&m, slice_of("key 0")), -1);
    EXPECT_U64(account_bytes(&account), memory);
    map_free(&m);
}

struct list {
    uint8_t keys[400][40];
    size_t lens[400];
    uint32_t count;
};

static int64_t list_find(const struct list *list, const uint8_t *key, size_t len)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->lens[i] == len && memcmp(list->keys[i], key, len) == 0)
            return i;
    return -1;
}

/* Keys of all lengths over a small alphabet, so that many are equal or nearly so. */
TEST(map_agrees_with_a_list)
{
    static struct list list;
    struct map m = {0};
    for (int step = 0; step < 60000; step++) {
        uint8_t key[40];
        size_t len = test_random() % (test_random() % 2 ? 4 : sizeof(key));
        memset(key, 'x', sizeof(key));
        for (size_t i = 0; i < 5 && len > 0; i++)
            key[test_random() % len] = (uint8_t)(test_random() % 3);
        int64_t known = list_find(&list, key, len);
        struct slice slice = {key, len};
        EXPECT_I64(map_find(&m, slice), known);
        if (known < 0 && list.count == 400) {
            map_reset(&m);
            list.count = 0;
        } else if (test_random() % 2) {
            uint32_t index = put(&m, slice, known < 0);
            EXPECT_U64(index, known < 0 ? list.count : (uint64_t)known);
            if (known < 0) {
                memcpy(list.keys[list.count], key, len);
                list.lens[list.count++] = len;
            }
        }
        EXPECT_U64(m.count, list.count);
        if (list.count > 0) {
            uint32_t any = (uint32_t)(test_random() % list.count);
            struct slice back = map_key(&m, any);
            EXPECT_BYTES(back.data, back.len, list.keys[any], list.lens[any]);
        }
    }
    map_free(&m);
}

TEST(map_holds_many_keys)
{
    enum { KEYS = 300000 };
    struct account account = {0};
    struct map m = {.account = &account};
    uint8_t key[8];
    for (uint32_t i = 0; i < KEYS; i++) {
        store_u64le(key, i);
        EXPECT_U64(put(&m, (struct slice){key, 8}, true), i);
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        store_u64le(key, i);
        EXPECT_I64(map_find(&m, (struct slice){key, 8}), i);
    }
    store_u64le(key, KEYS);
    EXPECT_I64(map_find(&m, (struct slice){key, 8}), -1);
    EXPECT(account_bytes(&account) >= KEYS * (12 + 4 + 8));
    map_free(&m);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* How many of the low halves of `hashes`, which is what the table goes by, differ. */
static size_t count_distinct(uint64_t *hashes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hashes[i] &= UINT32_MAX;
    qsort(hashes, count, sizeof(*hashes), compare_u64);
    size_t distinct = 1;
    for (size_t i = 1; i < count; i++)
        distinct += hashes[i] != hashes[i - 1];
    return distinct;
}

/*
 * A multiplying hash collapses where an operand becomes zero. Whoever reads the source knows its
 * constants, so none of them, placed anywhere in a key, may make keys collide.
 */
TEST(map_hash_has_no_weak_keys_made_of_its_constants)
{
    static const uint64_t constants[] = {0, UINT64_MAX, UINT64_C(0x9E3779B97F4A7C15),
                                         UINT64_C(0xD1B54A32D192ED03)};
    enum { KEYS = 2000, LEN_MAX = 48 };
    static uint64_t hashes[KEYS];
    for (size_t c = 0; c < sizeof(constants) / sizeof(constants[0]); c++) {
        for (size_t at = 0; at <= 24; at++) {
            for (size_t len = at + 8 < 16 ? 16 : at + 8; len <= LEN_MAX; len++) {
                uint8_t key[LEN_MAX] = {0};
                for (uint32_t i = 0; i < KEYS; i++) {
                    /* A counter, outside of the constant. */
                    store_u32le(key + (at < 4 ? at + 8 : 0), i * 2654435761U);
                    store_u64le(key + at, constants[c]);
                    hashes[i] = map_hash((struct slice){key, len});
                }
                /* 2000 of 2^32 values at random: three equal pairs are one in a million. */
                EXPECT(count_distinct(hashes, KEYS) > KEYS - 3);
            }
        }
    }
}

TEST(map_hash_sees_every_bit)
{
    for (size_t len = 1; len <= 40; len++) {
        uint8_t key[40] = {0};
        for (size_t i = 0; i < len; i++)
            key[i] = (uint8_t)test_random();
        uint64_t plain = map_hash((struct slice){key, len});
        EXPECT_U64(map_hash((struct slice){key, len}), plain);
        for (size_t bit = 0; bit < len * 8; bit++) {
            key[bit / 8] ^= (uint8_t)(1 << bit % 8);
            EXPECT(map_hash((struct slice){key, len}) != plain);
            key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    uint8_t zeros[40] = {0};
    for (size_t len = 0; len < 40; len++)
        EXPECT(map_hash((struct slice){zeros, len}) != map_hash((struct slice){zeros, len + 1}));
}

/* In a new process, since the seed is drawn once in each. */
static void print_hash(void)
{
    fprintf(stderr, "%llx", (unsigned long long)map_hash(slice_of("key")));
}

TEST(map_hash_is_seeded_per_process)
{
    char first[32];
    char second[32];
    EXPECT_I64(child_run(print_hash, first, sizeof(first)), 0);
    EXPECT_I64(child_run(print_hash, second, sizeof(second)), 0);
    EXPECT(strlen(first) > 0);
    EXPECT(strcmp(first, second) != 0);
}

/* As if nearly 4 GiB of keys were in it: starts are 32 bits wide. */
static void put_into_a_full_map(void)
{
    struct map m = {.keys = {.len = (size_t)UINT32_MAX - 2, .cap = SIZE_MAX / 8}};
    bool added;
    (void)map_put(&m, slice_of("a"), &added);
}

TEST(map_too_many_bytes_of_keys_fail_an_assertion)
{
    EXPECT(child_assert_fails(put_into_a_full_map));
}

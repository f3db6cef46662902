/* SPDX-License-Identifier: MIT */
#include "store/staging.h"

#include <pthread.h>
#include <string.h>

#include "base/assert.h"
#include "test.h"

enum { PARTITIONS = 50, ROWS = 400 };

/* A row says of itself where it belongs. */
static void add(struct staging *s, struct staged_rows *rows, struct arena *arena,
                uint32_t partition, uint32_t number, size_t len)
{
    uint8_t *row = staging_add(s, rows, arena, len);
    memset(row, (int)(partition + number), len);
    if (len > 0)
        row[0] = (uint8_t)partition;
}

static size_t length_of(uint32_t number)
{
    return number % 97 == 0 ? STAGING_ROW_MAX - number : number * 7 % 900;
}

static void expect_rows(const struct staged_rows *rows, uint32_t partition, uint32_t count)
{
    struct staging_cursor cursor = {0};
    struct slice row;
    uint32_t number = 0;
    while (staging_next(rows, &cursor, &row)) {
        EXPECT_U64(row.len, length_of(number));
        for (size_t i = 0; i < row.len; i++)
            EXPECT_U64(row.data[i], i == 0 ? (uint8_t)partition : (uint8_t)(partition + number));
        number++;
    }
    EXPECT_U64(number, count);
}

TEST(staging_keeps_rows_of_partitions_that_take_turns)
{
    struct account account = {0};
    struct staging s;
    staging_init(&s, &account);
    struct arena arena = {.account = &account};
    struct staged_rows rows[PARTITIONS] = {{0}};
    expect_rows(&rows[0], 0, 0);
    for (uint32_t number = 0; number < ROWS; number++)
        for (uint32_t partition = 0; partition < PARTITIONS; partition++)
            add(&s, &rows[partition], &arena, partition, number, length_of(number));
    for (uint32_t partition = 0; partition < PARTITIONS; partition++)
        expect_rows(&rows[partition], partition, ROWS);
    for (int i = 0; i < PARTITIONS; i++)
        staging_give_back(&s, &rows[i]);
    expect_rows(&rows[0], 0, 0);
    staging_free(&s);
    arena_free(&arena);
    EXPECT_U64(account_bytes(&account), 0);
}

static void *give_back(void *argument)
{
    struct staged_rows *rows = argument;
    struct staging *s = *(struct staging **)(void *)(rows + PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        staging_give_back(s, &rows[i]);
    return NULL;
}

/* As the loop and the encoder do it: one thread fills, another one gives back what was filled
 * before that. Two rounds are there at a time, so two rounds' memory is all that is ever taken. */
TEST(staging_takes_what_another_thread_gives_back)
{
    struct account account = {0};
    struct staging s;
    staging_init(&s, &account);
    struct {
        struct staged_rows rows[PARTITIONS];
        struct staging *staging;
    } rounds[2] = {{.staging = &s}, {.staging = &s}};
    uint64_t most = 0;
    pthread_t thread;
    for (int round = 0; round < 40; round++) {
        struct arena arena = {.account = NULL};
        struct staged_rows *rows = rounds[round % 2].rows;
        for (uint32_t number = 0; number < ROWS; number++)
            for (uint32_t partition = 0; partition < PARTITIONS; partition++)
                add(&s, &rows[partition], &arena, partition, number, length_of(number));
        if (round > 0)
            ASSERT(pthread_join(thread, NULL) == 0);
        for (uint32_t partition = 0; partition < PARTITIONS; partition++)
            expect_rows(&rows[partition], partition, ROWS);
        if (round == 0)
            most = 2 * account_bytes(&account);
        EXPECT(account_bytes(&account) <= most);
        ASSERT(pthread_create(&thread, NULL, give_back, rows) == 0);
        if (round == 39)
            ASSERT(pthread_join(thread, NULL) == 0);
        arena_free(&arena);
    }
    staging_free(&s);
    EXPECT_U64(account_bytes(&account), 0);
}

TEST(staging_keeps_no_more_memory_than_was_wanted_last)
{
    struct account account = {0};
    struct staging s;
    staging_init(&s, &account);
    struct arena arena = {0};
    struct staged_rows rows = {0};
    for (int i = 0; i < 100; i++)
        (void)staging_add(&s, &rows, &arena, STAGING_ROW_MAX);
    staging_give_back(&s, &rows);
    EXPECT_U64(account_bytes(&account), 100 * STAGING_CHUNK);
    staging_trim(&s);
    EXPECT_U64(account_bytes(&account), 100 * STAGING_CHUNK);
    for (int i = 0; i < 3; i++)
        (void)staging_add(&s, &rows, &arena, STAGING_ROW_MAX);
    staging_trim(&s); /* three are in use, three stay for the next time */
    EXPECT_U64(account_bytes(&account), 6 * STAGING_CHUNK);
    staging_give_back(&s, &rows);
    staging_trim(&s);
    EXPECT_U64(account_bytes(&account), 0);
    staging_free(&s);
    arena_free(&arena);
}

/* Bytes of a file that come in pieces of all sizes, while rows are kept in what goes round, too. */
TEST(staging_has_room_for_bytes)
{
    struct account account = {0};
    struct staging s;
    staging_init(&s, &account);
    struct arena arena = {.account = &account};
    struct staged_rows bytes = {0}, rows = {0};
    const uint8_t *first = NULL;
    uint64_t put = 0;
    for (size_t wanted = 1; wanted < 3 * STAGING_CHUNK; wanted = wanted * 3 / 2 + 1) {
        for (size_t left = wanted; left > 0;) {
            size_t len = left;
            uint8_t *to = staging_room(&s, &bytes, &len);
            EXPECT(len > 0 && len <= left);
            memset(to, (int)(put % 251), len);
            first = first == NULL ? to : first;
            left -= len;
            put += len;
        }
        add(&s, &rows, &arena, 7, 0, STAGING_ROW_MAX);
    }
    EXPECT_U64(*first, 0);
    EXPECT(staging_memory(&bytes) >= put && staging_memory(&bytes) < put + put / 8 + STAGING_CHUNK);
    uint64_t held = account_bytes(&account);
    uint64_t memory = staging_memory(&bytes);
    staging_give_back(&s, &bytes);
    EXPECT_U64(staging_memory(&bytes), 0);
    while (staging_memory(&bytes) < memory) {
        size_t len = STAGING_CHUNK;
        (void)staging_room(&s, &bytes, &len);
    }
    EXPECT_U64(account_bytes(&account), held); /* it went round */
    EXPECT_U64(staging_idle(&s), 0);
    staging_give_back(&s, &bytes);
    EXPECT_U64(staging_idle(&s), memory);
    staging_free_idle(&s);
    EXPECT_U64(account_bytes(&account), held - memory);
    staging_give_back(&s, &rows);
    staging_trim(&s);
    staging_trim(&s); /* nothing was wanted since */
    arena_free(&arena);
    EXPECT_U64(account_bytes(&account), 0);
    staging_free(&s);
}

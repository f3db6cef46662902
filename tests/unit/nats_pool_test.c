/* SPDX-License-Identifier: MIT */
#include "nats/pool.h"

#include <stdio.h>

#include "test.h"

static const uint64_t key[2] = {5, 6};

static struct nats_pool pool_of(const char *const *urls, size_t count)
{
    struct nats_pool pool;
    struct err err = {0};
    nats_pool_init(&pool, key);
    for (size_t i = 0; i < count; i++)
        EXPECT_I64(nats_pool_add(&pool, slice_of(urls[i]), &err), 0);
    return pool;
}

static const char *host(const struct nats_pool *pool)
{
    return nats_pool_current(pool)->url.host;
}

static void merge(struct nats_pool *pool, const char *const *urls, size_t count)
{
    struct slice list[128];
    struct nats_info info = {.urls = list, .url_count = count};
    for (size_t i = 0; i < count; i++)
        list[i] = slice_of(urls[i]);
    nats_pool_merge(pool, &info);
}

static bool has(const struct nats_pool *pool, const char *name)
{
    for (size_t i = 0; i < pool->count; i++)
        if (strcmp(pool->servers[i].url.host, name) == 0)
            return true;
    return false;
}

TEST(nats_pool_adds_each_server_once)
{
    struct nats_pool pool = pool_of((const char *[]){"a:1", "nats://A:1", "a:2"}, 3);
    struct err err = {0};
    EXPECT_U64(pool.count, 2);
    EXPECT_I64(nats_pool_add(&pool, slice_of("x:y:z"), &err), -1);
    nats_pool_free(&pool);
}

TEST(nats_pool_tries_the_others_at_once_and_then_pauses)
{
    struct nats_pool pool = pool_of((const char *[]){"a", "b", "c"}, 3);
    EXPECT_TEXT(host(&pool), "a");
    nats_pool_failed(&pool, false, 1000);
    EXPECT_TEXT(host(&pool), "b");
    EXPECT_I64(pool.retry_at, 1000);
    nats_pool_failed(&pool, false, 1000);
    EXPECT_TEXT(host(&pool), "c");
    EXPECT_I64(pool.retry_at, 1000);
    nats_pool_failed(&pool, false, 1000);
    EXPECT_TEXT(host(&pool), "a");
    EXPECT(pool.retry_at >= 1000 && pool.retry_at <= 1000 + NATS_BACKOFF_BASE);
    nats_pool_free(&pool);
}

/* The longest pause of many pools in the given round. */
static int64_t longest_pause(unsigned round, bool slow)
{
    struct nats_pool pool = pool_of((const char *[]){"a"}, 1);
    int64_t longest = 0;
    for (int i = 0; i < 2000; i++) {
        pool.rounds = round - 1;
        nats_pool_failed(&pool, slow, 0);
        EXPECT(pool.retry_at >= 0);
        if (pool.retry_at > longest)
            longest = pool.retry_at;
    }
    nats_pool_free(&pool);
    return longest;
}

TEST(nats_pool_pause_doubles_to_ten_seconds_with_full_jitter)
{
    const int64_t ms = CLOCK_MILLISECOND;
    const int64_t limits[] = {100 * ms,  200 * ms,  400 * ms,   800 * ms,  1600 * ms,
                              3200 * ms, 6400 * ms, 10000 * ms, 10000 * ms};
    for (unsigned round = 1; round <= 9; round++) {
        int64_t longest = longest_pause(round, false);
        EXPECT(longest <= limits[round - 1] && longest > limits[round - 1] * 9 / 10);
    }
    EXPECT(longest_pause(4000000000u, false) <= 10000 * ms);
}

TEST(nats_pool_pause_after_refused_credentials_goes_to_thirty_seconds)
{
    int64_t longest = longest_pause(20, true);
    EXPECT(longest <= 30 * CLOCK_SECOND && longest > 27 * CLOCK_SECOND);
}

TEST(nats_pool_starts_over_only_after_a_connection_that_lasted)
{
    struct nats_pool pool = pool_of((const char *[]){"a"}, 1);
    for (int i = 0; i < 6; i++)
        nats_pool_failed(&pool, false, 0);
    EXPECT_U64(pool.rounds, 6);
    nats_pool_ready(&pool, 1000);
    nats_pool_failed(&pool, false, 1000 + NATS_STABLE_AFTER - 1); /* kicked too early */
    EXPECT_U64(pool.rounds, 7);
    nats_pool_ready(&pool, 1000);
    nats_pool_failed(&pool, false, 1000 + NATS_STABLE_AFTER);
    EXPECT_U64(pool.rounds, 1);
    nats_pool_free(&pool);
}

TEST(nats_pool_merges_discovered_servers)
{
    struct nats_pool pool = pool_of((const char *[]){"tls://me:pw@first:1"}, 1);
    merge(&pool,
          (const char *[]){"first:1", "10.0.0.2:2", "third.example:3", "[::1]:4", "10.0.0.2:2", "",
                           "not a url", "nats://h:0"},
          8);
    EXPECT_U64(pool.count, 4);
    EXPECT_TEXT(pool.servers[1].url.host, "10.0.0.2");
    EXPECT_TEXT(pool.servers[1].url.user, "me");
    EXPECT_TEXT(pool.servers[1].url.password, "pw");
    EXPECT(pool.servers[1].url.tls && pool.servers[1].discovered);
    EXPECT_TEXT(pool.servers[1].tls_name, "first"); /* an address has no name of its own */
    EXPECT_TEXT(pool.servers[2].tls_name, "third.example");
    EXPECT_TEXT(pool.servers[3].url.host, "::1");
    nats_pool_free(&pool);
}

TEST(nats_pool_drops_what_is_no_longer_listed)
{
    struct nats_pool pool = pool_of((const char *[]){"configured"}, 1);
    merge(&pool, (const char *[]){"b", "c", "d"}, 3);
    nats_pool_failed(&pool, false, 0);
    nats_pool_failed(&pool, false, 0);
    EXPECT_TEXT(host(&pool), "c");
    merge(&pool, (const char *[]){"d", "e"}, 2);
    EXPECT(has(&pool, "configured") && !has(&pool, "b") && has(&pool, "d") && has(&pool, "e"));
    EXPECT_TEXT(host(&pool), "c"); /* we are connected to it */
    merge(&pool, NULL, 0);
    EXPECT_U64(pool.count, 4);
    nats_pool_free(&pool);
}

TEST(nats_pool_is_capped)
{
    struct nats_pool pool = pool_of((const char *[]){"a"}, 1);
    char names[100][16];
    const char *urls[100];
    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof(names[i]), "h%d", i);
        urls[i] = names[i];
    }
    merge(&pool, urls, 100);
    EXPECT_U64(pool.count, NATS_POOL_MAX);
    struct err err = {0};
    EXPECT_I64(nats_pool_add(&pool, slice_of("one-more"), &err), -1);
    nats_pool_free(&pool);
}

TEST(nats_pool_shuffle_keeps_all_and_depends_on_the_key)
{
    const char *const urls[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    bool moved = false;
    struct nats_pool pool = pool_of(urls, 8);
    nats_pool_shuffle(&pool);
    for (size_t i = 0; i < 8; i++) {
        EXPECT(has(&pool, urls[i]));
        moved = moved || strcmp(pool.servers[i].url.host, urls[i]) != 0;
    }
    EXPECT(moved);
    nats_pool_free(&pool);
}

TEST(nats_pool_switches_away_from_a_lame_duck)
{
    struct nats_pool pool = pool_of((const char *[]){"a"}, 1);
    EXPECT(!nats_pool_switch(&pool, 5));
    merge(&pool, (const char *[]){"b"}, 1);
    EXPECT(nats_pool_switch(&pool, 5));
    EXPECT_TEXT(host(&pool), "b");
    EXPECT_I64(pool.retry_at, 5);
    nats_pool_free(&pool);
}

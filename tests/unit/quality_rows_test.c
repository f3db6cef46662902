/* SPDX-License-Identifier: MIT */
#include "quality/quality.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "test.h"

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Values of all magnitudes and both signs. */
static int64_t draw(void)
{
    unsigned bits = 1 + (unsigned)(test_random() % 63);
    int64_t value = (int64_t)(test_random() >> bits);
    return test_random() % 2 == 0 ? value : -value;
}

TEST(quality_sketch_is_near_the_sorted_values)
{
    static int64_t values[5000];
    struct sketch s = {0};
    EXPECT_I64(sketch_quantile(&s, 50), 0);
    for (size_t i = 0; i < 5000; i++) {
        values[i] = i == 0 ? INT64_MIN : i == 1 ? INT64_MAX : draw();
        sketch_add(&s, values[i]);
    }
    qsort(values, 5000, sizeof(values[0]), by_value);
    EXPECT_I64(s.min, values[0]);
    EXPECT_I64(s.max, values[4999]);
    for (uint32_t percent = 0; percent <= 100; percent++) {
        double exact = (double)values[percent == 100 ? 4999 : percent * 50];
        double off = (double)sketch_quantile(&s, percent) - exact;
        EXPECT((off < 0 ? -off : off) <= (exact < 0 ? -exact : exact) / 64);
    }
    sketch_free(&s);
}

static void take(struct quality *q, void (*function)(struct quality *, const struct slice *),
                 const char *simulation, const char *id, uint64_t sequence)
{
    uint8_t numbers[2][8];
    struct slice values[QUALITY_COLUMNS];
    for (int i = 0; i < QUALITY_COLUMNS; i++)
        values[i] = slice_of("x");
    store_u64le(numbers[0], sequence);
    store_u64le(numbers[1], 1000000 + sequence);
    values[QUALITY_EVENT_ID] = slice_of(id);
    values[QUALITY_SIMULATION_ID] = slice_of(simulation);
    values[QUALITY_STREAM_SEQ] = (struct slice){numbers[0], 8};
    values[QUALITY_STREAM_TIME] = values[QUALITY_TIMESTAMP_NS] = (struct slice){numbers[1], 8};
    function(q, values);
}

/* Of 20,000 identities, 3,000 come again, and all of them in the other simulation. */
static void take_all(struct quality *q, void (*function)(struct quality *, const struct slice *))
{
    char id[16];
    for (uint64_t i = 0; i < 43000; i++) {
        (void)snprintf(id, sizeof(id), "e%u", (unsigned)(i < 40000 ? i / 2 : i - 30000));
        take(q, function, i % 2 == 0 ? "a" : "b", id, i + 1);
    }
}

TEST(quality_counts_each_identity_that_comes_again_in_any_memory)
{
    static struct config config;
    struct err err = {0};
    /* What a log may say that there are. */
    static const uint64_t expected[] = {43000, 5, UINT64_MAX, 0};
    unsigned number = 0;
    config_init(&config);
    for (uint64_t slots = 4096; slots <= 1 << 17; slots *= 2) {
        struct quality q = {0};
        uint32_t passes = 1;
        EXPECT(quality_init(&q, &config, NULL, slots, &err) == 0);
        quality_expect_ids(&q, expected[number++ % 4]);
        take_all(&q, quality_take);
        for (; quality_next_pass(&q) == 1; passes++)
            take_all(&q, quality_take_id);
        EXPECT_U64(q.groups.count, 2);
        /* The later ones of 10000 to 12999, half of them in each. */
        EXPECT_U64(q.groups.list[0].findings[QUALITY_DUPLICATE].rows, 1500);
        EXPECT_U64(q.groups.list[0].findings[QUALITY_DUPLICATE].first, 40001);
        EXPECT_U64(q.groups.list[1].findings[QUALITY_DUPLICATE].rows, 1500);
        EXPECT_U64(q.groups.list[1].findings[QUALITY_DUPLICATE].first, 40002);
        EXPECT((passes == 1) == (slots >= 65536));
        EXPECT(account_bytes(&q.account) < slots * sizeof(struct quality_id) + 65536);
        quality_free(&q);
        EXPECT_U64(account_bytes(&q.account), 0);
    }
    config_free(&config);
}

TEST(quality_bounds_what_hostile_names_take)
{
    static struct config config;
    struct err err = {0};
    struct quality q = {0};
    char name[1200];
    config_init(&config);
    EXPECT(quality_init(&q, &config, NULL, 4096, &err) == 0);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (uint64_t i = 0; i < QUALITY_SIMULATIONS_MAX + 5000; i++) {
        (void)snprintf(name, 10, "%08u", (unsigned)i);
        name[8] = '-';
        take(&q, quality_take, name, "e", i + 1);
    }
    EXPECT_U64(q.simulations.count, QUALITY_SIMULATIONS_MAX + 1);
    EXPECT_U64(map_key(&q.simulations, 7).len, QUALITY_NAME_MAX);
    const struct quality_group *last = &q.groups.list[q.groups.count - 1];
    struct slice others = map_key(&q.simulations, last->simulation);
    EXPECT(slice_is(others, QUALITY_OTHERS));
    EXPECT_U64(last->rows, 5000);
    EXPECT(account_bytes(&q.account) < 96 * 1024 * 1024);
    quality_free(&q);
    config_free(&config);
}

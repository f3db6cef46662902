/* SPDX-License-Identifier: MIT */
#include "quality/state.h"

#include <stdio.h>

#include "base/bytes.h"
#include "test.h"

static void set_stream(struct quality *q, uint64_t random)
{
    char stream[8];
    (void)snprintf(stream, sizeof(stream), "S%u", (unsigned)(random >> 8 & 3));
    quality_set_stream(q, slice_of(stream));
}

/* An event in which anything may be wrong. It is looked at, or only seen. */
static void take(struct quality *q, uint64_t sequence, uint64_t random, struct quality_seen *seen)
{
    static const char *const types[] = {"a.v1", "b.v1", "", "c.v1"};
    static const char *const names[] = {"w1", "w2", "", "w3", "w4"};
    static const char *const hints[] = {"application/json", "text/plain; x=1", "", "json "};
    uint8_t numbers[3][8];
    struct slice values[QUALITY_COLUMNS];
    char simulation[8];
    (void)snprintf(simulation, sizeof(simulation), "%u", (unsigned)(random >> 10 & 7));
    set_stream(q, random);
    store_u64le(numbers[0], sequence);
    store_u64le(numbers[1], 1000000 + sequence * 50);
    store_u64le(numbers[2], random % 9 == 0 ? 0 : 1000000000 + (random >> 40));
    values[QUALITY_STREAM_SEQ] = (struct slice){numbers[0], 8};
    values[QUALITY_STREAM_TIME] = (struct slice){numbers[1], 8};
    values[QUALITY_TIMESTAMP_NS] = (struct slice){numbers[2], 8};
    values[QUALITY_EVENT_ID] = slice_of(random % 7 == 0 ? "" : "e");
    values[QUALITY_EVENT_TYPE_KEY] = slice_of(types[random >> 13 & 3]);
    values[QUALITY_EVENT_PAYLOAD] = slice_of(random % 5 == 0 ? "{" : "{}");
    values[QUALITY_WORKER_ID] = slice_of(names[random % 5]);
    values[QUALITY_SIMULATION_ID] = slice_of(simulation);
    values[QUALITY_PAYLOAD_FORMAT_HINT] = slice_of(hints[random >> 15 & 3]);
    if (seen != NULL)
        quality_see(q, values, seen);
    else
        quality_take(q, values);
}

/* All that it would say. */
static void say(const struct quality *q, struct buf *out)
{
    uint32_t *order = quality_order(q), groups = (uint32_t)q->groups.count;
    buf_reset(out);
    for (uint32_t at = 0, count; at < groups; at += count) {
        struct json_writer w = {.out = out};
        count = quality_together(q, order + at, groups - at);
        quality_put_json(q, &w, order + at, count);
        buf_append_byte(out, '\n');
    }
    quality_order_free(q, order);
}

TEST(quality_state_goes_on_as_if_nothing_had_been)
{
    static struct config config;
    struct quality whole, parts;
    struct buf bytes = {0}, expected = {0}, said = {0};
    struct err err = {0};
    config_init(&config);
    config.quality.max_skew = 1000000;
    config.quality.max_silence = 200000;
    EXPECT(quality_init(&whole, &config, NULL, 0, &err) == 0);
    EXPECT(quality_init(&parts, &config, NULL, 0, &err) == 0);
    for (uint64_t i = 1; i < 3000; i++) {
        uint64_t random = test_random();
        take(&whole, i, random, NULL);
        take(&parts, i, random, NULL);
        if (test_random() % 100 != 0)
            continue;
        size_t at = 0;
        buf_reset(&bytes);
        quality_put_state(&parts, &bytes);
        quality_free(&parts);
        EXPECT(quality_init(&parts, &config, NULL, 0, &err) == 0);
        EXPECT(quality_get_state(&parts, buf_slice(&bytes), &at, &err) == 0);
        EXPECT_U64(at, bytes.len);
        say(&whole, &expected);
        say(&parts, &said);
        EXPECT_BYTES(said.data, said.len, expected.data, expected.len);
    }
    EXPECT(parts.groups.count == 32 && parts.streams.count == 4);
    quality_free(&whole);
    quality_free(&parts);
    buf_free(&bytes);
    buf_free(&expected);
    buf_free(&said);
    config_free(&config);
}

/* Seen backwards, some of them twice, and counted forwards. */
TEST(quality_is_the_same_in_whatever_order_rows_are_seen)
{
    enum { ROWS = 500 };
    static struct config config;
    static struct quality_seen seen[ROWS];
    static uint64_t drawn[ROWS];
    struct quality whole, apart;
    struct buf expected = {0}, said = {0};
    struct err err = {0};
    config_init(&config);
    config.quality.max_skew = 1000000;
    config.quality.max_silence = 200000;
    EXPECT(quality_init(&whole, &config, NULL, 4096, &err) == 0);
    EXPECT(quality_init(&apart, &config, NULL, 4096, &err) == 0);
    for (uint64_t from = 0; from < 10 * (uint64_t)ROWS; from += ROWS) {
        for (size_t i = 0; i < ROWS; i++) {
            drawn[i] = test_random();
            take(&whole, from + i + 1, drawn[i], NULL);
        }
        for (size_t i = ROWS; i-- > 0;) {
            take(&apart, from + i + 1, drawn[i], &seen[i]);
            if (test_random() % 3 == 0)
                take(&apart, from + i + 1, drawn[i], &seen[i]);
        }
        for (size_t i = 0; i < ROWS; i++) {
            set_stream(&apart, drawn[i]);
            quality_count(&apart, &seen[i]);
        }
    }
    EXPECT(quality_next_pass(&whole) == 0 && quality_next_pass(&apart) == 0);
    say(&whole, &expected);
    say(&apart, &said);
    EXPECT_BYTES(said.data, said.len, expected.data, expected.len);
    quality_free(&whole);
    quality_free(&apart);
    buf_free(&expected);
    buf_free(&said);
    config_free(&config);
}

TEST(quality_state_that_is_cut_or_changed_is_taken_as_another_or_refused)
{
    static struct config config;
    struct quality q;
    struct buf bytes = {0}, said = {0};
    struct err err = {0};
    config_init(&config);
    EXPECT(quality_init(&q, &config, NULL, 0, &err) == 0);
    for (uint64_t i = 1; i < 200; i++)
        take(&q, i, test_random(), NULL);
    quality_put_state(&q, &bytes);
    quality_free(&q);
    for (int i = 0; i < 3000; i++) {
        size_t at = 0, place = (size_t)(test_random() % bytes.len);
        uint8_t was = bytes.data[place];
        bool cut = i % 2 == 0;
        struct slice some = {bytes.data, cut ? place : bytes.len};
        bytes.data[place] = cut ? was : (uint8_t)test_random();
        EXPECT(quality_init(&q, &config, NULL, 0, &err) == 0);
        bool taken = quality_get_state(&q, some, &at, &err) == 0;
        EXPECT(!cut || !taken);
        if (taken) {
            take(&q, 1000, test_random(), NULL);
            say(&q, &said);
        }
        err_clear(&err);
        quality_free(&q);
        EXPECT_U64(account_bytes(&q.account), 0);
        bytes.data[place] = was;
    }
    buf_free(&bytes);
    buf_free(&said);
    config_free(&config);
}

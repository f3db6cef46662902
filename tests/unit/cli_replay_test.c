/* SPDX-License-Identifier: MIT */
#include "cli/replay.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "event/event.h"

#include "test.h"

static int64_t due(struct replay_pace *pace, enum event_column column, int64_t micros, int64_t now)
{
    uint8_t bytes[8];
    struct slice values[EVENT_COLUMNS] = {0};
    store_u64le(bytes, (uint64_t)micros);
    values[column] = (struct slice){bytes, sizeof(bytes)};
    return replay_due(pace, values, now);
}

TEST(cli_replay_keeps_the_pace_of_the_stream)
{
    struct replay_pace pace = {.speed = 2};
    const enum event_column at = EVENT_COLUMN_STREAM_TIME;
    EXPECT_I64(due(&pace, at, 5000000, 100), 100);                   /* the first at once */
    EXPECT_I64(due(&pace, at, 6000000, 100), 100 + 500000000);       /* a second, twice as fast */
    EXPECT_I64(due(&pace, at, 5500000, 600000000), 100 + 500000000); /* earlier: with the last */
    EXPECT_I64(due(&pace, EVENT_COLUMN_EVENT_TIME, 9, 0), 100 + 500000000); /* no stream_time */
    EXPECT_I64(due(&pace, at, 6000002, 0), 100 + 500001000); /* however late it is: it catches up */
}

TEST(cli_replay_cuts_long_gaps)
{
    struct replay_pace pace = {.speed = 1, .by_event = true, .max_gap = 7000};
    const enum event_column at = EVENT_COLUMN_EVENT_TIME;
    EXPECT_I64(due(&pace, at, 0, 0), 0);
    EXPECT_I64(due(&pace, at, 6, 0), 6000);
    EXPECT_I64(due(&pace, at, 14, 0), 6000 + 7000);
    EXPECT_I64(due(&pace, at, INT64_MAX, 0), 6000 + 2 * 7000);
}

TEST(cli_replay_takes_any_time_of_a_file)
{
    struct replay_pace pace = {.speed = 1e-6};
    const enum event_column at = EVENT_COLUMN_STREAM_TIME;
    EXPECT_I64(due(&pace, at, INT64_MIN, 50), 50);
    EXPECT(due(&pace, at, INT64_MAX, 50) > INT64_MAX / 4); /* never, and no overflow */
    EXPECT(due(&pace, at, INT64_MIN, 50) > INT64_MAX / 4);
}

TEST(cli_replay_as_fast_as_it_goes)
{
    struct replay_pace pace = {0};
    EXPECT_I64(due(&pace, EVENT_COLUMN_STREAM_TIME, 1, 10), 10);
    EXPECT_I64(due(&pace, EVENT_COLUMN_STREAM_TIME, 1000000000, 20), 20);
}

TEST(cli_replay_binds_terms_to_columns_of_events)
{
    static const char *const wrong[] = {"reward > 1", "stream_seq = x", "stream_time < 5"};
    struct err err = {0};
    struct replay right = {0};
    EXPECT_I64(filter_add(&right.filter, "event_time >= 2026-11-24T12:00:00Z", &err), 0);
    EXPECT_I64(filter_add(&right.filter, "correlation_id = null", &err), 0);
    EXPECT_I64(replay_bind(&right, &err), 0);
    EXPECT_I64(right.tests[0].column, EVENT_COLUMN_EVENT_TIME);
    EXPECT_I64(right.tests[1].column, EVENT_COLUMN_CORRELATION_ID);
    free(right.tests);
    filter_free(&right.filter);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct replay r = {0};
        EXPECT_I64(filter_add(&r.filter, wrong[i], &err), 0);
        EXPECT_I64(replay_bind(&r, &err), -1);
        EXPECT_I64(err.code, ERR_USAGE);
        err_clear(&err);
        free(r.tests);
        filter_free(&r.filter);
    }
}

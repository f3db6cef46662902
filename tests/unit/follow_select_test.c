/* SPDX-License-Identifier: MIT */
#include "follow/select.h"

#include "base/bytes.h"
#include "test.h"

static void set_number(struct slice *value, uint8_t *bytes, int64_t number)
{
    store_u64le(bytes, (uint64_t)number);
    *value = (struct slice){bytes, sizeof(number)};
}

/* A row of stream_seq 7, of noon on the 24th, of sim-1, without a correlation_id. */
static bool passes(const char *first, const char *second)
{
    const char *texts[] = {first, second};
    struct config_list terms = {.items = texts, .count = second != NULL ? 2 : first != NULL};
    struct slice values[EVENT_COLUMNS] = {0};
    uint8_t sequence[8], time[8];
    struct follow_select s;
    struct err err = {0};
    EXPECT(follow_select_make(&s, &terms, &err) == 0);
    EXPECT_TEXT(err.text, "");
    set_number(&values[EVENT_COLUMN_STREAM_SEQ], sequence, 7);
    set_number(&values[EVENT_COLUMN_STREAM_TIME], time, INT64_C(1795521600000000));
    values[EVENT_COLUMN_SIMULATION_ID] = slice_of("sim-1");
    bool result = follow_select_passes(&s, values);
    follow_select_free(&s);
    return result;
}

TEST(follow_select_of_rows)
{
    EXPECT(passes(NULL, NULL) && passes("any", NULL));
    EXPECT(passes("simulation_id = sim-1", NULL) && !passes("simulation_id != sim-1", NULL));
    EXPECT(passes("stream_seq >= 7", "stream_seq<8") && !passes("stream_seq > 7", NULL));
    EXPECT(passes("stream_time = 2026-11-24T12:00:00Z", NULL));
    EXPECT(!passes("stream_time > 2026-11-24T12:00:00Z", NULL));
    EXPECT(passes("stream_time < 2026-11-24T12:00:00.0000001Z", NULL));
    EXPECT(passes("correlation_id = null", NULL) && !passes("correlation_id = x", NULL));
    EXPECT(!passes("simulation_id = sim-1", "stream_seq = 8"));
}

static void expect_refused(const char *text, const char *says)
{
    struct config_list terms = {.items = &text, .count = 1};
    struct follow_select s;
    struct err err = {0};
    EXPECT(follow_select_make(&s, &terms, &err) == -1 && err.code == ERR_USAGE);
    EXPECT_TEXT(err.text, says);
    follow_select_free(&s);
}

TEST(follow_select_of_what_there_is_not)
{
    expect_refused("reward > 3", "the store's rows have no column reward");
    expect_refused("stream_seq = x", "column stream_seq is compared with a whole number or a time "
                                     "such as 2026-11-24T12:00:00Z, not 'x'");
    expect_refused("stream_seq",
                   "'stream_seq' is not COLUMN OP VALUE, where OP is one of = != < <= > >=");
}

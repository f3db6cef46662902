/* SPDX-License-Identifier: MIT */
#include "check/check.h"

#include "base/clock.h"
#include "test.h"

TEST(check_report_lines)
{
    struct check_report r = {0};
    check_say(&r, CHECK_OK, "all %s", "fine");
    check_say(&r, CHECK_WARNING, "a");
    check_say(&r, CHECK_PROBLEM, "b");
    check_say(&r, CHECK_PROBLEM, "\x1b[2J\n\x7f");
    EXPECT_TEXT(buf_text(&r.text), "ok       all fine\n"
                                   "warning  a\n"
                                   "problem  b\n"
                                   "problem  ?[2J??\n");
    EXPECT_U64(r.counts[CHECK_OK], 1);
    EXPECT_U64(r.counts[CHECK_WARNING], 1);
    EXPECT_U64(r.counts[CHECK_PROBLEM], 2);
    buf_free(&r.text);
}

static void expect_duration(int64_t seconds, const char *text)
{
    char out[CHECK_DURATION_MAX];
    EXPECT_TEXT(check_duration(seconds * CLOCK_SECOND, out), text);
}

TEST(check_report_durations)
{
    expect_duration(0, "0s");
    expect_duration(59, "59s");
    expect_duration(60, "1m");
    expect_duration(119, "119s");
    expect_duration(120, "2m");
    expect_duration(2664, "44m");
    expect_duration(3600, "1h");
    expect_duration(7199, "119m");
    expect_duration(86400, "1d");
    expect_duration(172799, "47h");
    expect_duration(INT64_MAX / CLOCK_SECOND, "106751d");
}

/* SPDX-License-Identifier: MIT */
#include "watch/pages.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "event/event.h"
#include "watch_fixture.h"

/* A line of the output that begins with this; the text lives until the next call. */
static const char *line_of(struct fixture *f, const char *name)
{
    static char line[512];
    struct buf out = {0};
    metrics_append(&out, &f->watch, NOW);
    const char *at = buf_text(&out);
    line[0] = '\0';
    while (*at != '\0' && line[0] == '\0') {
        size_t len = strcspn(at, "\n");
        EXPECT(len < sizeof(line) && at[len] == '\n'); /* each line ends */
        if (strncmp(at, name, strlen(name)) == 0)
            (void)snprintf(line, sizeof(line), "%.*s", (int)len, at);
        at += len + 1;
    }
    buf_free(&out);
    return line;
}

TEST(metrics_of_streams)
{
    struct fixture f;
    fixture_open(&f, "B");
    struct source_counters *s = &f.counters[1];
    s->messages_received = UINT64_MAX;
    s->pending = 3;
    s->dead_lettered[EVENT_NOT_UTF8] = 4;
    f.sources[1].oldest = NOW - 1500 * CLOCK_MILLISECOND;
    EXPECT_TEXT(line_of(&f, "varve_messages_received_total{stream=\"A\"}"),
                "varve_messages_received_total{stream=\"A\"} 0");
    EXPECT_TEXT(line_of(&f, "varve_messages_received_total{stream=\"B\"}"),
                "varve_messages_received_total{stream=\"B\"} 18446744073709551615");
    EXPECT_TEXT(line_of(&f, "varve_messages_pending{stream=\"B\"}"),
                "varve_messages_pending{stream=\"B\"} 3");
    EXPECT_TEXT(line_of(&f, "varve_messages_dead_lettered_total{stream=\"B\",reason=\"not_utf8\""),
                "varve_messages_dead_lettered_total{stream=\"B\",reason=\"not_utf8\"} 4");
    EXPECT_TEXT(line_of(&f, "varve_oldest_unacked_seconds{stream=\"B\"}"),
                "varve_oldest_unacked_seconds{stream=\"B\"} 1.5");
    fixture_close(&f);
}

TEST(metrics_labels_are_escaped)
{
    struct fixture f;
    fixture_open(&f, "a\"b\\c");
    EXPECT_TEXT(line_of(&f, "varve_acks_sent_total{stream=\"a\\"),
                "varve_acks_sent_total{stream=\"a\\\"b\\\\c\"} 0");
    f.sources[1].stream = "a\nb";
    EXPECT_TEXT(line_of(&f, "varve_acks_sent_total{stream=\"a\\"),
                "varve_acks_sent_total{stream=\"a\\nb\"} 0");
    fixture_close(&f);
}

/* Buckets are cumulative, the last is +Inf and equals the count. */
TEST(metrics_histogram)
{
    struct fixture f;
    fixture_open(&f, "B");
    histogram_observe(&f.watch.stats.commit, 2 * CLOCK_MILLISECOND);
    histogram_observe(&f.watch.stats.commit, 2 * CLOCK_SECOND);
    histogram_observe(&f.watch.stats.commit, 4000 * CLOCK_SECOND);
    EXPECT_TEXT(line_of(&f, "varve_commit_seconds_bucket{le=\"0.001\"}"),
                "varve_commit_seconds_bucket{le=\"0.001\"} 0");
    EXPECT_TEXT(line_of(&f, "varve_commit_seconds_bucket{le=\"0.005\"}"),
                "varve_commit_seconds_bucket{le=\"0.005\"} 1");
    EXPECT_TEXT(line_of(&f, "varve_commit_seconds_bucket{le=\"1\"}"),
                "varve_commit_seconds_bucket{le=\"1\"} 1");
    EXPECT_TEXT(line_of(&f, "varve_commit_seconds_bucket{le=\"2.5\"}"),
                "varve_commit_seconds_bucket{le=\"2.5\"} 2");
    EXPECT_TEXT(line_of(&f, "varve_commit_seconds_bucket{le=\"1800\"}"),
                "varve_commit_seconds_bucket{le=\"1800\"} 2");
    EXPECT_TEXT(line_of(&f, "varve_commit_seconds_bucket{le=\"+Inf\"}"),
                "varve_commit_seconds_bucket{le=\"+Inf\"} 3");
    EXPECT_TEXT(line_of(&f, "varve_commit_seconds_sum"), "varve_commit_seconds_sum 4002.002");
    EXPECT_TEXT(line_of(&f, "varve_commit_seconds_count"), "varve_commit_seconds_count 3");
    EXPECT_TEXT(line_of(&f, "varve_event_delay_seconds_bucket{stream=\"A\",le=\"+Inf\"}"),
                "varve_event_delay_seconds_bucket{stream=\"A\",le=\"+Inf\"} 0");
    fixture_close(&f);
}

TEST(metrics_of_the_pipeline)
{
    struct fixture f;
    fixture_open(&f, "B");
    EXPECT_TEXT(line_of(&f, "varve_connected"), "varve_connected 1");
    EXPECT_TEXT(line_of(&f, "varve_disk_free_bytes"), ""); /* unknown */
    f.view.client = NULL;
    f.view.disk_free = 7;
    f.view.pauses = 1u << PAUSE_DISK;
    f.watch.stats.files_committed[REASON_AGE] = 9;
    EXPECT_TEXT(line_of(&f, "varve_connected"), "varve_connected 0");
    EXPECT_TEXT(line_of(&f, "varve_disk_free_bytes"), "varve_disk_free_bytes 7");
    EXPECT_TEXT(line_of(&f, "varve_paused{reason=\"disk\"}"), "varve_paused{reason=\"disk\"} 1");
    EXPECT_TEXT(line_of(&f, "varve_paused{reason=\"memory\"}"),
                "varve_paused{reason=\"memory\"} 0");
    EXPECT_TEXT(line_of(&f, "varve_files_committed_total{reason=\"age\"}"),
                "varve_files_committed_total{reason=\"age\"} 9");
    fixture_close(&f);
}

TEST(metrics_of_the_process)
{
    struct fixture f;
    double value = 0;
    fixture_open(&f, "B");
    f.watch.started = 1795563377370000000;
    EXPECT_TEXT(line_of(&f, "process_start_time_seconds"),
                "process_start_time_seconds 1795563377.370");
    EXPECT(sscanf(line_of(&f, "process_resident_memory_bytes "), "%*s %lf", &value) == 1);
    EXPECT(value > 100e3 && value < 1e12);
    EXPECT(sscanf(line_of(&f, "process_open_fds "), "%*s %lf", &value) == 1);
    double before = value;
    int open_ones = 0;
    for (int i = 0; i < 1024; i++)
        open_ones += fcntl(i, F_GETFD) >= 0;
    EXPECT_I64(before, open_ones);
    int fd = dup(0);
    EXPECT(fd >= 0);
    EXPECT(sscanf(line_of(&f, "process_open_fds "), "%*s %lf", &value) == 1);
    EXPECT(value > before + 0.5 && value < before + 1.5);
    EXPECT(close(fd) == 0);
    fixture_close(&f);
}

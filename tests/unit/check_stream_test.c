/* SPDX-License-Identifier: MIT */
#include "check/check.h"

#include "base/clock.h"
#include "test.h"

#define MINUTE (60 * CLOCK_SECOND)

/* A source of stream S with subject a.b, whose ack_wait is 10 minutes. */
static struct config config;
static struct check_report report;
static struct slice subject;
static struct nats_stream_info stream;

static void start(void)
{
    struct err err = {0};
    config_init(&config);
    EXPECT(config_set(&config, "sources[0].stream=S", &err) == 0);
    EXPECT(config_set(&config, "sources[0].subjects=a.b", &err) == 0);
    EXPECT(config_finish(&config, &err) == 0);
    EXPECT_I64(config_ack_wait(&config), 10 * MINUTE);
    subject = slice_of("a.*");
    stream = (struct nats_stream_info){.name = slice_of("S"),
                                       .created = slice_of("2026-01-01T00:00:00Z"),
                                       .max_bytes = -1,
                                       .max_messages = -1,
                                       .subjects = &subject,
                                       .subject_count = 1,
                                       .messages = 6000,
                                       .bytes = 600000,
                                       .first_seq = 1,
                                       .last_seq = 6000,
                                       .first_ns = CLOCK_SECOND,
                                       .last_ns = CLOCK_SECOND + 10 * MINUTE}; /* 10 a second */
}

/* Judge the stream: this many problems and warnings, and this in the text. */
static void expect_stream(unsigned problems, unsigned warnings, const char *text)
{
    buf_reset(&report.text);
    memset(report.counts, 0, sizeof(report.counts));
    check_stream(&report, &config, &config.sources[0], &stream);
    EXPECT(strstr(buf_text(&report.text), text) != NULL);
    EXPECT_U64(report.counts[CHECK_PROBLEM], problems);
    EXPECT_U64(report.counts[CHECK_WARNING], warnings);
}

static void expect_consumer(const struct nats_consumer_info *info, unsigned problems,
                            unsigned warnings, const char *text)
{
    buf_reset(&report.text);
    memset(report.counts, 0, sizeof(report.counts));
    check_consumer(&report, &config, 0, &stream, info);
    EXPECT(strstr(buf_text(&report.text), text) != NULL);
    EXPECT_U64(report.counts[CHECK_PROBLEM], problems);
    EXPECT_U64(report.counts[CHECK_WARNING], warnings);
}

static void finish(void)
{
    config_free(&config);
    buf_free(&report.text);
}

TEST(check_stream_rate_is_an_average)
{
    start();
    EXPECT(check_stream_rate(&stream).events == 10);
    EXPECT(check_stream_rate(&stream).bytes == 1000);
    stream.last_ns = stream.first_ns;
    EXPECT(check_stream_rate(&stream).events == 0);
    stream.last_ns = stream.first_ns + MINUTE - 1; /* a burst */
    EXPECT(check_stream_rate(&stream).events == 0);
    EXPECT(check_stream_rate(&stream).bytes == 0);
    stream.last_ns = stream.first_ns + MINUTE;
    EXPECT(check_stream_rate(&stream).events == 100);
    finish();
}

TEST(check_stream_in_memory)
{
    start();
    stream.memory = true;
    expect_stream(0, 1, "warning  stream S is stored in memory: what varve has not fetched is");
    finish();
}

/* Our clock against that of a server at noon. */
static void expect_clock(int64_t ahead, unsigned warnings, const char *text)
{
    struct nats_stream_info info = {.server_ns = 12 * 60 * MINUTE};
    buf_reset(&report.text);
    memset(report.counts, 0, sizeof(report.counts));
    check_clock(&report, &info, info.server_ns + ahead);
    EXPECT(strstr(buf_text(&report.text), text) != NULL);
    EXPECT_U64(report.counts[CHECK_WARNING], warnings);
}

TEST(check_clocks)
{
    expect_clock(0, 0, "ok       the clocks of the server and of this host agree\n");
    expect_clock(59 * CLOCK_SECOND, 0, "agree");
    expect_clock(-59 * CLOCK_SECOND, 0, "agree");
    expect_clock(90 * CLOCK_SECOND, 1, "this host is 90s ahead of that of the server: ");
    expect_clock(-180 * MINUTE, 1, "this host is 3h behind that of the server: ");
    struct nats_stream_info old = {0};
    buf_reset(&report.text);
    check_clock(&report, &old, 12 * 60 * MINUTE);
    EXPECT_TEXT(buf_text(&report.text), "");
    buf_free(&report.text);
}

TEST(check_stream_without_limits)
{
    start();
    expect_stream(0, 0,
                  "ok       stream S has 6000 events, 585.9 KiB, with sequences 1 to 6000 "
                  "and limits retention\n");
    expect_stream(0, 0, "ok       stream S has no limits");
    finish();
}

TEST(check_stream_max_age)
{
    start();
    stream.max_age_ns = 10 * MINUTE;
    expect_stream(1, 0, "problem  stream S drops events after 10m (max_age)");
    stream.max_age_ns = 30 * MINUTE;
    expect_stream(0, 1, "keeps events for 30m (max_age): varve can be down for 20m");
    stream.max_age_ns = 72 * 60 * MINUTE;
    expect_stream(0, 0, "keeps events for 3d (max_age): varve can be down for 2d");
    finish();
}

TEST(check_stream_max_bytes)
{
    start();
    stream.max_bytes = 500 * 1000; /* 500 s */
    expect_stream(1, 0,
                  "problem  stream S drops events after 8m (max_bytes 488.3 KiB at the rate "
                  "so far)");
    stream.max_bytes = INT64_MAX;
    expect_stream(0, 0, "ok       stream S keeps events for 11574d");
    stream.max_bytes = 500 * 1000;
    stream.discard = NATS_DISCARD_NEW;
    expect_stream(0, 0, "refuses new events when it is full");
    stream.discard = NATS_DISCARD_OLD;
    stream.messages = 1;
    expect_stream(0, 1, "too few, or all of one minute, to tell");
    finish();
}

TEST(check_stream_max_messages)
{
    start();
    stream.max_messages = 6000;
    expect_stream(1, 0, "drops events after 10m (max_msgs 6000 at the rate so far)");
    finish();
}

TEST(check_stream_subjects)
{
    start();
    subject = slice_of("other.>");
    expect_stream(1, 0, "problem  stream S has no subject that matches a.b");
    stream.subject_count = 0; /* a mirror */
    expect_stream(0, 0, "ok");
    finish();
}

TEST(check_stream_position_needs_limits)
{
    start();
    config.sources[0].delivery = CONFIG_POSITION;
    stream.retention = NATS_RETENTION_WORKQUEUE;
    expect_stream(1, 0, "delivery: position never acks");
    finish();
}

/* As varve would have made it. */
static struct nats_consumer_info good_consumer(void)
{
    static struct slice filter;
    filter = slice_of("a.b");
    return (struct nats_consumer_info){
        .config = {.durable = slice_of("varve"),
                   .ack = NATS_ACK_EXPLICIT,
                   .ack_wait_ns = config_ack_wait(&config),
                   .max_ack_pending = (int64_t)config_max_ack_pending(&config),
                   .max_deliver = -1,
                   .filters = &filter,
                   .filter_count = 1},
        .pending = 100,
    };
}

TEST(check_consumer_that_fits)
{
    start();
    struct nats_consumer_info info = good_consumer();
    expect_consumer(&info, 0, 0,
                    "ok       consumer varve of stream S fits the batching: ack_wait "
                    "is 10m, max_ack_pending is 565536\n");
    expect_consumer(&info, 0, 0, "100 events wait to be delivered, 0 to be acked\n");
    finish();
}

TEST(check_consumer_that_contradicts)
{
    start();
    struct nats_consumer_info info = good_consumer();
    info.config.ack_wait_ns = 30 * CLOCK_SECOND;
    expect_consumer(&info, 1, 0, "contradicts the configuration: ack_wait is 30s, want 10m");
    config.consumer.manage = CONFIG_MANAGE_UPDATE;
    expect_consumer(&info, 0, 1, "varve run will change consumer varve of stream S: ack_wait");
    info.config.ack = NATS_ACK_NONE; /* no update can change that */
    expect_consumer(&info, 1, 0, "ack_policy is none");
    finish();
}

TEST(check_consumer_state)
{
    start();
    struct nats_consumer_info info = good_consumer();
    info.ack_pending = config_max_ack_pending(&config);
    expect_consumer(&info, 1, 0, "the most it may have");
    info.ack_pending = 0;
    info.paused = true;
    expect_consumer(&info, 1, 0, "is paused");
    info.paused = false;
    stream.max_age_ns = 20 * MINUTE;
    info.pending = 6001; /* ten minutes at ten a second */
    expect_consumer(&info, 1, 0, "is about 10m behind");
    info.pending = 5999;
    expect_consumer(&info, 0, 0, "");
    finish();
}

TEST(check_consumer_missing)
{
    start();
    expect_consumer(NULL, 0, 0, "does not exist; varve run will create it\n");
    stream.retention = NATS_RETENTION_INTEREST;
    expect_consumer(NULL, 0, 1, "keeps nothing for it (interest retention)");
    config.consumer.manage = CONFIG_MANAGE_BIND;
    expect_consumer(NULL, 1, 0, "consumer.manage: bind does not create it");
    finish();
}

TEST(check_consumer_limit_of_the_stream)
{
    start();
    stream.consumer_max_ack_pending = 1000;
    expect_consumer(NULL, 1, 0,
                    "allows its consumers 1000 unacked events, and "
                    "batching.max_rows needs 565536");
    finish();
}

static void expect_writes(struct check_rate rate, const char *text)
{
    buf_reset(&report.text);
    check_writes(&report, &config, rate);
    EXPECT(strstr(buf_text(&report.text), text) != NULL);
}

TEST(check_writes_of_a_day)
{
    const double mib = 1024 * 1024;
    struct err err = {0};
    start();
    /* 86,400 MiB; a commit a minute, each with 24 KiB for a file. */
    expect_writes((struct check_rate){10, mib}, "84.4 GiB, the events before compression, in up to "
                                                "1440 commits; each simulation that has events in "
                                                "all of them adds 33.8 MiB");
    /* Full at 64 MiB before it is old. */
    EXPECT(config_set(&config, "batching.max_age=600s", &err) == 0);
    expect_writes((struct check_rate){10, mib}, "up to 1350 commits");
    expect_writes((struct check_rate){10, 1}, "up to 144 commits");
    expect_writes((struct check_rate){2500, 1}, "up to 864 commits");
    finish();
}

/* Another consumer of a work queue, with these filters; NULL: none. */
static void expect_overlap(const char *name, const char *first, const char *second,
                           unsigned problems, const char *text)
{
    struct slice filters[] = {slice_of(first != NULL ? first : ""),
                              slice_of(second != NULL ? second : "")};
    struct nats_consumer_info other = {
        .name = slice_of(name),
        .config = {.filters = filters, .filter_count = second != NULL ? 2 : first != NULL},
    };
    buf_reset(&report.text);
    memset(report.counts, 0, sizeof(report.counts));
    check_overlap(&report, &config.sources[0], &other);
    EXPECT(strstr(buf_text(&report.text), text) != NULL);
    EXPECT_U64(report.counts[CHECK_PROBLEM], problems);
}

TEST(check_overlap_on_a_work_queue)
{
    start();
    expect_overlap("other", "a.b", NULL, 1,
                   "problem  stream S is a work queue, with one consumer for each subject, and its "
                   "consumer other takes a.b: consumer varve can't take a.b as well; delete the "
                   "other consumer");
    expect_overlap("other", "a.*", NULL, 1, "consumer other takes a.*: ");
    expect_overlap("other", "x", "a.>", 1, "consumer other takes a.>: ");
    expect_overlap("other", NULL, NULL, 1, "consumer other takes >: ");
    expect_overlap("other", "a.c", "a.b.c", 0, "");
    expect_overlap("other", "a", "*", 0, "");
    expect_overlap("varve", "a.b", NULL, 0, ""); /* our own */
    finish();
}

/* SPDX-License-Identifier: MIT */
#include "follow/publisher_part.h"

#include "test.h"

#define CREATED "2026-11-28T00:00:00Z"
#define HASH "a529f73e334e" /* sha256sum of LOGGING/CREATED */

static const struct publisher_options options = {.subject = "replay.>", .mark = "feed"};

static void begin(struct publisher *p)
{
    *p = (struct publisher){
        .options = &options, .base = 70, .stream = "S", .run = "RUN", .batch_token = "TOKEN"};
}

static bool make(struct publisher *p, struct publisher_message *m, const char *stream,
                 const char *subject, const char *headers, uint64_t sequence)
{
    struct slice values[EVENT_COLUMNS] = {0};
    values[EVENT_COLUMN_NATS_SUBJECT] = slice_of(subject);
    values[EVENT_COLUMN_HEADERS] = slice_of(headers);
    const struct follow_event row = {stream, CREATED, sequence, values};
    return publisher_make(p, m, &row);
}

static void expect_head(struct publisher *p, const struct publisher_message *m, bool batched,
                        bool complete, const char *ours)
{
    struct buf text = {0};
    publisher_head(p, m, batched, complete);
    buf_printf(&text,
               "NATS/1.0\r\nNats-Msg-Id: RUN/" HASH "/9\r\n%sVarve-Replay: feed\r\n"
               "Varve-Row: LOGGING/" CREATED "/9\r\nVarve-Nats-Rollup: all\r\nA: b\r\n\r\n",
               ours);
    EXPECT_BYTES(p->header.data, p->header.len, text.data, text.len);
    EXPECT(p->header.len + m->payload.len <= publisher_most(p, m));
    buf_free(&text);
}

TEST(follow_publisher_says_what_has_to_be_in_front)
{
    static const char stored[] = "NATS/1.0\r\nNats-Rollup: all\r\nA: b\r\n\r\n";
    static struct publisher p;
    begin(&p);
    EXPECT(make(&p, &p.messages[0], "LOGGING", "a.b", stored, 9));
    EXPECT_BYTES(p.messages[0].subject.data, p.messages[0].subject.len, "replay.a.b", 10);
    expect_head(&p, &p.messages[0], false, false,
                "Nats-Expected-Stream: S\r\nNats-Expected-Last-Sequence: 70\r\n");
    p.sent = 3;
    buf_append_text(&p.previous, "RUN/h/8");
    expect_head(&p, &p.messages[0], false, false, "Nats-Expected-Last-Msg-Id: RUN/h/8\r\n");
    p.single = true;
    expect_head(&p, &p.messages[0], false, false, "Nats-Expected-Stream: S\r\n");
    p.single = false;
    /* In a batch only the first one may, and none may by an id. */
    p.batch = 5;
    expect_head(&p, &p.messages[0], true, false,
                "Nats-Expected-Stream: S\r\nNats-Expected-Last-Sequence: 73\r\n"
                "Nats-Batch-Id: TOKEN.5\r\nNats-Batch-Sequence: 1\r\n");
    p.in_batch = 1;
    p.sent = 4;
    expect_head(&p, &p.messages[0], true, false,
                "Nats-Batch-Id: TOKEN.5\r\nNats-Batch-Sequence: 2\r\n");
    p.in_batch = 999;
    expect_head(&p, &p.messages[0], true, true,
                "Nats-Batch-Id: TOKEN.5\r\nNats-Batch-Sequence: 1000\r\nNats-Batch-Commit: 1\r\n");
    publisher_free(&p);
}

/* A file may say anything of where its rows are from. */
TEST(follow_publisher_gives_no_order_that_a_file_gives)
{
    static struct publisher p;
    struct nats_header header;
    struct slice value;
    begin(&p);
    EXPECT(!make(&p, &p.messages[0], "A", "a b", "", 1));
    EXPECT(!make(&p, &p.messages[0], "A", "a.*", "", 1));
    EXPECT(make(&p, &p.messages[0], "A\r\nNats-Rollup: all", "a", "", 1));
    publisher_head(&p, &p.messages[0], false, false);
    EXPECT(nats_header_parse(buf_slice(&p.header), &header));
    EXPECT(!nats_header_get(&header, "Nats-Rollup", &value));
    EXPECT(nats_header_get(&header, PUBLISHER_ROW, &value));
    EXPECT(slice_is(value, "A  Nats-Rollup: all/" CREATED "/1"));
    publisher_free(&p);
}

/* What is held is on its way; rows of another generation have ids of their own. */
TEST(follow_publisher_tells_how_far_it_is)
{
    static struct publisher p;
    struct slice generation;
    uint64_t sequence;
    begin(&p);
    EXPECT(!publisher_place(&p, &generation, &sequence));
    buf_append_text(&p.place, "A/B/" CREATED "/12"); /* a stream has no '/', a file may say so */
    EXPECT(publisher_place(&p, &generation, &sequence) && sequence == 12);
    EXPECT(slice_is(generation, "A/B/" CREATED));
    EXPECT(make(&p, &p.messages[1], "LOGGING", "a", "", 13));
    p.current = 1;
    p.held = true;
    EXPECT(publisher_place(&p, &generation, &sequence) && sequence == 13);
    EXPECT(slice_is(generation, "LOGGING/" CREATED));
    EXPECT(make(&p, &p.messages[0], "OTHER", "a", "", 13));
    EXPECT(!slice_equal(buf_slice(&p.messages[0].id), buf_slice(&p.messages[1].id)));
    publisher_free(&p);
}

static bool want_all(void *context, struct slice generation, uint64_t sequence)
{
    (void)context;
    (void)generation;
    (void)sequence;
    return true;
}

/* The stream may have hundreds of thousands of messages to go back through: it asks for none. */
TEST(follow_publisher_goes_back_until_it_is_time_to_end)
{
    static struct publisher p;
    static const atomic_bool stop = true;
    static const struct publisher_options stopped = {.subject = "replay.>", .stop = &stop};
    struct err err = {0};
    begin(&p);
    p.options = &stopped;
    EXPECT(publisher_each_back(&p, 100, want_all, NULL, &err) != 0);
    EXPECT(err.code == ERR_REFUSED);
    EXPECT_TEXT(err.text, "it is time to end");
    publisher_free(&p);
}

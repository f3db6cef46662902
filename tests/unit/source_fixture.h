/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_UNIT_SOURCE_FIXTURE_H
#define VARVE_TESTS_UNIT_SOURCE_FIXTURE_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "drain/source_step.h"
#include "test.h"

/*
 * A source and a client whose output is read instead of sent: the test is the server. Its stream is
 * S with subject "e", created at STAGE_CREATED, and its consumer c. Log lines go to a file.
 */
#define STAGE_CREATED "2026-01-01T00:00:00Z"
#define STAGE_TIME INT64_C(1767225600000000000) /* the same, in ns */

struct stage {
    struct config config;
    struct positions stored;
    struct nats_options options;
    struct nats_client client;
    struct source source;
    int64_t now;
    const char *first_time; /* when it says that its first message was stored; NULL: nothing */
    uint64_t replicas;      /* of the stream */
    uint64_t deleted;       /* what the stream says of messages that are gone from its middle */
    enum ledger_verdict verdict; /* of the message that was delivered last */
    char reply[256];             /* where the answer to the question last asked goes */
    size_t asked_at;             /* how much of the output was read for questions */
    int log;
};

static inline void stage_event(struct stage *s, const struct nats_event *event)
{
    if (event->kind == NATS_EVENT_MESSAGE)
        s->verdict = source_receive(&s->source, &s->client, event, s->now);
    else if (event->kind == NATS_EVENT_STATUS)
        source_status(&s->source, &s->client, event, s->now);
    else if (event->kind == NATS_EVENT_REPLY)
        EXPECT(source_reply(&s->source, &s->client, event, s->now));
}

/* Bytes from the server. */
static inline void stage_receive(struct stage *s, const char *text)
{
    struct nats_event event;
    struct err err = {0};
    size_t len = strlen(text);
    struct nats_space space = nats_client_space(&s->client);
    EXPECT(len <= space.len);
    memcpy(space.data, text, len);
    nats_client_received(&s->client, len, s->now);
    int got;
    while ((got = nats_client_next(&s->client, s->now, &event, &err)) > 0)
        stage_event(s, &event);
    EXPECT(got == 0);
}

/* Time passes; the connection stays fine. */
static inline int64_t stage_tick(struct stage *s, int64_t ns)
{
    struct nats_event event;
    struct err err = {0};
    s->now += ns;
    s->client.session.last_received = s->now;
    while (nats_client_next(&s->client, s->now, &event, &err) > 0)
        stage_event(s, &event);
    return source_tick(&s->source, &s->client, s->now);
}

static inline void stage_open(struct stage *s, enum config_delivery delivery)
{
    static const uint64_t key[2] = {1, 2};
    struct err err = {0};
    *s = (struct stage){.options = {.name = "test", .version = "0", .random_key = {1, 2}}};
    s->now = CLOCK_SECOND;
    s->log = open("log", O_CREAT | O_RDWR | O_TRUNC, 0600);
    EXPECT(s->log >= 0 && dup2(s->log, STDERR_FILENO) >= 0);
    config_init(&s->config);
    EXPECT(config_set(&s->config, "sources[0].stream=S", &err) == 0);
    EXPECT(config_set(&s->config, "sources[0].subjects=e", &err) == 0);
    EXPECT(config_set(&s->config, "sources[0].consumer=c", &err) == 0);
    EXPECT(config_set(&s->config,
                      delivery == CONFIG_DURABLE ? "sources[0].delivery=durable"
                                                 : "sources[0].delivery=position",
                      &err) == 0);
    EXPECT(config_finish(&s->config, &err) == 0);
    source_init(&s->source, &s->config, 0, &s->stored, false, key);
    source_set_limits(&s->source, 1 << 20, 1 << 20, 1 << 20);
    nats_client_start(&s->client, &s->options, s->now);
    stage_receive(s, "INFO {\"headers\":true,\"max_payload\":1000000,\"proto\":1}\r\nPONG\r\n");
    EXPECT(nats_client_is_ready(&s->client));
    buf_reset(&s->client.out);
}

static inline void stage_close(struct stage *s)
{
    source_free(&s->source);
    nats_client_free(&s->client);
    positions_free(&s->stored);
    config_free(&s->config);
}

/* The source has asked the API `call`, such as "STREAM.INFO.S": in what it wrote since the question
 * before. */
static inline void stage_expect_question(struct stage *s, const char *call)
{
    char line[256];
    (void)snprintf(line, sizeof(line), "PUB $JS.API.%s ", call);
    const char *found = strstr(buf_text(&s->client.out) + s->asked_at, line);
    if (found == NULL)
        EXPECT_TEXT(buf_text(&s->client.out) + s->asked_at, line);
    found += strlen(line);
    (void)snprintf(s->reply, sizeof(s->reply), "%.*s", (int)strcspn(found, " "), found);
    s->asked_at = s->client.out.len;
}

static inline void stage_answer(struct stage *s, const char *json)
{
    char message[2048];
    (void)snprintf(message, sizeof(message), "MSG %s %llu %zu\r\n%s\r\n", s->reply,
                   (unsigned long long)s->client.reply_sid, strlen(json), json);
    stage_receive(s, message);
}

static inline void stage_answer_status(struct stage *s, const char *status)
{
    char block[256], message[1024];
    (void)snprintf(block, sizeof(block), "NATS/1.0 %s\r\n\r\n", status);
    (void)snprintf(message, sizeof(message), "HMSG %s %llu %zu %zu\r\n%s\r\n", s->reply,
                   (unsigned long long)s->client.reply_sid, strlen(block), strlen(block), block);
    stage_receive(s, message);
}

static inline void stage_answer_stream(struct stage *s, const char *created, uint64_t first,
                                       uint64_t last)
{
    char json[512];
    (void)snprintf(
        json, sizeof(json),
        "{\"config\":{\"name\":\"S\",\"subjects\":[\"e\"],\"retention\":\"limits\","
        "\"num_replicas\":%llu},\"created\":\"%s\",\"state\":{\"messages\":%llu,\"first_seq\":%llu,"
        "\"first_ts\":\"%s\",\"last_seq\":%llu,\"num_deleted\":%llu}}",
        (unsigned long long)s->replicas, created, (unsigned long long)(last + 1 - first),
        (unsigned long long)first, s->first_time == NULL ? "0001-01-01T00:00:00Z" : s->first_time,
        (unsigned long long)last, (unsigned long long)s->deleted);
    stage_answer(s, json);
}

/* The message with this sequence, as STREAM.MSG.GET answers. */
static inline void stage_answer_message(struct stage *s, uint64_t sequence, const char *time)
{
    char json[256];
    (void)snprintf(json, sizeof(json),
                   "{\"message\":{\"subject\":\"e\",\"seq\":%llu,\"data\":\"\",\"time\":\"%s\"}}",
                   (unsigned long long)sequence, time);
    stage_answer(s, json);
}

/* What a server says of the consumer; numbers as in its replies. */
struct stage_consumer {
    uint64_t delivered, delivered_stream, floor, ack_pending, waiting, pending;
    const char *more; /* of its configuration, begun with a comma; NULL: nothing */
};

static inline void stage_answer_consumer(struct stage *s, struct stage_consumer c)
{
    char json[1024];
    bool durable = s->source.settings->delivery == CONFIG_DURABLE;
    (void)snprintf(
        json, sizeof(json),
        "{\"stream_name\":\"S\",\"name\":\"%s\",\"config\":{\"durable_name\":\"%s\","
        "\"deliver_policy\":\"%s\",%s\"ack_policy\":\"%s\",\"ack_wait\":%lld,"
        "\"max_deliver\":-1,\"max_ack_pending\":%lld,\"num_replicas\":1,\"mem_storage\":true,"
        "\"inactive_threshold\":120000000000%s%s},"
        "\"delivered\":{\"consumer_seq\":%llu,\"stream_seq\":%llu},"
        "\"ack_floor\":{\"consumer_seq\":%llu,\"stream_seq\":%llu},\"num_ack_pending\":%llu,"
        "\"num_waiting\":%llu,\"num_pending\":%llu}",
        buf_text(&s->source.consumer), durable ? "c" : "",
        durable || ledger_taken_position(&s->source.generation.ledger) == 0 ? "all"
                                                                            : "by_start_sequence",
        durable ? "\"filter_subject\":\"e\"," : "", durable ? "explicit" : "none",
        (long long)config_ack_wait(&s->config), (long long)config_max_ack_pending(&s->config),
        durable || ledger_taken_position(&s->source.generation.ledger) == 0
            ? ""
            : ",\"opt_start_seq\":1",
        c.more == NULL ? "" : c.more, (unsigned long long)c.delivered,
        (unsigned long long)c.delivered_stream, (unsigned long long)c.floor,
        (unsigned long long)c.floor, (unsigned long long)c.ack_pending,
        (unsigned long long)c.waiting, (unsigned long long)c.pending);
    stage_answer(s, json);
}

/* The consumer has answered: the stream is asked once more, and is the same. */
static inline void stage_confirm(struct stage *s, uint64_t last_seq)
{
    EXPECT_I64(s->source.state, SOURCE_CONFIRM);
    stage_expect_question(s, "STREAM.INFO.S");
    stage_answer_stream(s, STAGE_CREATED, 1, last_seq);
}

/* From the start to a first pull. */
static inline void stage_pull(struct stage *s, uint64_t last_seq, struct stage_consumer c)
{
    source_connected(&s->source, &s->client, s->now);
    stage_expect_question(s, "STREAM.INFO.S");
    stage_answer_stream(s, STAGE_CREATED, 1, last_seq);
    if (s->source.settings->delivery == CONFIG_DURABLE)
        stage_expect_question(s, "CONSUMER.INFO.S.c");
    else
        (void)snprintf(s->reply, sizeof(s->reply), "%s",
                       strstr(buf_text(&s->client.out) + s->asked_at, "_INBOX."));
    s->reply[strcspn(s->reply, " ")] = '\0';
    stage_answer_consumer(s, c);
    stage_confirm(s, last_seq);
    EXPECT_I64(s->source.state, SOURCE_PULLING);
    s->asked_at = s->client.out.len;
    (void)stage_tick(s, 1);
    EXPECT(nats_pull_is_live(&s->source.pull));
}

/* A message to the source's first pull, stored `sequence` seconds after the stream was made. */
static inline void stage_deliver_of(struct stage *s, const char *subject, uint64_t sequence,
                                    uint64_t consumer_seq, uint64_t delivered)
{
    char message[512];
    (void)snprintf(message, sizeof(message),
                   "MSG %s %llu $JS.ACK.S.%s.%llu.%llu.%llu.%lld.0 1\r\nx\r\n", subject,
                   (unsigned long long)s->source.pull.slots[0].sid, buf_text(&s->source.consumer),
                   (unsigned long long)delivered, (unsigned long long)sequence,
                   (unsigned long long)consumer_seq,
                   (long long)(STAGE_TIME + (int64_t)sequence * CLOCK_SECOND));
    stage_receive(s, message);
}

static inline void stage_deliver(struct stage *s, uint64_t sequence, uint64_t consumer_seq,
                                 uint64_t delivered)
{
    stage_deliver_of(s, "e", sequence, consumer_seq, delivered);
}

/* The same of one that had a body before the server left it out. */
static inline void stage_deliver_stripped(struct stage *s, uint64_t sequence, uint64_t consumer_seq,
                                          uint64_t delivered)
{
    static const char block[] = "NATS/1.0\r\nNats-Msg-Size: 17\r\n\r\n";
    char message[512];
    (void)snprintf(message, sizeof(message),
                   "HMSG e %llu $JS.ACK.S.c.%llu.%llu.%llu.%lld.0 %zu %zu\r\n%s\r\n",
                   (unsigned long long)s->source.pull.slots[0].sid, (unsigned long long)delivered,
                   (unsigned long long)sequence, (unsigned long long)consumer_seq,
                   (long long)(STAGE_TIME + (int64_t)sequence * CLOCK_SECOND), strlen(block),
                   strlen(block), block);
    stage_receive(s, message);
}

/* A status to the source's first pull. */
static inline void stage_status(struct stage *s, const char *first_line, const char *more)
{
    char block[256], message[768];
    const struct nats_pull *p = &s->source.pull;
    (void)snprintf(block, sizeof(block), "NATS/1.0 %s\r\n%s\r\n", first_line, more);
    (void)snprintf(message, sizeof(message), "HMSG %.*s0.%llu %llu %zu %zu\r\n%s\r\n",
                   (int)p->inbox.len, (const char *)p->inbox.data,
                   (unsigned long long)p->slots[0].token, (unsigned long long)p->slots[0].sid,
                   strlen(block), strlen(block), block);
    stage_receive(s, message);
}

/* True if a log line has this text. */
static inline bool stage_logged(struct stage *s, const char *text)
{
    static char lines[64 * 1024];
    ssize_t len = pread(s->log, lines, sizeof(lines) - 1, 0);
    EXPECT(len >= 0);
    lines[len] = '\0';
    return strstr(lines, text) != NULL;
}

/* How often a piece of text stands in the output. */
static inline int stage_count(struct stage *s, const char *text)
{
    int count = 0;
    for (const char *at = buf_text(&s->client.out); (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

#endif

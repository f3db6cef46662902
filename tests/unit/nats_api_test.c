/* SPDX-License-Identifier: MIT */
#include "nats/api.h"

#include <stdio.h>

#include "test.h"

static void expect_subject(const char *prefix, const char *call, const char *stream,
                           const char *consumer, const char *expected)
{
    struct buf out = {0};
    nats_api_subject(&out, prefix, call, stream, consumer);
    EXPECT_TEXT(buf_text(&out), expected);
    buf_free(&out);
}

TEST(nats_api_subjects)
{
    expect_subject(NATS_API_PREFIX, "INFO", NULL, NULL, "$JS.API.INFO");
    expect_subject("$JS.hub.API", "STREAM.INFO", "S", NULL, "$JS.hub.API.STREAM.INFO.S");
    expect_subject("my.js", "CONSUMER.MSG.NEXT", "S", "C", "my.js.CONSUMER.MSG.NEXT.S.C");
}

TEST(nats_api_of_a_domain)
{
    struct buf prefix = {0};
    nats_api_domain_prefix(&prefix, "hub");
    expect_subject(buf_text(&prefix), "CONSUMER.INFO", "S", "C", "$JS.hub.API.CONSUMER.INFO.S.C");
    buf_free(&prefix);
}

TEST(nats_api_reply_that_is_one)
{
    struct arena arena = {0};
    struct nats_api_error error;
    struct err err = {0};
    const struct json *root =
        nats_api_reply(slice_of("{\"type\":\"t\",\"error\":null,\"x\":1}"), &arena, &error, &err);
    EXPECT(root != NULL && json_member(root, "x") != NULL);
    EXPECT_U64(error.status, 0);
    arena_free(&arena);
}

TEST(nats_api_reply_with_an_error)
{
    struct arena arena = {0};
    struct nats_api_error error;
    struct err err = {0};
    EXPECT(nats_api_reply(slice_of("{\"type\":\"io.nats.jetstream.api.v1.stream_info_response\","
                                   "\"error\":{\"code\":404,\"err_code\":10059,"
                                   "\"description\":\"stream not found\"}}"),
                          &arena, &error, &err) == NULL);
    EXPECT_U64(error.status, 404);
    EXPECT_U64(error.code, 10059);
    EXPECT_I64(error.meaning, NATS_MEANING_NO_STREAM);
    EXPECT(err.code == ERR_REFUSED);
    EXPECT_TEXT(err.text, "JetStream says: stream not found (404/10059)");
    arena_free(&arena);
}

TEST(nats_api_reply_with_an_odd_error_is_still_an_error)
{
    const char *const replies[] = {"{\"error\":{}}", "{\"error\":\"no\"}",
                                   "{\"error\":{\"code\":0,\"err_code\":-1}}",
                                   "{\"error\":{\"code\":99999999999,\"err_code\":99999999999}}"};
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        struct arena arena = {0};
        struct nats_api_error error;
        struct err err = {0};
        EXPECT(nats_api_reply(slice_of(replies[i]), &arena, &error, &err) == NULL);
        EXPECT(error.status != 0 && err.code == ERR_REFUSED);
        EXPECT_I64(error.meaning, NATS_MEANING_OTHER);
        EXPECT_U64(error.code, 0);
        arena_free(&arena);
    }
}

TEST(nats_api_reply_that_is_garbage)
{
    const char *const replies[] = {"", "[]", "{", "null", "{\"a\":1}{", "\xff"};
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        struct arena arena = {0};
        struct nats_api_error error;
        struct err err = {0};
        EXPECT(nats_api_reply(slice_of(replies[i]), &arena, &error, &err) == NULL);
        EXPECT(error.status == 0 && err.code == ERR_PROTOCOL);
        arena_free(&arena);
    }
}

/* The table of nats.md section 3.5, line by line. */
TEST(nats_api_meaning_of_every_code)
{
    static const struct {
        enum nats_api_meaning meaning;
        uint32_t codes[12];
    } rows[] = {
        {NATS_MEANING_NO_STREAM, {10059}},
        {NATS_MEANING_NO_CONSUMER, {10014, 10149}},
        {NATS_MEANING_EXISTS, {10148, 10013, 10058, 10105}},
        {NATS_MEANING_RESOURCES, {10026, 10027, 10002, 10023, 10028, 10047, 10077, 10104}},
        {NATS_MEANING_RETRY, {10008, 10009, 10004, 10007, 10118, 10119, 10194, 10195}},
        {NATS_MEANING_DISABLED, {10039, 10076}},
        {NATS_MEANING_OVERLAP, {10099, 10100}},
        {NATS_MEANING_REQUEST, {10012, 10025, 10003, 10056, 10131, 10137, 10138, 10139, 10093}},
        {NATS_MEANING_NO_MESSAGE, {10037}},
        {NATS_MEANING_OTHER, {1, 10000, 99999}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t k = 0; rows[i].codes[k] != 0; k++)
            EXPECT_I64(nats_api_meaning(rows[i].codes[k]), rows[i].meaning);
}

/* One code for all that can be wrong: a varve whose consumer another one was making anew, at the
 * same moment, gave up. */
TEST(nats_api_why_no_consumer_was_made)
{
    static const struct {
        const char *text;
        enum nats_api_meaning meaning;
    } cases[] = {
        {"error creating store for consumer", NATS_MEANING_RESOURCES},
        {"error creating store for consumer: no space left on device", NATS_MEANING_RESOURCES},
        {"deliver policy can not be updated", NATS_MEANING_EXISTS},
        {"consumer max deliver is needed", NATS_MEANING_REQUEST},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct nats_api_error error;
        struct arena arena = {0};
        struct err err = {0};
        char json[256];
        (void)snprintf(json, sizeof(json),
                       "{\"error\":{\"code\":500,\"err_code\":10012,\"description\":\"%s\"}}",
                       cases[i].text);
        EXPECT(nats_api_reply(slice_of(json), &arena, &error, &err) == NULL);
        EXPECT_I64(error.meaning, cases[i].meaning);
        arena_free(&arena);
    }
}

static int pub_ack(const char *json, struct nats_pub_ack *ack, struct nats_api_error *error,
                   struct err *err)
{
    static struct arena arena;
    arena_reset(&arena);
    return nats_pub_ack_parse(slice_of(json), &arena, ack, error, err);
}

TEST(nats_api_pub_ack)
{
    struct nats_pub_ack ack;
    struct nats_api_error error;
    struct err err = {0};
    EXPECT_I64(pub_ack("{\"stream\":\"DLQ\",\"seq\":9007199254740993,\"domain\":\"hub\"}", &ack,
                       &error, &err),
               0);
    EXPECT(slice_is(ack.stream, "DLQ") && !ack.duplicate);
    EXPECT_U64(ack.sequence, UINT64_C(9007199254740993));
    EXPECT_I64(pub_ack("{\"stream\":\"DLQ\",\"seq\":7,\"duplicate\":true}", &ack, &error, &err), 0);
    EXPECT(ack.duplicate);
    EXPECT_I64(pub_ack("{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"full\"},"
                       "\"stream\":\"DLQ\",\"seq\":0}",
                       &ack, &error, &err),
               -1);
    EXPECT(error.meaning == NATS_MEANING_RESOURCES);
    const char *const bad[] = {"{}", "{\"stream\":\"S\"}", "{\"stream\":\"S\",\"seq\":0}",
                               "{\"stream\":1,\"seq\":1}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err_clear(&err);
        EXPECT_I64(pub_ack(bad[i], &ack, &error, &err), -1);
        EXPECT(err.code == ERR_PROTOCOL);
    }
}

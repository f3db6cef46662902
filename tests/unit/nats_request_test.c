/* SPDX-License-Identifier: MIT */
#include "nats/client.h"

#include "test.h"

static struct nats_random rnd = {.key = {1, 2}};

TEST(nats_request_finishes_once)
{
    struct nats_requests r = {0};
    struct slice token;
    uint64_t id = nats_request_begin(&r, &rnd, 100, &token);
    char copy[NATS_TOKEN_LEN + 1] = {0};
    memcpy(copy, token.data, token.len);
    EXPECT(id != 0);
    EXPECT_U64(token.len, 22);
    EXPECT_U64(nats_request_finish(&r, slice_of(copy)), id);
    EXPECT_U64(nats_request_finish(&r, slice_of(copy)), 0); /* a second reply */
    EXPECT_I64(nats_request_deadline(&r), INT64_MAX);
}

TEST(nats_request_late_reply_is_ignored)
{
    struct nats_requests r = {0};
    struct slice token;
    uint64_t id = nats_request_begin(&r, &rnd, 100, &token);
    char copy[NATS_TOKEN_LEN + 1] = {0};
    memcpy(copy, token.data, token.len);
    EXPECT_U64(nats_request_expire(&r, 99), 0);
    EXPECT_U64(nats_request_expire(&r, 100), id);
    EXPECT_U64(nats_request_expire(&r, 100), 0);
    /* the entry is used again, and still the old token means nothing */
    uint64_t second = nats_request_begin(&r, &rnd, 200, &token);
    EXPECT(second != id);
    EXPECT_U64(nats_request_finish(&r, slice_of(copy)), 0);
    EXPECT_U64(nats_request_finish(&r, token), second);
}

TEST(nats_request_ignores_tokens_of_nobody)
{
    struct nats_requests r = {0};
    struct slice token;
    EXPECT(nats_request_begin(&r, &rnd, 100, &token) != 0);
    EXPECT_U64(nats_request_finish(&r, slice_of("")), 0);
    EXPECT_U64(nats_request_finish(&r, (struct slice){0}), 0);
    EXPECT_U64(nats_request_finish(&r, slice_of("0000000000000000000000")), 0);
    EXPECT_U64(nats_request_finish(&r, (struct slice){token.data, 21}), 0);
}

TEST(nats_request_table_is_bounded)
{
    struct nats_requests r = {0};
    struct slice token;
    uint64_t first = nats_request_begin(&r, &rnd, 1, &token);
    for (int i = 1; i < NATS_REQUESTS_MAX; i++)
        EXPECT(nats_request_begin(&r, &rnd, 50 + i, &token) != 0);
    EXPECT_U64(nats_request_begin(&r, &rnd, 100, &token), 0);
    EXPECT_I64(nats_request_deadline(&r), 1);
    nats_request_cancel(&r, first);
    nats_request_cancel(&r, first);
    nats_request_cancel(&r, 0);
    EXPECT_I64(nats_request_deadline(&r), 51);
    EXPECT(nats_request_begin(&r, &rnd, 100, &token) != 0);
    nats_request_reset(&r);
    EXPECT_I64(nats_request_deadline(&r), INT64_MAX);
    EXPECT(nats_request_begin(&r, &rnd, 100, &token) > NATS_REQUESTS_MAX); /* ids go on */
}

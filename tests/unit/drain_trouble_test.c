/* SPDX-License-Identifier: MIT */
#include "drain/trouble.h"

#include <stdlib.h>

#include "base/clock.h"
#include "test.h"

#define NOW (1795000000 * CLOCK_SECOND)

static void expect_told(struct login *l, const char *said, enum trouble trouble, const char *told)
{
    struct nats_server_error error = nats_error_classify(slice_of(said));
    struct buf out = {0};
    trouble_describe(l, &error, false, NOW, &out);
    EXPECT_TEXT(buf_text(&out), told);
    EXPECT_U64(trouble_of(l, error.kind, NOW), trouble);
    buf_free(&out);
}

#define REFUSED "it was reached and refused the login (Authorization Violation): "

/* All that a server says at a login is the same; what we know of ourselves tells them apart. */
TEST(trouble_authorization_violation)
{
    struct login l = {.way = LOGIN_NONE};
    const char *said = "Authorization Violation";
    expect_told(&l, said, TROUBLE_LOGIN_REFUSED,
                REFUSED "it wants to know who we are: set nats.credentials_file, "
                        "nats.nkey_seed_file, nats.user or nats.token");
    l.way = LOGIN_URL;
    expect_told(&l, said, TROUBLE_LOGIN_REFUSED,
                REFUSED "check the user, password or token in the URL in nats.servers");
    l.way = LOGIN_TOKEN;
    expect_told(&l, said, TROUBLE_LOGIN_REFUSED, REFUSED "check nats.token");
    l.way = LOGIN_CREDENTIALS;
    l.jwt.expires = NOW / CLOCK_SECOND;
    expect_told(&l, said, TROUBLE_LOGIN_EXPIRED,
                REFUSED "the JWT in nats.credentials_file expired at 2026-11-18T11:06:40Z: renew "
                        "it");
    l.jwt.expires++;
    l.jwt.not_before = NOW / CLOCK_SECOND + 1;
    expect_told(&l, said, TROUBLE_LOGIN_REFUSED,
                REFUSED "the JWT in nats.credentials_file is not valid before "
                        "2026-11-18T11:06:41Z");
}

TEST(trouble_each_refusal)
{
    struct login l = {.way = LOGIN_CREDENTIALS};
#define TOLD(said, why) "it was reached and refused the login (" said "): " why
    expect_told(&l, "Account Authentication Expired", TROUBLE_LOGIN_EXPIRED,
                TOLD("Account Authentication Expired",
                     "its JWT ran out: renew nats.credentials_file, or the account"));
    expect_told(&l, "User Authentication Revoked", TROUBLE_LOGIN_REVOKED,
                TOLD("User Authentication Revoked",
                     "the user was revoked: set nats.credentials_file to another one's"));
    expect_told(&l, "Authentication Timeout", TROUBLE_LOGIN_TIMEOUT,
                TOLD("Authentication Timeout",
                     "the login took too long: the network or one of the hosts is slow; "
                     "authorization.timeout on the server is how long it waits"));
    expect_told(&l, "maximum connections exceeded", TROUBLE_TOO_MANY,
                TOLD("maximum connections exceeded",
                     "no connection is free: close others, or raise the limit of the account or "
                     "of the server (max_connections)"));
    expect_told(&l, "attempted to connect to route port", TROUBLE_SERVER,
                TOLD("attempted to connect to route port",
                     "it is a port for other servers: set nats.servers to that for clients"));
    expect_told(&l, "something new", TROUBLE_SERVER,
                "it was reached and refused the login (something new)");
    expect_told(&l, "a\tb\x1b[1m\xff", TROUBLE_SERVER,
                "it was reached and refused the login (a?b?[1m?)");
}

TEST(trouble_lists_each_server)
{
    static const uint64_t key[2] = {1, 2};
    struct nats_pool pool;
    struct buf out = {0};
    struct err err = {0};
    nats_pool_init(&pool, key);
    for (int i = 0; i < TROUBLE_SERVERS_SHOWN + 3; i++) {
        buf_reset(&out);
        buf_printf(&out, "nats://h%d:1", i);
        EXPECT(nats_pool_add(&pool, buf_slice(&out), &err) == 0);
    }
    buf_reset(&out);
    nats_pool_blame(&pool, "no answer");
    nats_pool_failed(&pool, false, NOW);
    nats_pool_blame(&pool, "refused");
    trouble_list(&pool, &out);
    EXPECT_TEXT(buf_text(&out), "h0:1: no answer; h1:1: refused");
    for (size_t i = 1; i < pool.count; i++) {
        nats_pool_failed(&pool, false, NOW);
        nats_pool_blame(&pool, "x");
    }
    buf_reset(&out);
    trouble_list(&pool, &out);
    EXPECT_TEXT(buf_text(&out), "h0:1: x; h1:1: refused; h2:1: x; h3:1: x; and 3 more servers");
    nats_pool_ready(&pool, NOW);
    buf_reset(&out);
    trouble_list(&pool, &out);
    EXPECT_TEXT(buf_text(&out), "");
    buf_free(&out);
    nats_pool_free(&pool);
}

/* A quarter of its life before it ends, and a day at most. */
TEST(trouble_when_to_warn)
{
    struct login l = {.jwt = {.issued = 1000, .expires = 1000 + 3600}};
    EXPECT_I64(login_expires_soon(&l), (1000 + 2700) * CLOCK_SECOND);
    l.jwt.expires = 1000 + 365 * 86400;
    EXPECT_I64(login_expires_soon(&l), (1000 + 364 * 86400) * CLOCK_SECOND);
    l.jwt = (struct nats_jwt){0};
    EXPECT_I64(login_expires_soon(&l), INT64_MAX);
}

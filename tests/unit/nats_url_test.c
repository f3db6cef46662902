/* SPDX-License-Identifier: MIT */
#include "nats/url.h"

#include "test.h"

static struct nats_url parsed(const char *text)
{
    struct nats_url url;
    struct err err = {0};
    EXPECT_I64(nats_url_parse(&url, slice_of(text), &err), 0);
    return url;
}

static void expect_address(const char *text, const char *address)
{
    struct nats_url url = parsed(text);
    char out[NATS_ADDRESS_MAX];
    nats_url_format(&url, out);
    EXPECT_TEXT(out, address);
}

TEST(nats_url_forms)
{
    expect_address("nats://127.0.0.1:4222", "127.0.0.1:4222");
    expect_address("nats://example.com", "example.com:4222");
    expect_address("example.com:1", "example.com:1");
    expect_address("host_name-1", "host_name-1:4222");
    expect_address("nats://[::1]:4333", "[::1]:4333");
    expect_address("[fe80::1%eth0]", "[fe80::1%eth0]:4222");
    expect_address("nats://h:65535/", "h:65535");
    EXPECT(!parsed("nats://h").tls && parsed("tls://h").tls);
}

TEST(nats_url_user_and_token)
{
    struct nats_url url = parsed("nats://me:s%3Acret%40x@h:1");
    EXPECT_TEXT(url.user, "me");
    EXPECT_TEXT(url.password, "s:cret@x");
    EXPECT_TEXT(url.token, "");
    EXPECT_TEXT(url.host, "h");
    url = parsed("nats://t0%2fken@h");
    EXPECT_TEXT(url.token, "t0/ken");
    EXPECT_TEXT(url.user, "");
    url = parsed("nats://me:Tr0ub4dor@horse/battery:x@h:1");
    EXPECT_TEXT(url.user, "me");
    EXPECT_TEXT(url.password, "Tr0ub4dor@horse/battery:x");
    EXPECT_TEXT(url.host, "h");
    url = parsed("nats://a@b@c:1");
    EXPECT_TEXT(url.token, "a@b");
    EXPECT_TEXT(url.host, "c");
    url = parsed("nats://u:@h");
    EXPECT_TEXT(url.user, "u");
    EXPECT_TEXT(url.password, "");
}

TEST(nats_url_refuses_the_rest)
{
    const char *const bad[] = {
        "",
        "nats://",
        "nats://:4222",
        "http://h",
        "ws://h:80",
        "h:0",
        "h:65536",
        "h:",
        "h:x",
        "h:1:2",
        "::1",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[]:1",
        "h h",
        "h/path",
        "nats://u:%4@h",
        "nats://u:%zz@h",
        "nats://u:%00@h",
        "nats://@:1",
        "h?x",
        "h\n",
        "nats://[h]i:1",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct nats_url url = {.port = 9};
        struct err err = {0};
        EXPECT_I64(nats_url_parse(&url, slice_of(bad[i]), &err), -1);
        EXPECT(err_is_set(&err));
        EXPECT_I64(url.port, 9); /* left alone */
    }
}

/* Wherever the secret got to by mistake. */
TEST(nats_url_errors_say_nothing_of_the_url)
{
    const char *const bad[] = {
        "nats://me:hunter2@h:x",  "nats://hunter2@",       "nats://me:hunter2%4@h",
        "nats://me:x@hunter2@h:", "natss://me:hunter2@h",  "me:hunter2://x@h",
        "hunter2://me@h",         "nats://me:hunter2",     "nats://me hunter2",
        "nats:/me:hunter2@h h",   "nats://me@x:h hunter2", "nats://[hunter2",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct nats_url url;
        struct err err = {0};
        EXPECT_I64(nats_url_parse(&url, slice_of(bad[i]), &err), -1);
        EXPECT(strstr(err.text, "hunter2") == NULL);
    }
}

TEST(nats_url_bounds_its_parts)
{
    char text[2000];
    struct nats_url url;
    struct err err = {0};
    memset(text, 'h', sizeof(text));
    EXPECT_I64(nats_url_parse(&url, (struct slice){(uint8_t *)text, 255}, &err), 0);
    EXPECT_I64(nats_url_parse(&url, (struct slice){(uint8_t *)text, 256}, &err), -1);
    err_clear(&err);
    memcpy(text + 513, "@h", 2);
    EXPECT_I64(nats_url_parse(&url, (struct slice){(uint8_t *)text, 515}, &err), -1);
    EXPECT(err.code == ERR_LIMIT);
    EXPECT_I64(nats_url_parse(&url, (struct slice){(uint8_t *)text + 1, 514}, &(struct err){0}), 0);
    EXPECT_I64(nats_url_parse(&url, (struct slice){(const uint8_t *)"a\0b", 3}, &(struct err){0}),
               -1);
}

/* SPDX-License-Identifier: MIT */
#include "nats/command.h"

#include "test.h"

static const struct nats_info no_info;

static const char *connect_line(const struct nats_options *options, const struct nats_info *info)
{
    static struct buf out;
    struct err err = {0};
    buf_reset(&out);
    EXPECT_I64(nats_command_connect(&out, options, info, &err), 0);
    return buf_text(&out);
}

#define CONNECT_START                                                                \
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false,\"headers\":true," \
    "\"no_responders\":true,\"protocol\":1,\"lang\":\"c\",\"tls_required\":"

TEST(nats_command_connect_says_all_that_has_a_noisy_default)
{
    struct nats_options o = {.name = "varve", .version = "1.0"};
    EXPECT_TEXT(connect_line(&o, &no_info),
                CONNECT_START "false,\"version\":\"1.0\",\"name\":\"varve\"}\r\n");
    o.tls = NATS_TLS_REQUIRED;
    EXPECT_TEXT(connect_line(&o, &no_info),
                CONNECT_START "true,\"version\":\"1.0\",\"name\":\"varve\"}\r\n");
}

TEST(nats_command_connect_with_user_or_token)
{
    struct nats_options o = {.credentials = {.user = "me \"x\"", .password = "s3cret\n"}};
    EXPECT_TEXT(connect_line(&o, &no_info),
                CONNECT_START "false,\"user\":\"me \\\"x\\\"\",\"pass\":\"s3cret\\n\"}\r\n");
    o.credentials = (struct nats_credentials){.user = "me"};
    EXPECT_TEXT(connect_line(&o, &no_info),
                CONNECT_START "false,\"user\":\"me\",\"pass\":\"\"}\r\n");
    o.credentials = (struct nats_credentials){.token = "t0k"};
    EXPECT_TEXT(connect_line(&o, &no_info), CONNECT_START "false,\"auth_token\":\"t0k\"}\r\n");
}

/* "Signs" with 64 bytes whose base64 holds both characters that differ in the URL-safe form. */
static bool sign(void *signer, struct slice nonce, uint8_t signature[64])
{
    if (!slice_is(nonce, "the-nonce"))
        return false;
    memset(signature, *(int *)signer, 64);
    return true;
}

TEST(nats_command_connect_signs_the_nonce_in_url_safe_base64)
{
    int value = 0xfb;
    struct nats_options o = {.credentials = {.nkey = "UABC", .sign = sign, .signer = &value}};
    struct nats_info info = {.nonce = slice_of("the-nonce")};
    /* python3: base64.urlsafe_b64encode(b'\xfb'*64).rstrip(b'=') */
    EXPECT_TEXT(connect_line(&o, &info),
                CONNECT_START "false,\"nkey\":\"UABC\",\"sig\":\"-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_"
                              "v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-w\"}\r\n");
    value = 0xff;
    o.credentials.jwt = "ey.J";
    EXPECT_TEXT(connect_line(&o, &info),
                CONNECT_START "false,\"jwt\":\"ey.J\",\"sig\":\"________________________________"
                              "_____________________________________________________w\"}\r\n");
    o.credentials = (struct nats_credentials){.jwt = "bearer"};
    EXPECT_TEXT(connect_line(&o, &info), CONNECT_START "false,\"jwt\":\"bearer\"}\r\n");
}

TEST(nats_command_connect_fails_where_it_cannot_sign)
{
    int value = 1;
    struct nats_options o = {.credentials = {.nkey = "U", .sign = sign, .signer = &value}};
    struct nats_info info = {.nonce = slice_of("another")};
    struct buf out = {0};
    struct err err = {0};
    EXPECT_I64(nats_command_connect(&out, &o, &info, &err), -1);
    EXPECT_U64(out.len, 0);
    err_clear(&err);
    EXPECT_I64(nats_command_connect(&out, &o, &no_info, &err), -1);
    EXPECT(strstr(err.text, "no nonce") != NULL);
    buf_free(&out);
}

TEST(nats_command_connect_longer_than_4096_is_refused_with_a_reason)
{
    char jwt[4097];
    memset(jwt, 'j', sizeof(jwt) - 1);
    jwt[sizeof(jwt) - 1] = '\0';
    struct nats_options o = {.credentials = {.jwt = jwt}};
    struct buf out = {0};
    struct err err = {0};
    EXPECT_I64(nats_command_connect(&out, &o, &no_info, &err), -1);
    EXPECT(err.code == ERR_LIMIT && strstr(err.text, "max_control_line") != NULL);
    EXPECT_U64(out.len, 0);
    buf_free(&out);
}

TEST(nats_command_writes_the_rest)
{
    struct buf out = {0};
    struct slice none = {0};
    nats_command_ping(&out);
    nats_command_pong(&out);
    nats_command_subscribe(&out, slice_of("_INBOX.a.*"), 257);
    nats_command_unsubscribe(&out, 257);
    nats_command_publish(&out, slice_of("a.b"), none, none, none);
    nats_command_publish(&out, slice_of("a.b"), slice_of("r"), none, slice_of("hello"));
    nats_command_publish(&out, slice_of("a.b"), none, slice_of("NATS/1.0\r\n\r\n"), slice_of("hi"));
    nats_command_publish(&out, slice_of("a"), slice_of("r"), slice_of("NATS/1.0\r\n\r\n"), none);
    EXPECT_TEXT(buf_text(&out), "PING\r\nPONG\r\nSUB _INBOX.a.* 257\r\nUNSUB 257\r\n"
                                "PUB a.b 0\r\n\r\n"
                                "PUB a.b r 5\r\nhello\r\n"
                                "HPUB a.b 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
                                "HPUB a r 12 12\r\nNATS/1.0\r\n\r\n\r\n");
    buf_free(&out);
}

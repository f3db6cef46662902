/* SPDX-License-Identifier: MIT */
#include "nats/info.h"

#include "test.h"

static struct nats_info parsed(const char *json)
{
    struct nats_info info = {0};
    struct err err = {0};
    EXPECT_I64(nats_info_parse(&info, slice_of(json), &err), 0);
    return info;
}

/* Shaped like what nats-server 2.9 sends. */
static const char real[] =
    "{\"server_id\":\"NDJ2\",\"server_name\":\"n1\",\"version\":\"2.9.10\",\"proto\":1,"
    "\"go\":\"go1.19.8\",\"host\":\"0.0.0.0\",\"port\":4222,\"headers\":true,"
    "\"auth_required\":true,\"max_payload\":1048576,\"jetstream\":true,\"client_id\":7,"
    "\"client_ip\":\"127.0.0.1\",\"nonce\":\"abcDEF_-0123456\",\"cluster\":\"c1\","
    "\"connect_urls\":[\"10.0.0.1:4222\",\"[::1]:4223\"],\"ldm\":true,\"domain\":\"hub\","
    "\"tls_required\":true,\"tls_verify\":true,\"tls_available\":true,\"unknown\":{\"a\":[1]}} ";

TEST(nats_info_reads_what_a_server_says)
{
    struct nats_info i = parsed(real);
    EXPECT(slice_is(i.server_id, "NDJ2") && slice_is(i.server_name, "n1"));
    EXPECT(slice_is(i.cluster, "c1") && slice_is(i.domain, "hub"));
    EXPECT(slice_is(i.nonce, "abcDEF_-0123456") && slice_is(i.client_ip, "127.0.0.1"));
    EXPECT(i.headers && i.jetstream && i.auth_required && i.lame_duck);
    EXPECT(i.tls_required && i.tls_available && i.tls_verify);
    EXPECT_U64(i.max_payload, 1048576);
    EXPECT_U64(i.client_id, 7);
    EXPECT_U64(i.proto, 1);
    EXPECT(i.version.major == 2 && i.version.minor == 9 && i.version.patch == 10);
    EXPECT_U64(i.url_count, 2);
    EXPECT(slice_is(i.urls[1], "[::1]:4223"));
    nats_info_free(&i);
}

TEST(nats_info_keeps_nothing_of_the_frame)
{
    char json[] = "{\"server_name\":\"before\"}";
    struct nats_info i = parsed(json);
    memset(json, 'x', sizeof(json) - 1);
    EXPECT(slice_is(i.server_name, "before"));
    nats_info_free(&i);
}

TEST(nats_info_missing_fields_are_empty)
{
    struct nats_info i = parsed("{}");
    EXPECT(!i.headers && !i.jetstream && !i.lame_duck && i.url_count == 0);
    EXPECT(i.server_id.len == 0 && i.max_payload == 0);
    nats_info_free(&i);
}

TEST(nats_info_of_64_bit_numbers_is_exact)
{
    struct nats_info i = parsed("{\"client_id\":9007199254740993,\"max_payload\":"
                                "18446744073709551615}");
    EXPECT_U64(i.client_id, UINT64_C(9007199254740993));
    EXPECT_U64(i.max_payload, UINT64_MAX);
    nats_info_free(&i);
}

TEST(nats_info_failure_leaves_the_old_one)
{
    struct nats_info i = parsed("{\"server_name\":\"old\"}");
    const char *const bad[] = {"", "[]", "{\"a\":", "\"text\"", "{} x", "nothing"};
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        struct err err = {0};
        EXPECT_I64(nats_info_parse(&i, slice_of(bad[k]), &err), -1);
        EXPECT(err.code == ERR_PROTOCOL);
        EXPECT(slice_is(i.server_name, "old"));
    }
    nats_info_free(&i);
}

TEST(nats_info_bounds_the_urls)
{
    struct buf json = {0};
    buf_append_text(&json, "{\"connect_urls\":[\"a:1\"");
    for (int k = 0; k < 5000; k++)
        buf_printf(&json, ",\"a:%d\",17", k);
    buf_append_text(&json, "]}");
    struct nats_info i = parsed(buf_text(&json));
    EXPECT_U64(i.url_count, NATS_INFO_URLS_MAX);
    nats_info_free(&i);
    buf_free(&json);
}

TEST(nats_info_versions)
{
    struct nats_version v = nats_version_parse(slice_of("2.11.0-preview.2"));
    EXPECT(v.major == 2 && v.minor == 11 && v.patch == 0);
    v = nats_version_parse(slice_of("v2.10.26+build"));
    EXPECT(v.major == 2 && v.minor == 10 && v.patch == 26);
    v = nats_version_parse(slice_of("3"));
    EXPECT(v.major == 3 && v.minor == 0 && v.patch == 0);
    v = nats_version_parse(slice_of("nightly"));
    EXPECT(v.major == 0 && v.minor == 0 && v.patch == 0);
    v = nats_version_parse(slice_of("99999999999999999999.1.1"));
    EXPECT(v.major >= 100000000);
    v = nats_version_parse(slice_of("2.10.4"));
    EXPECT(nats_version_at_least(v, 2, 10, 4) && nats_version_at_least(v, 2, 9, 26));
    EXPECT(!nats_version_at_least(v, 2, 10, 5) && !nats_version_at_least(v, 2, 11, 0));
    EXPECT(nats_version_at_least(v, 1, 99, 99) && !nats_version_at_least(v, 3, 0, 0));
}

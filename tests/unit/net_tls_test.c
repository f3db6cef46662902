/* SPDX-License-Identifier: MIT */
#include "base/secret.h"
#include "net/tls.h"

#include <stdlib.h>
#include <string.h>

#include "script_stream.h"
#include "test.h"

static const struct tls_options nobody = {.section = "nats.tls",
                                          .ca_file = "",
                                          .cert_file = "",
                                          .key_file = "",
                                          .key_password = "",
                                          .key_password_file = "",
                                          .insecure = true};

static struct stream *secured(struct script *x, const char *name)
{
    struct err err = {0};
    struct stream *s;
    x->stream.kind = &script_kind;
    s = stream_tls(&x->stream, &nobody, name, &err);
    EXPECT(s != NULL);
    return s;
}

static void expect_end(struct script *x, const char *text)
{
    struct err err = {0};
    struct stream *s = secured(x, "host.test");
    x->room = 4096;
    EXPECT(stream_handshake(s, &err) == NET_IO_DEAD);
    EXPECT(strstr(err.text, text) != NULL);
    stream_close(&s);
    EXPECT(x->closed);
    buf_free(&x->taken);
}

static bool contains(const struct buf *b, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i + len <= b->len; i++)
        if (memcmp(b->data + i, text, len) == 0)
            return true;
    return false;
}

TEST(tls_waits_for_what_it_needs)
{
    struct script x = {.room = 10};
    struct err err = {0};
    struct stream *s = secured(&x, "host.test");
    EXPECT(stream_handshake(s, &err) == NET_IO_AGAIN);
    EXPECT(stream_wait(s, false).want == (NET_READABLE | NET_WRITABLE)); /* half of it is out */
    EXPECT(stream_wait(s, false).ready == 0);
    x.room = 4096;
    EXPECT(stream_handshake(s, &err) == NET_IO_AGAIN);
    EXPECT(stream_wait(s, false).want == NET_READABLE);
    EXPECT(x.taken.len > 100 && x.taken.data[0] == 22); /* a record of the handshake, once */
    EXPECT_U64(x.taken.len, 5 + (size_t)(x.taken.data[3] << 8 | x.taken.data[4]));
    stream_close(&s);
    buf_free(&x.taken);
}

TEST(tls_tells_a_name_but_no_address)
{
    const struct {
        const char *name, *said;
        bool told;
    } cases[] = {
        {"host.test", "host.test", true},
        {"host.test.", "host.test.", false}, /* the name, without its dot */
        {"127.0.0.1", "127.0.0.1", false},
        {"::1", "::1", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct script x = {.room = 4096};
        struct err err = {0};
        struct stream *s = secured(&x, cases[i].name);
        EXPECT(stream_handshake(s, &err) == NET_IO_AGAIN);
        EXPECT(contains(&x.taken, cases[i].said) == cases[i].told);
        stream_close(&s);
        buf_free(&x.taken);
    }
}

TEST(tls_says_what_the_peer_did)
{
    static const uint8_t version[] = {21, 3, 3, 0, 2, 2, 70}, name[] = {21, 3, 3, 0, 2, 2, 112};
    expect_end(&(struct script){.said = slice_of("INFO {\"server_id\":\"x\"}\r\n")},
               "does not answer in TLS");
    expect_end(&(struct script){.ended = true}, "the peer closed the connection");
    expect_end(&(struct script){.said = {version, sizeof(version)}}, "neither TLS 1.2 nor 1.3");
    expect_end(&(struct script){.said = {name, sizeof(name)}}, "set nats.tls.server_name");
    /* What it said before it hung up is heard, although nothing could be sent. */
    expect_end(&(struct script){.said = {version, sizeof(version)}, .gone = true, .ended = true},
               "neither TLS 1.2 nor 1.3");
}

/* Each alert that a server may refuse us by has a sentence (RFC 8446, section 6.2). */
TEST(tls_says_what_alerts_mean)
{
    static const struct {
        uint8_t alert;
        const char *text;
    } cases[] = {
        {40, "no cipher, curve or certificate that suits both"},
        {42, "does not take our certificate"},
        {43, "does not take our certificate"},
        {44, "our certificate is revoked"},
        {45, "our certificate has expired"},
        {46, "does not take our certificate"},
        {48, "does not trust the CA of our certificate"},
        {49, "our certificate gives no access"},
        {51, "the key does not belong to our certificate"},
        {70, "neither TLS 1.2 nor 1.3"},
        {80, "an internal error"},
        {112, "set nats.tls.server_name"},
        {116, "wants a client certificate"},
        {199, "no reason that we know (alert 199)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint8_t record[] = {21, 3, 3, 0, 2, 2, cases[i].alert};
        expect_end(&(struct script){.said = {record, sizeof(record)}}, cases[i].text);
    }
}

TEST(tls_refuses_names_that_are_none)
{
    char long_name[NET_HOST_MAX + 3];
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    const char *const names[] = {"", ".", long_name};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct script x = {.stream = {&script_kind}};
        struct err err = {0};
        EXPECT(stream_tls(&x.stream, &nobody, names[i], &err) == NULL);
        EXPECT(err_is_set(&err) && x.closed);
    }
}

/* Nothing in /etc is looked at by who has read it ahead: not even whether it is there. */
TEST(tls_takes_the_cas_of_the_host_as_they_were_read)
{
    struct secret_files files = {0};
    struct tls_options options = {
        .ca_file = "", .cert_file = "", .key_file = "", .key_password_file = ""};
    EXPECT(unsetenv("SSL_CERT_FILE") == 0);
    tls_files(&options, &files);
    EXPECT(files.count >= 2);
    for (size_t i = 0; i < files.count; i++)
        files.list[i].result = -1;
    secret_read_from(&files);
    EXPECT(tls_host_ca_file() == NULL);
    files.list[1].result = 0;
    EXPECT_TEXT(tls_host_ca_file(), files.list[1].path);
    secret_read_from(NULL);
    secret_files_free(&files);
    EXPECT(setenv("SSL_CERT_FILE", "/of/the/user", 1) == 0);
    tls_files(&options, &files);
    EXPECT(files.count == 1);
    EXPECT_TEXT(files.list[0].path, "/of/the/user");
    secret_files_free(&files);
    options.insecure = true; /* nobody's certificate is looked at */
    tls_files(&options, &files);
    EXPECT(files.count == 0);
    EXPECT(unsetenv("SSL_CERT_FILE") == 0);
    secret_files_free(&files);
}

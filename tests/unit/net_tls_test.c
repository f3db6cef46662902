/* SPDX-License-Identifier: MIT */
#include "net/tls.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

/* A stream in memory: what it takes, and what the peer says. */
struct script {
    struct stream stream;
    size_t room;       /* bytes that writing still takes; then NET_IO_AGAIN */
    struct slice said; /* by the peer; then its end if `ended`, else NET_IO_AGAIN */
    bool ended, gone;  /* gone: writing fails */
    struct buf taken;
    bool closed;
};

static enum net_io script_read(struct stream *s, void *data, size_t len, size_t *done,
                               struct err *err)
{
    struct script *x = (struct script *)s;
    if (x->said.len == 0 && !x->ended)
        return NET_IO_AGAIN;
    if (x->said.len == 0) {
        err_set(err, ERR_NETWORK, "the peer closed the connection");
        return NET_IO_DEAD;
    }
    *done = len < x->said.len ? len : x->said.len;
    memcpy(data, x->said.data, *done);
    x->said.data += *done;
    x->said.len -= *done;
    return NET_IO_DONE;
}

static enum net_io script_write(struct stream *s, const void *data, size_t len, size_t *done,
                                struct err *err)
{
    struct script *x = (struct script *)s;
    if (x->gone) {
        err_set(err, ERR_NETWORK, "broken pipe");
        return NET_IO_DEAD;
    }
    if (x->room == 0)
        return NET_IO_AGAIN;
    *done = len < x->room ? len : x->room;
    x->room -= *done;
    buf_append(&x->taken, data, *done);
    return NET_IO_DONE;
}

static struct net_wait script_wait(const struct stream *s, bool writing)
{
    (void)s;
    return (struct net_wait){.handle = 7, .want = NET_READABLE | (writing ? NET_WRITABLE : 0)};
}

static void script_close(struct stream *s)
{
    ((struct script *)s)->closed = true;
}

static const struct stream_kind script_kind = {
    .name = "script",
    .read = script_read,
    .write = script_write,
    .wait = script_wait,
    .close = script_close,
};

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

/* SPDX-License-Identifier: MIT */
/* A client and a server of TLS, and what is on its way between them: for unit tests. */
#ifndef VARVE_TESTS_TLS_PAIR_H
#define VARVE_TESTS_TLS_PAIR_H

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "files.h"
#include "net/tls.h"
#include "test.h"

/* One end of a connection in memory, which moves at most `piece` bytes a call; none goes out while
 * it is full. */
struct pipe_end {
    struct stream stream;
    struct buf *in, *out;
    size_t piece, taken; /* taken: of `in` */
    bool finished, full;
};

static enum net_io pipe_read(struct stream *s, void *data, size_t len, size_t *done,
                             struct err *err)
{
    struct pipe_end *p = (struct pipe_end *)s;
    (void)err;
    size_t some = p->in->len < len ? p->in->len : len;
    some = some < p->piece ? some : p->piece;
    if (some == 0)
        return NET_IO_AGAIN;
    memcpy(data, p->in->data, some);
    memmove(p->in->data, p->in->data + some, p->in->len - some);
    p->in->len -= some;
    p->taken += some;
    *done = some;
    return NET_IO_DONE;
}

static enum net_io pipe_write(struct stream *s, const void *data, size_t len, size_t *done,
                              struct err *err)
{
    struct pipe_end *p = (struct pipe_end *)s;
    (void)err;
    if (p->full)
        return NET_IO_AGAIN;
    *done = len < p->piece ? len : p->piece;
    buf_append(p->out, data, *done);
    return NET_IO_DONE;
}

static void pipe_finish(struct stream *s)
{
    ((struct pipe_end *)s)->finished = true;
}

static struct net_wait pipe_wait(const struct stream *s, bool writing)
{
    (void)s;
    return (struct net_wait){.handle = -1, .want = NET_READABLE | (writing ? NET_WRITABLE : 0)};
}

static void pipe_close(struct stream *s)
{
    (void)s;
}

static const struct stream_kind pipe_kind = {"pipe",      NULL,      pipe_read, pipe_write,
                                             pipe_finish, pipe_wait, pipe_close};

/* A client and a server, and what is on its way between them. */
struct pair {
    struct buf up, down;
    struct pipe_end ends[2];
    struct stream *client, *served;
};

static inline void make_pair(struct pair *p, struct tls_server *server,
                             const struct tls_options *client, size_t piece)
{
    struct err err = {0};
    *p = (struct pair){0};
    p->ends[0] =
        (struct pipe_end){.stream = {&pipe_kind}, .in = &p->down, .out = &p->up, .piece = piece};
    p->ends[1] =
        (struct pipe_end){.stream = {&pipe_kind}, .in = &p->up, .out = &p->down, .piece = piece};
    p->client = stream_tls(&p->ends[0].stream, client, "host.test", &err);
    p->served = stream_tls_accept(&p->ends[1].stream, server);
    EXPECT(p->client != NULL);
}

static inline void shake_hands(struct pair *p)
{
    struct err err = {0};
    enum net_io client = NET_IO_AGAIN, served = NET_IO_AGAIN;
    for (int i = 0; i < 100 && (client != NET_IO_DONE || served != NET_IO_DONE); i++) {
        if (client == NET_IO_AGAIN)
            client = stream_handshake(p->client, &err);
        if (served == NET_IO_AGAIN)
            served = stream_handshake(p->served, &err);
    }
    EXPECT(client == NET_IO_DONE && served == NET_IO_DONE);
}

static inline void free_pair(struct pair *p)
{
    stream_close(&p->client);
    stream_close(&p->served);
    buf_free(&p->up);
    buf_free(&p->down);
}

static inline void expect_said(struct stream *from, struct stream *to, const char *text)
{
    char heard[64] = "";
    size_t done;
    struct err err = {0};
    EXPECT(stream_write(from, text, strlen(text), &done, &err) == NET_IO_DONE);
    EXPECT_U64(done, strlen(text));
    EXPECT(stream_read(to, heard, sizeof(heard) - 1, &done, &err) == NET_IO_DONE);
    EXPECT_TEXT(heard, text);
}

#endif

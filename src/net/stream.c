/* SPDX-License-Identifier: MIT */
#include "net/stream.h"

#include <stdlib.h>

#include "base/assert.h"

enum net_io stream_handshake(struct stream *s, struct err *err)
{
    return s->kind->handshake(s, err);
}

enum net_io stream_read(struct stream *s, void *data, size_t len, size_t *done, struct err *err)
{
    ASSERT(len > 0);
    return s->kind->read(s, data, len, done, err);
}

enum net_io stream_write(struct stream *s, const void *data, size_t len, size_t *done,
                         struct err *err)
{
    ASSERT(len > 0);
    return s->kind->write(s, data, len, done, err);
}

void stream_finish(struct stream *s)
{
    s->kind->finish(s);
}

struct net_wait stream_wait(const struct stream *s, bool writing)
{
    return s->kind->wait(s, writing);
}

void stream_close(struct stream **s)
{
    if (*s != NULL)
        (*s)->kind->close(*s);
    *s = NULL;
}

struct plain {
    struct stream stream;
    int handle;
};

static int handle_of(const struct stream *s)
{
    return ((const struct plain *)s)->handle;
}

static enum net_io plain_handshake(struct stream *s, struct err *err)
{
    (void)s;
    (void)err;
    return NET_IO_DONE;
}

static enum net_io plain_read(struct stream *s, void *data, size_t len, size_t *done,
                              struct err *err)
{
    return net_read(handle_of(s), data, len, done, err);
}

static enum net_io plain_write(struct stream *s, const void *data, size_t len, size_t *done,
                               struct err *err)
{
    return net_write(handle_of(s), data, len, done, err);
}

static void plain_finish(struct stream *s)
{
    net_finish(handle_of(s));
}

static struct net_wait plain_wait(const struct stream *s, bool writing)
{
    return (struct net_wait){.handle = handle_of(s),
                             .want = NET_READABLE | (writing ? NET_WRITABLE : 0)};
}

static void plain_close(struct stream *s)
{
    net_close(&((struct plain *)s)->handle);
    free(s);
}

static const struct stream_kind plain_kind = {
    .name = "plain",
    .handshake = plain_handshake,
    .read = plain_read,
    .write = plain_write,
    .finish = plain_finish,
    .wait = plain_wait,
    .close = plain_close,
};

struct stream *stream_plain(int handle)
{
    struct plain *plain = calloc(1, sizeof(*plain));
    if (plain == NULL)
        out_of_memory(sizeof(*plain));
    *plain = (struct plain){.stream = {&plain_kind}, .handle = handle};
    return &plain->stream;
}

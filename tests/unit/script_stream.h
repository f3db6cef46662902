/* SPDX-License-Identifier: MIT */
/* A peer with a script, for what secures a stream: unit tests and fuzz targets. */
#ifndef VARVE_TESTS_SCRIPT_STREAM_H
#define VARVE_TESTS_SCRIPT_STREAM_H

#include <string.h>

#include "base/buf.h"
#include "net/stream.h"

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

#endif

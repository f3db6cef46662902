/* SPDX-License-Identifier: MIT */
#include "net/connect.h"

#include "base/clock.h"

int net_connect_start(struct net_connecting *c, const char *host, uint16_t port, int64_t deadline,
                      struct err *err)
{
    *c = (struct net_connecting){.handle = -1, .deadline = deadline, .step_at = deadline};
    int started = net_resolve_start(&c->resolve, host, port, &c->addresses, err);
    return started < 0 ? -1 : 0;
}

void net_connect_cancel(struct net_connecting *c)
{
    net_resolve_cancel(&c->resolve);
    net_close(&c->handle);
    c->addresses.count = 0;
    c->next = 0;
}

/* Start to connect to the next address. If that fails at once c->handle is -1 and c->last says
 * why. */
static void try_next(struct net_connecting *c, int64_t now)
{
    size_t left = c->addresses.count - c->next;
    c->step_at = now + (c->deadline - now) / (int64_t)left;
    err_clear(&c->last);
    c->handle = net_connect(&c->addresses.list[c->next++], &c->last);
}

/* How the attempt that is under way stands. */
static enum net_io check_attempt(struct net_connecting *c, int64_t now)
{
    enum net_io io = net_connected(c->handle, &c->last);
    if (io == NET_IO_AGAIN && now >= c->step_at) {
        err_set(&c->last, ERR_NETWORK, "connecting took too long");
        io = NET_IO_DEAD;
    }
    if (io == NET_IO_DEAD)
        net_close(&c->handle);
    return io;
}

static enum net_io fail(struct net_connecting *c, struct err *err)
{
    if (!err_is_set(err))
        *err = c->last;
    err->code = ERR_NETWORK;
    net_connect_cancel(c);
    return NET_IO_DEAD;
}

enum net_io net_connect_step(struct net_connecting *c, int64_t now, struct stream **stream,
                             struct err *err)
{
    if (c->resolve.fd >= 0) {
        enum net_io io = net_resolve_step(&c->resolve, &c->addresses, &c->last);
        if (io == NET_IO_AGAIN && now < c->deadline)
            return NET_IO_AGAIN;
        if (io == NET_IO_AGAIN)
            err_set(&c->last, ERR_NETWORK, "resolving the name took too long");
        if (io != NET_IO_DONE)
            return fail(c, err);
    }
    for (;;) {
        enum net_io io = c->handle >= 0 ? check_attempt(c, now) : NET_IO_DEAD;
        if (io == NET_IO_AGAIN)
            return NET_IO_AGAIN;
        if (io == NET_IO_DONE) {
            *stream = stream_plain(c->handle);
            c->handle = -1;
            net_connect_cancel(c);
            return NET_IO_DONE;
        }
        if (c->next == c->addresses.count || now >= c->deadline)
            return fail(c, err);
        try_next(c, now); /* a failure at once is seen by the next round, as no handle */
    }
}

struct net_wait net_connect_wait(const struct net_connecting *c)
{
    if (c->resolve.fd >= 0)
        return (struct net_wait){.handle = c->resolve.fd, .want = NET_READABLE};
    return (struct net_wait){.handle = c->handle, .want = NET_WRITABLE};
}

struct stream *net_connect_until(const char *host, uint16_t port, int64_t deadline, struct err *err)
{
    struct net_connecting connecting;
    struct stream *stream = NULL;
    if (net_connect_start(&connecting, host, port, deadline, err) != 0)
        return NULL;
    while (net_connect_step(&connecting, clock_monotonic(), &stream, err) == NET_IO_AGAIN) {
        struct net_wait wait = net_connect_wait(&connecting);
        net_wait(&wait, 1, connecting.step_at);
    }
    return stream;
}

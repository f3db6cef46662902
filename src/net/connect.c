/* SPDX-License-Identifier: MIT */
#include "net/connect.h"

#include <errno.h>
#include <string.h>

#include "net/socket.h"

int net_connect_start(struct net_connect *c, const char *host, uint16_t port, int64_t deadline,
                      struct err *err)
{
    *c = (struct net_connect){.fd = -1, .deadline = deadline, .attempt_ends = deadline};
    return net_resolve_start(&c->resolve, host, port, &c->addresses, err) < 0 ? -1 : 0;
}

void net_connect_cancel(struct net_connect *c)
{
    net_resolve_cancel(&c->resolve);
    net_close(&c->fd);
    c->addresses.count = 0;
    c->next = 0;
}

/* Start to connect to the next address. If that fails at once c->fd is -1 and c->last says why. */
static void try_next(struct net_connect *c, int64_t now)
{
    size_t left = c->addresses.count - c->next;
    const struct net_address *address = &c->addresses.list[c->next++];
    c->attempt_ends = now + (c->deadline - now) / (int64_t)left;
    err_clear(&c->last);
    c->fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        err_set_system(&c->last, errno, "no socket");
        return;
    }
    net_tune(c->fd);
    const struct sockaddr *to = (const struct sockaddr *)&address->storage;
    if (connect(c->fd, to, address->len) == 0 || errno == EINPROGRESS)
        return;
    err_set_system(&c->last, errno, "connecting failed");
    net_close(&c->fd);
}

/* How the attempt that is under way stands. */
static enum net_connect_result check_attempt(struct net_connect *c, int64_t now)
{
    struct pollfd p = {.fd = c->fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;
    if (poll(&p, 1, 0) == 1) {
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
            error = errno;
        if (error == 0)
            return NET_CONNECT_DONE;
        err_set_system(&c->last, error, "connecting failed");
    } else if (now >= c->attempt_ends) {
        err_set(&c->last, ERR_NETWORK, "connecting took too long");
    } else {
        return NET_CONNECT_PENDING;
    }
    net_close(&c->fd);
    return NET_CONNECT_FAILED;
}

static enum net_connect_result fail(struct net_connect *c, struct err *err)
{
    if (!err_is_set(err))
        *err = c->last;
    err->code = ERR_NETWORK;
    net_connect_cancel(c);
    return NET_CONNECT_FAILED;
}

/* Take the addresses from the resolver, if it is done. */
static enum net_connect_result finish_resolving(struct net_connect *c, int64_t now)
{
    struct pollfd p = {.fd = c->resolve.fd, .events = POLLIN};
    if (poll(&p, 1, 0) == 1)
        return net_resolve_finish(&c->resolve, &c->addresses, &c->last) < 0 ? NET_CONNECT_FAILED
                                                                            : NET_CONNECT_DONE;
    if (now < c->deadline)
        return NET_CONNECT_PENDING;
    err_set(&c->last, ERR_NETWORK, "resolving the name took too long");
    return NET_CONNECT_FAILED;
}

enum net_connect_result net_connect_step(struct net_connect *c, int64_t now, int *fd,
                                         struct err *err)
{
    if (c->resolve.fd >= 0) {
        enum net_connect_result resolved = finish_resolving(c, now);
        if (resolved == NET_CONNECT_PENDING)
            return NET_CONNECT_PENDING;
        if (resolved == NET_CONNECT_FAILED)
            return fail(c, err);
    }
    for (;;) {
        if (c->fd >= 0) {
            enum net_connect_result result = check_attempt(c, now);
            if (result == NET_CONNECT_PENDING)
                return NET_CONNECT_PENDING;
            if (result == NET_CONNECT_DONE) {
                *fd = c->fd;
                c->fd = -1;
                net_connect_cancel(c);
                return NET_CONNECT_DONE;
            }
        }
        if (c->next == c->addresses.count || now >= c->deadline)
            return fail(c, err);
        try_next(c, now); /* a failure at once is seen by the next round, as no descriptor */
    }
}

struct pollfd net_connect_poll(const struct net_connect *c)
{
    if (c->resolve.fd >= 0)
        return (struct pollfd){.fd = c->resolve.fd, .events = POLLIN};
    return (struct pollfd){.fd = c->fd, .events = POLLOUT};
}

int64_t net_connect_deadline(const struct net_connect *c)
{
    return c->resolve.fd >= 0 ? c->deadline : c->attempt_ends;
}

/* SPDX-License-Identifier: MIT */
#include "net/network.h"

#include "base/assert.h"

static const struct network *in_force = &system_network;

void network_replace(const struct network *network)
{
    in_force = network != NULL ? network : &system_network;
}

int net_resolve(const char *host, uint16_t port, struct net_addresses *out, struct err *err)
{
    return in_force->resolve(in_force->context, host, port, out, err);
}

int net_connect(const struct net_address *to, struct err *err)
{
    return in_force->connect(in_force->context, to, err);
}

enum net_io net_connected(int handle, struct err *err)
{
    return in_force->connected(in_force->context, handle, err);
}

int net_listen(const struct net_address *at, char name[static NET_NAME_MAX], struct err *err)
{
    return in_force->listen(in_force->context, at, name, err);
}

enum net_io net_accept(int listener, int *handle, struct err *err)
{
    return in_force->accept(in_force->context, listener, handle, err);
}

enum net_io net_read(int handle, void *data, size_t len, size_t *done, struct err *err)
{
    ASSERT(len > 0);
    return in_force->read(in_force->context, handle, data, len, done, err);
}

enum net_io net_write(int handle, const void *data, size_t len, size_t *done, struct err *err)
{
    ASSERT(len > 0);
    return in_force->write(in_force->context, handle, data, len, done, err);
}

void net_finish(int handle)
{
    in_force->finish(in_force->context, handle);
}

void net_close(int *handle)
{
    if (*handle >= 0)
        in_force->close(in_force->context, *handle);
    *handle = -1;
}

static void wake(int handle)
{
    in_force->wake(in_force->context, handle);
}

int net_waker(struct waker *waker, struct err *err)
{
    int handle = in_force->waker(in_force->context, err);
    if (handle < 0)
        return -1;
    *waker = (struct waker){.wake = wake, .handle = handle};
    return 0;
}

void net_calm(const struct waker *waker)
{
    in_force->calm(in_force->context, waker->handle);
}

void net_wait(struct net_wait *list, size_t count, int64_t until)
{
    ASSERT(count <= NET_WAITS_MAX);
    in_force->wait(in_force->context, list, count, until);
}

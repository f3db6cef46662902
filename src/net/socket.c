/* SPDX-License-Identifier: MIT */
#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* What to do with an errno of a read or write. */
static enum net_io failed(const char *what, struct err *err)
{
    int error = errno;
    if (error == EAGAIN || error == EINTR)
        return NET_IO_AGAIN;
    err_set_system(err, error, "%s", what);
    err->code = ERR_NETWORK;
    return NET_IO_DEAD;
}

enum net_io net_read(int fd, void *data, size_t len, size_t *done, struct err *err)
{
    ssize_t n = recv(fd, data, len, 0);
    if (n < 0)
        return failed("reading from the connection failed", err);
    if (n == 0) {
        err_set(err, ERR_NETWORK, "the peer closed the connection");
        return NET_IO_DEAD;
    }
    *done = (size_t)n;
    return NET_IO_DONE;
}

enum net_io net_write(int fd, const void *data, size_t len, size_t *done, struct err *err)
{
    ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
    if (n < 0)
        return failed("writing to the connection failed", err);
    if (n == 0)
        return NET_IO_AGAIN;
    *done = (size_t)n;
    return NET_IO_DONE;
}

static void set_option(int fd, int level, int name, int value)
{
    /* Without it the connection still works, and PINGs find a dead peer. */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

void net_tune(int fd)
{
    enum { KEEPALIVE_IDLE_SECONDS = 15, KEEPALIVE_INTERVAL_SECONDS = 5, KEEPALIVE_PROBES = 3 };
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, NET_USER_TIMEOUT_MS);
}

void net_close(int *fd)
{
    if (*fd >= 0)
        close(*fd); /* nothing that was written to a socket can be lost by this failing */
    *fd = -1;
}

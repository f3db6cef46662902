/* SPDX-License-Identifier: MIT */
#include "net/network.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "net/resolve.h"

enum { BACKLOG = 16, PORT_TEXT_MAX = 8 };

static void set_option(int fd, int level, int name, int value)
{
    /* Without it the connection still works, and PINGs find a dead peer. */
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* No delay, keepalive, and an end to writes that the peer does not acknowledge. */
static void tune(int fd)
{
    enum { KEEPALIVE_IDLE_SECONDS = 15, KEEPALIVE_INTERVAL_SECONDS = 5, KEEPALIVE_PROBES = 3 };
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, SYSTEM_USER_TIMEOUT_MS);
}

static_assert(sizeof(struct sockaddr_storage) <= NET_ADDRESS_MAX, "every address has room");

static int family_of(const struct net_address *address)
{
    return ((const struct sockaddr *)address->bytes)->sa_family;
}

static int set_failure(int error, const char *what, struct err *err)
{
    err_set_system(err, error, "%s", what);
    err->code = ERR_NETWORK;
    return -1;
}

/* What an errno of a call that does not block means. */
static enum net_io judge(const char *what, struct err *err)
{
    int error = errno;
    if (error == EAGAIN || error == EINTR)
        return NET_IO_AGAIN;
    (void)set_failure(error, what, err);
    return NET_IO_DEAD;
}

static void close_socket(void *context, int fd)
{
    (void)context;
    (void)close(fd); /* nothing that was written to a socket can be lost by this failing */
}

static int resolve_number(void *context, const char *host, uint16_t port, struct net_addresses *out,
                          struct err *err)
{
    (void)context;
    (void)err; /* whatever it is, asking the resolver for it will tell */
    return net_look_up(host, port, AI_NUMERICHOST, out) == 0 ? 1 : 0;
}

static int begin_connect(void *context, const struct net_address *to, struct err *err)
{
    int fd = socket(family_of(to), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return set_failure(errno, "no socket", err);
    tune(fd);
    if (connect(fd, (const struct sockaddr *)to->bytes, to->len) == 0 || errno == EINPROGRESS)
        return fd;
    (void)set_failure(errno, "connecting failed", err);
    close_socket(context, fd);
    return -1;
}

static enum net_io check_connected(void *context, int fd, struct err *err)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);
    (void)context;
    if (poll(&p, 1, 0) != 1)
        return NET_IO_AGAIN;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error == 0)
        return NET_IO_DONE;
    (void)set_failure(error, "connecting failed", err);
    return NET_IO_DEAD;
}

static enum net_io read_socket(void *context, int fd, void *data, size_t len, size_t *done,
                               struct err *err)
{
    (void)context;
    ssize_t n = recv(fd, data, len, 0);
    if (n < 0)
        return judge("reading from the connection failed", err);
    if (n == 0) {
        err_set(err, ERR_NETWORK, "the peer closed the connection");
        return NET_IO_DEAD;
    }
    *done = (size_t)n;
    return NET_IO_DONE;
}

static enum net_io write_socket(void *context, int fd, const void *data, size_t len, size_t *done,
                                struct err *err)
{
    (void)context;
    ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
    if (n < 0)
        return judge("writing to the connection failed", err);
    if (n == 0)
        return NET_IO_AGAIN;
    *done = (size_t)n;
    return NET_IO_DONE;
}

static void finish_socket(void *context, int fd)
{
    (void)context;
    (void)shutdown(fd, SHUT_WR); /* a peer that is gone needs no end of file */
}

static void name_listener(int fd, char name[static NET_NAME_MAX])
{
    struct sockaddr_storage storage;
    socklen_t len = sizeof(storage);
    char host[NET_NAME_MAX - 10], port[PORT_TEXT_MAX];
    name[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&storage, &len) != 0 ||
        getnameinfo((const struct sockaddr *)&storage, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return; /* it listens, and only the log knows less */
    (void)snprintf(name, NET_NAME_MAX, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
}

static int listen_at(void *context, const struct net_address *at, char name[static NET_NAME_MAX],
                     struct err *err)
{
    int fd = socket(family_of(at), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return set_failure(errno, "no socket", err);
    /* Connections of an earlier run that are not quite gone must not keep us from starting. */
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, (const struct sockaddr *)at->bytes, at->len) == 0 && listen(fd, BACKLOG) == 0) {
        name_listener(fd, name);
        return fd;
    }
    (void)set_failure(errno, "listening failed", err);
    close_socket(context, fd);
    return -1;
}

static enum net_io accept_one(void *context, int listener, int *handle, struct err *err)
{
    (void)context;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        tune(fd);
        *handle = fd;
        return NET_IO_DONE;
    }
    /* Those are about us; all others are about a connection that is gone again (accept(2)). */
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
        return NET_IO_AGAIN;
    return judge("can't accept connections", err);
}

static int open_waker(void *context, struct err *err)
{
    (void)context;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd >= 0 ? fd : set_failure(errno, "eventfd", err);
}

static void wake_descriptor(void *context, int fd)
{
    /* The counter can't be full, and one wake-up is as good as two. */
    (void)context;
    int saved = errno; /* this may run in a signal handler */
    ssize_t written = write(fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)written;
    errno = saved;
}

static void calm_descriptor(void *context, int fd)
{
    uint64_t count;
    (void)context;
    ssize_t got = read(fd, &count, sizeof(count));
    (void)got; /* nothing to read: nobody woke us */
}

static int milliseconds_until(int64_t until)
{
    const int64_t most = 60 * 1000; /* an early return is allowed, an int that overflows is not */
    int64_t now = clock_monotonic();
    if (until <= now)
        return 0;
    int64_t ms = (until - now) / CLOCK_MILLISECOND + 1;
    return (int)(ms < most ? ms : most);
}

static void wait_for_any(void *context, struct net_wait *list, size_t count, int64_t until)
{
    struct pollfd fds[NET_WAITS_MAX];
    bool ready = false;
    (void)context;
    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = list[i].handle};
        if ((list[i].want & NET_READABLE) != 0)
            fds[i].events |= POLLIN;
        if ((list[i].want & NET_WRITABLE) != 0)
            fds[i].events |= POLLOUT;
        ready = ready || list[i].ready != 0;
    }
    int found = poll(fds, count, ready ? 0 : milliseconds_until(until));
    ASSERT(found >= 0 || errno == EINTR);
    for (size_t i = 0; i < count && found > 0; i++) {
        if ((fds[i].revents & POLLIN) != 0)
            list[i].ready |= NET_READABLE;
        if ((fds[i].revents & POLLOUT) != 0)
            list[i].ready |= NET_WRITABLE;
        if ((fds[i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
            list[i].ready |= NET_READABLE | NET_WRITABLE;
    }
}

const struct network system_network = {
    .resolve = resolve_number,
    .connect = begin_connect,
    .connected = check_connected,
    .listen = listen_at,
    .accept = accept_one,
    .read = read_socket,
    .write = write_socket,
    .finish = finish_socket,
    .close = close_socket,
    .waker = open_waker,
    .wake = wake_descriptor,
    .calm = calm_descriptor,
    .wait = wait_for_any,
};

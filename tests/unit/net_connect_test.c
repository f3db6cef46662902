/* SPDX-License-Identifier: MIT */
#include "net/connect.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/socket.h"
#include "test.h"

/* A listener on a free port of the loopback. */
static int listener(int backlog, struct net_address *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    EXPECT_I64(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    EXPECT_I64(listen(fd, backlog), 0);
    address->len = sizeof in;
    EXPECT_I64(getsockname(fd, (struct sockaddr *)&address->storage, &address->len), 0);
    return fd;
}

static uint16_t port_of(const struct net_address *address)
{
    return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
}

/* Step in real time until it is over. */
static enum net_connect_result finish(struct net_connect *c, int *fd, struct err *err)
{
    for (;;) {
        enum net_connect_result result = net_connect_step(c, clock_monotonic(), fd, err);
        if (result != NET_CONNECT_PENDING)
            return result;
        struct pollfd p = net_connect_poll(c);
        int64_t wait = net_connect_deadline(c) - clock_monotonic();
        EXPECT(wait < 60 * CLOCK_SECOND);
        poll(&p, 1, wait > 0 ? (int)(wait / CLOCK_MILLISECOND) + 1 : 0);
    }
}

static void start(struct net_connect *c, const char *host, uint16_t port, int64_t timeout)
{
    struct err err = {0};
    EXPECT_I64(net_connect_start(c, host, port, clock_monotonic() + timeout, &err), 0);
}

TEST(net_connect_to_an_address)
{
    struct net_address address;
    struct net_connect c;
    struct err err = {0};
    int fd = -1;
    int listening = listener(5, &address);
    start(&c, "127.0.0.1", port_of(&address), 5 * CLOCK_SECOND);
    EXPECT(finish(&c, &fd, &err) == NET_CONNECT_DONE);
    EXPECT(fd >= 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK));
    EXPECT(accept(listening, NULL, NULL) >= 0);
    net_connect_cancel(&c);
    size_t done;
    EXPECT(net_write(fd, "x", 1, &done, &err) == NET_IO_DONE); /* cancel left it alone */
}

TEST(net_connect_to_a_name_tries_all_its_addresses)
{
    struct net_address address;
    struct net_connect c;
    struct err err = {0};
    int fd = -1;
    listener(5, &address);
    /* localhost may stand for ::1 first, where nobody listens */
    start(&c, "localhost", port_of(&address), 20 * CLOCK_SECOND);
    EXPECT(finish(&c, &fd, &err) == NET_CONNECT_DONE);
}

TEST(net_connect_refused)
{
    struct net_address address;
    struct net_connect c;
    struct err err = {0};
    int fd = -1;
    close(listener(5, &address));
    start(&c, "127.0.0.1", port_of(&address), 5 * CLOCK_SECOND);
    EXPECT(finish(&c, &fd, &err) == NET_CONNECT_FAILED);
    EXPECT(err.code == ERR_NETWORK && strstr(err.text, "refused") != NULL);
    EXPECT_I64(fd, -1);
    net_connect_cancel(&c);
}

/* An address that does not answer: the queue of a listener that nobody accepts from is full. */
static void silent_address(struct net_address *address)
{
    listener(0, address);
    for (int i = 0; i < 16; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fd, (struct sockaddr *)&address->storage, address->len);
    }
}

TEST(net_connect_gives_up_at_its_deadline)
{
    struct net_address address;
    struct net_connect c;
    struct err err = {0};
    int fd = -1;
    silent_address(&address);
    start(&c, "127.0.0.1", port_of(&address), 200 * CLOCK_MILLISECOND);
    int64_t before = clock_monotonic();
    EXPECT(finish(&c, &fd, &err) == NET_CONNECT_FAILED);
    EXPECT(strstr(err.text, "took too long") != NULL);
    EXPECT(clock_monotonic() - before < 10 * CLOCK_SECOND);
}

TEST(net_connect_goes_on_to_the_next_address_after_refusal_or_silence)
{
    struct net_address silent, closed, open;
    struct net_connect c;
    struct err err = {0};
    int fd = -1;
    silent_address(&silent);
    close(listener(5, &closed));
    listener(5, &open);
    start(&c, "127.0.0.1", 1, 600 * CLOCK_MILLISECOND);
    c.addresses.list[0] = silent;
    c.addresses.list[1] = closed;
    c.addresses.list[2] = open;
    c.addresses.count = 3;
    EXPECT(finish(&c, &fd, &err) == NET_CONNECT_DONE);
    EXPECT(!err_is_set(&err));
}

TEST(net_connect_to_a_name_that_cannot_exist)
{
    struct net_connect c;
    struct err err = {0};
    int fd = -1;
    start(&c, "a..b", 1, 20 * CLOCK_SECOND);
    EXPECT(finish(&c, &fd, &err) == NET_CONNECT_FAILED);
    EXPECT(strstr(err.text, "resolve") != NULL);
}

TEST(net_connect_does_not_wait_for_the_resolver_beyond_the_deadline)
{
    struct net_connect c;
    struct err err = {0};
    int fd = -1;
    start(&c, "localhost", 1, 10 * CLOCK_SECOND);
    EXPECT(c.resolve.fd >= 0);
    net_resolve_cancel(&c.resolve);
    int never[2]; /* in its place one that is never done */
    EXPECT_I64(pipe(never), 0);
    c.resolve.fd = never[0];
    EXPECT(net_connect_step(&c, c.deadline - 1, &fd, &err) == NET_CONNECT_PENDING);
    EXPECT(net_connect_step(&c, c.deadline, &fd, &err) == NET_CONNECT_FAILED);
    EXPECT_TEXT(err.text, "resolving the name took too long");
}

TEST(net_connect_can_be_given_up)
{
    struct net_address address;
    struct net_connect c;
    struct err err = {0};
    int fd;
    silent_address(&address);
    start(&c, "127.0.0.1", port_of(&address), CLOCK_SECOND);
    EXPECT(net_connect_step(&c, clock_monotonic(), &fd, &err) == NET_CONNECT_PENDING);
    net_connect_cancel(&c);
    EXPECT_I64(net_connect_poll(&c).fd, -1);
}

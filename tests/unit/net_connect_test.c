/* SPDX-License-Identifier: MIT */
#include "net/connect.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "test.h"

/* A free port of the loopback: nobody listens there, and nobody else can as long as it is ours. */
static int bound(struct net_address *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    EXPECT_I64(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    address->len = sizeof(in);
    EXPECT_I64(getsockname(fd, (struct sockaddr *)address->bytes, &address->len), 0);
    return fd;
}

static int listener(int backlog, struct net_address *address)
{
    int fd = bound(address);
    EXPECT_I64(listen(fd, backlog), 0);
    return fd;
}

static uint16_t port_of(const struct net_address *address)
{
    return ntohs(((const struct sockaddr_in *)address->bytes)->sin_port);
}

/* Step in real time until it is over. */
static enum net_io finish(struct net_connecting *c, struct stream **stream, struct err *err)
{
    for (;;) {
        enum net_io io = net_connect_step(c, clock_monotonic(), stream, err);
        if (io != NET_IO_AGAIN)
            return io;
        struct net_wait wait = net_connect_wait(c);
        EXPECT(c->step_at - clock_monotonic() < 60 * CLOCK_SECOND);
        net_wait(&wait, 1, c->step_at);
    }
}

static void start(struct net_connecting *c, const char *host, uint16_t port, int64_t timeout)
{
    struct err err = {0};
    EXPECT_I64(net_connect_start(c, host, port, clock_monotonic() + timeout, &err), 0);
}

TEST(net_connect_to_an_address)
{
    struct net_address address;
    struct net_connecting c;
    struct err err = {0};
    struct stream *stream = NULL;
    int listening = listener(5, &address);
    start(&c, "127.0.0.1", port_of(&address), 50 * CLOCK_SECOND);
    EXPECT(finish(&c, &stream, &err) == NET_IO_DONE);
    EXPECT((fcntl(stream_wait(stream, false).handle, F_GETFL) & O_NONBLOCK) != 0);
    EXPECT(accept(listening, NULL, NULL) >= 0);
    net_connect_cancel(&c);
    size_t done;
    EXPECT(stream_handshake(stream, &err) == NET_IO_DONE);
    EXPECT(stream_write(stream, "x", 1, &done, &err) == NET_IO_DONE); /* cancel left it alone */
    stream_close(&stream);
    EXPECT(stream == NULL);
}

TEST(net_connect_to_a_name_tries_all_its_addresses)
{
    struct net_address address;
    struct net_connecting c;
    struct err err = {0};
    struct stream *stream = NULL;
    listener(5, &address);
    /* localhost may stand for ::1 first, where nobody listens */
    start(&c, "localhost", port_of(&address), 50 * CLOCK_SECOND);
    EXPECT(finish(&c, &stream, &err) == NET_IO_DONE);
    stream_close(&stream);
}

TEST(net_connect_refused)
{
    struct net_address address;
    struct net_connecting c;
    struct err err = {0};
    struct stream *stream = NULL;
    bound(&address);
    start(&c, "127.0.0.1", port_of(&address), 50 * CLOCK_SECOND);
    EXPECT(finish(&c, &stream, &err) == NET_IO_DEAD);
    EXPECT(err.code == ERR_NETWORK && strstr(err.text, "refused") != NULL);
    EXPECT(stream == NULL);
    net_connect_cancel(&c);
}

/* An address that does not answer: the queue of a listener that nobody accepts from is full. */
static void silent_address(struct net_address *address)
{
    listener(0, address);
    for (int i = 0; i < 16; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fd, (struct sockaddr *)address->bytes, address->len);
    }
}

TEST(net_connect_gives_up_at_its_deadline)
{
    struct net_address address;
    struct net_connecting c;
    struct err err = {0};
    struct stream *stream = NULL;
    silent_address(&address);
    start(&c, "127.0.0.1", port_of(&address), 200 * CLOCK_MILLISECOND);
    int64_t before = clock_monotonic();
    EXPECT(finish(&c, &stream, &err) == NET_IO_DEAD);
    EXPECT(strstr(err.text, "took too long") != NULL);
    EXPECT(clock_monotonic() - before < 60 * CLOCK_SECOND);
}

TEST(net_connect_goes_on_to_the_next_address_after_refusal_or_silence)
{
    struct net_address silent, closed, open;
    struct net_connecting c;
    struct err err = {0};
    struct stream *stream = NULL;
    silent_address(&silent);
    bound(&closed);
    listener(5, &open);
    start(&c, "127.0.0.1", 1, 6 * CLOCK_SECOND);
    c.addresses.list[0] = silent;
    c.addresses.list[1] = closed;
    c.addresses.list[2] = open;
    c.addresses.count = 3;
    EXPECT(finish(&c, &stream, &err) == NET_IO_DONE);
    EXPECT(!err_is_set(&err));
    stream_close(&stream);
}

TEST(net_connect_to_a_name_that_cannot_exist)
{
    struct net_connecting c;
    struct err err = {0};
    struct stream *stream = NULL;
    start(&c, "a..b", 1, 50 * CLOCK_SECOND);
    EXPECT(finish(&c, &stream, &err) == NET_IO_DEAD);
    EXPECT(strstr(err.text, "resolve") != NULL);
}

TEST(net_connect_does_not_wait_for_the_resolver_beyond_the_deadline)
{
    struct net_connecting c;
    struct err err = {0};
    struct stream *stream = NULL;
    start(&c, "localhost", 1, 10 * CLOCK_SECOND);
    EXPECT(c.resolve.fd >= 0);
    net_resolve_cancel(&c.resolve);
    int never[2]; /* in its place one that is never done */
    EXPECT_I64(pipe2(never, O_NONBLOCK), 0);
    c.resolve.fd = never[0];
    EXPECT(net_connect_step(&c, c.deadline - 1, &stream, &err) == NET_IO_AGAIN);
    EXPECT(net_connect_step(&c, c.deadline, &stream, &err) == NET_IO_DEAD);
    EXPECT_TEXT(err.text, "resolving the name took too long");
}

TEST(net_connect_can_be_given_up)
{
    struct net_address address;
    struct net_connecting c;
    struct err err = {0};
    struct stream *stream = NULL;
    silent_address(&address);
    start(&c, "127.0.0.1", port_of(&address), 50 * CLOCK_SECOND);
    EXPECT(net_connect_step(&c, clock_monotonic(), &stream, &err) == NET_IO_AGAIN);
    net_connect_cancel(&c);
    EXPECT_I64(net_connect_wait(&c).handle, -1);
}

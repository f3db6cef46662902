/* SPDX-License-Identifier: MIT */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "test.h"

/* The system's resolver has its own time limits. */
static enum net_io finish(struct net_resolve *r, struct net_addresses *a, struct err *err)
{
    enum net_io io;
    while ((io = net_resolve_step(r, a, err)) == NET_IO_AGAIN) {
        struct net_wait wait = {.handle = r->fd, .want = NET_READABLE};
        net_wait(&wait, 1, INT64_MAX);
    }
    return io;
}

TEST(net_resolve_numeric_addresses_need_no_thread)
{
    struct net_resolve r;
    struct net_addresses a;
    struct err err = {0};
    EXPECT_I64(net_resolve_start(&r, "127.0.0.1", 4222, &a, &err), 1);
    EXPECT_I64(r.fd, -1);
    EXPECT_U64(a.count, 1);
    const struct sockaddr_in *in = (const struct sockaddr_in *)a.list[0].bytes;
    EXPECT_I64(in->sin_family, AF_INET);
    EXPECT_U64(ntohl(in->sin_addr.s_addr), 0x7f000001);
    EXPECT_U64(ntohs(in->sin_port), 4222);
    EXPECT_I64(net_resolve_start(&r, "::1", 1, &a, &err), 1);
    EXPECT_I64(((const struct sockaddr *)a.list[0].bytes)->sa_family, AF_INET6);
    net_resolve_cancel(&r);
}

TEST(net_resolve_a_name_in_a_thread)
{
    struct net_resolve r;
    struct net_addresses a = {0};
    struct err err = {0};
    EXPECT_I64(net_resolve_start(&r, "localhost", 4222, &a, &err), 0);
    EXPECT(r.fd >= 0);
    EXPECT(finish(&r, &a, &err) == NET_IO_DONE);
    EXPECT(a.count >= 1);
    EXPECT_I64(r.fd, -1);
}

/* Also where there is neither /etc/hosts nor a resolver (RFC 6761, section 6.3). */
TEST(net_resolve_localhost_is_the_loopback_address)
{
    static const char *const names[] = {"localhost", "LocalHost", "varve.localhost"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct net_addresses a = {0};
        EXPECT_I64(net_look_up(names[i], 4222, 0, &a), 0);
        EXPECT_U64(a.count, 2);
        const struct sockaddr_in *four = (const struct sockaddr_in *)a.list[0].bytes;
        EXPECT(four->sin_family == AF_INET && ntohl(four->sin_addr.s_addr) == 0x7f000001);
        EXPECT_U64(ntohs(four->sin_port), 4222);
        EXPECT_I64(((const struct sockaddr *)a.list[1].bytes)->sa_family, AF_INET6);
    }
}

TEST(net_resolve_of_a_name_that_cannot_exist_fails)
{
    struct net_resolve r;
    struct net_addresses a = {0};
    struct err err = {0};
    EXPECT_I64(net_resolve_start(&r, "a..b", 4222, &a, &err), 0);
    EXPECT(finish(&r, &a, &err) == NET_IO_DEAD);
    EXPECT(err.code == ERR_NETWORK);
    EXPECT_I64(r.fd, -1);
}

TEST(net_resolve_can_be_given_up_at_any_time)
{
    for (int i = 0; i < 50; i++) {
        struct net_resolve r;
        struct net_addresses a;
        struct err err = {0};
        EXPECT_I64(net_resolve_start(&r, "localhost", 1, &a, &err), 0);
        net_resolve_cancel(&r);
        net_resolve_cancel(&r);
        EXPECT_I64(r.fd, -1);
    }
}

TEST(net_resolve_refuses_a_host_that_is_too_long)
{
    char host[400];
    struct net_resolve r;
    struct net_addresses a;
    struct err err = {0};
    memset(host, 'h', sizeof(host));
    host[sizeof(host) - 1] = '\0';
    EXPECT_I64(net_resolve_start(&r, host, 1, &a, &err), -1);
    EXPECT(err.code == ERR_LIMIT);
}

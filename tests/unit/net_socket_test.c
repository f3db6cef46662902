/* SPDX-License-Identifier: MIT */
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

static void open_pair(int ends[2])
{
    EXPECT_I64(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
}

TEST(net_socket_reads_what_is_there_and_then_again)
{
    int ends[2];
    char data[16];
    size_t done = 0;
    struct err err = {0};
    open_pair(ends);
    EXPECT(net_read(ends[0], data, sizeof data, &done, &err) == NET_IO_AGAIN);
    EXPECT(net_write(ends[1], "hello", 5, &done, &err) == NET_IO_DONE);
    EXPECT_U64(done, 5);
    EXPECT(net_read(ends[0], data, 3, &done, &err) == NET_IO_DONE);
    EXPECT_U64(done, 3);
    EXPECT(net_read(ends[0], data, sizeof data, &done, &err) == NET_IO_DONE);
    EXPECT_U64(done, 2);
    EXPECT(!err_is_set(&err));
}

TEST(net_socket_end_of_file_is_an_error_of_its_own)
{
    int ends[2];
    char data[16];
    size_t done;
    struct err err = {0};
    open_pair(ends);
    EXPECT(net_write(ends[1], "x", 1, &done, &err) == NET_IO_DONE);
    net_close(&ends[1]);
    EXPECT_I64(ends[1], -1);
    net_close(&ends[1]);
    EXPECT(net_read(ends[0], data, sizeof data, &done, &err) == NET_IO_DONE); /* data first */
    EXPECT(net_read(ends[0], data, sizeof data, &done, &err) == NET_IO_DEAD);
    EXPECT(err.code == ERR_NETWORK && err.system == 0);
}

TEST(net_socket_write_to_a_closed_peer_is_an_error_and_no_signal)
{
    int ends[2];
    size_t done;
    struct err err = {0};
    open_pair(ends);
    net_close(&ends[1]);
    EXPECT(net_write(ends[0], "x", 1, &done, &err) == NET_IO_DEAD);
    EXPECT(err.code == ERR_NETWORK && err.system == EPIPE);
}

TEST(net_socket_write_says_again_when_the_peer_does_not_read)
{
    int ends[2];
    static char data[65536];
    size_t done, total = 0;
    struct err err = {0};
    open_pair(ends);
    enum net_io io;
    while ((io = net_write(ends[0], data, sizeof data, &done, &err)) == NET_IO_DONE)
        total += done;
    EXPECT(io == NET_IO_AGAIN && total > 0);
}

TEST(net_socket_tune_sets_no_delay_and_survives_other_sockets)
{
    int value = 0, ends[2];
    socklen_t len = sizeof value;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    net_tune(fd);
    EXPECT_I64(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    EXPECT(value != 0);
    EXPECT_I64(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &len), 0);
    EXPECT_I64(value, NET_USER_TIMEOUT_MS);
    EXPECT_I64(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    EXPECT(value != 0);
    net_close(&fd);
    open_pair(ends);
    net_tune(ends[0]);
}

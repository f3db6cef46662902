/* SPDX-License-Identifier: MIT */
#include "net/network.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "test.h"

static void open_pair(int ends[2])
{
    EXPECT_I64(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
}

TEST(net_system_reads_what_is_there_and_then_again)
{
    int ends[2];
    char data[16];
    size_t done = 0;
    struct err err = {0};
    open_pair(ends);
    EXPECT(net_read(ends[0], data, sizeof(data), &done, &err) == NET_IO_AGAIN);
    EXPECT(net_write(ends[1], "hello", 5, &done, &err) == NET_IO_DONE);
    EXPECT_U64(done, 5);
    EXPECT(net_read(ends[0], data, 3, &done, &err) == NET_IO_DONE);
    EXPECT_U64(done, 3);
    EXPECT(net_read(ends[0], data, sizeof(data), &done, &err) == NET_IO_DONE);
    EXPECT_U64(done, 2);
    EXPECT(!err_is_set(&err));
}

TEST(net_system_end_of_file_is_an_error_of_its_own)
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
    EXPECT(net_read(ends[0], data, sizeof(data), &done, &err) == NET_IO_DONE); /* data first */
    EXPECT(net_read(ends[0], data, sizeof(data), &done, &err) == NET_IO_DEAD);
    EXPECT(err.code == ERR_NETWORK && err.system == 0);
}

TEST(net_system_write_to_a_closed_peer_is_an_error_and_no_signal)
{
    int ends[2];
    size_t done;
    struct err err = {0};
    open_pair(ends);
    net_close(&ends[1]);
    EXPECT(net_write(ends[0], "x", 1, &done, &err) == NET_IO_DEAD);
    EXPECT(err.code == ERR_NETWORK && err.system == EPIPE);
}

TEST(net_system_write_says_again_when_the_peer_does_not_read)
{
    int ends[2];
    static char data[65536];
    size_t done, total = 0;
    struct err err = {0};
    open_pair(ends);
    enum net_io io;
    while ((io = net_write(ends[0], data, sizeof(data), &done, &err)) == NET_IO_DONE)
        total += done;
    EXPECT(io == NET_IO_AGAIN && total > 0);
}

/* A listener on a free port of the loopback, by its own name. */
static int listener(char name[static NET_NAME_MAX], struct net_addresses *addresses)
{
    struct err err = {0};
    EXPECT_I64(net_resolve("127.0.0.1", 0, addresses, &err), 1);
    int listening = net_listen(&addresses->list[0], name, &err);
    EXPECT(listening >= 0);
    EXPECT(strncmp(name, "127.0.0.1:", 10) == 0);
    int port = atoi(name + 10);
    EXPECT(port > 0);
    EXPECT_I64(net_resolve("127.0.0.1", (uint16_t)port, addresses, &err), 1);
    return listening;
}

static void wait_for(int handle, unsigned want)
{
    struct net_wait wait = {.handle = handle, .want = want};
    net_wait(&wait, 1, clock_monotonic() + 60 * CLOCK_SECOND);
    EXPECT((wait.ready & want) != 0);
}

TEST(net_system_connections_have_no_delay_and_notice_a_dead_peer)
{
    char name[NET_NAME_MAX];
    struct net_addresses addresses;
    struct err err = {0};
    int value = 0, accepted = -1;
    socklen_t len = sizeof(value);
    int listening = listener(name, &addresses);
    EXPECT(net_accept(listening, &accepted, &err) == NET_IO_AGAIN);
    int fd = net_connect(&addresses.list[0], &err);
    EXPECT(fd >= 0);
    wait_for(fd, NET_WRITABLE);
    EXPECT(net_connected(fd, &err) == NET_IO_DONE);
    wait_for(listening, NET_READABLE);
    EXPECT(net_accept(listening, &accepted, &err) == NET_IO_DONE);
    EXPECT_I64(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    EXPECT(value != 0);
    EXPECT_I64(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &len), 0);
    EXPECT_I64(value, SYSTEM_USER_TIMEOUT_MS);
    EXPECT_I64(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    EXPECT(value != 0);
    EXPECT((fcntl(accepted, F_GETFL) & O_NONBLOCK) != 0);
    EXPECT((fcntl(accepted, F_GETFD) & FD_CLOEXEC) != 0);
    /* What was written before the end is read before it. */
    size_t done;
    char data[4];
    EXPECT(net_write(accepted, "bye", 3, &done, &err) == NET_IO_DONE);
    net_finish(accepted);
    wait_for(fd, NET_READABLE);
    EXPECT(net_read(fd, data, sizeof(data), &done, &err) == NET_IO_DONE && done == 3);
    wait_for(fd, NET_READABLE);
    EXPECT(net_read(fd, data, sizeof(data), &done, &err) == NET_IO_DEAD);
}

TEST(net_system_refused)
{
    char name[NET_NAME_MAX];
    struct net_addresses addresses;
    struct err err = {0};
    int listening = listener(name, &addresses);
    net_close(&listening);
    int fd = net_connect(&addresses.list[0], &err);
    EXPECT(fd >= 0);
    wait_for(fd, NET_WRITABLE);
    EXPECT(net_connected(fd, &err) == NET_IO_DEAD);
    EXPECT(err.code == ERR_NETWORK && err.system == ECONNREFUSED);
}

TEST(net_system_no_room_for_one_more_is_no_end_of_the_listener)
{
    char name[NET_NAME_MAX];
    struct net_addresses addresses;
    struct err err = {0};
    struct rlimit limit;
    int accepted;
    int listening = listener(name, &addresses);
    int fd = net_connect(&addresses.list[0], &err);
    wait_for(listening, NET_READABLE);
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)fd + 1;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    EXPECT(net_accept(listening, &accepted, &err) == NET_IO_DEAD);
    EXPECT(err.system == EMFILE);
    limit.rlim_cur = before;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    EXPECT(net_accept(listening, &accepted, &err) == NET_IO_DONE);
}

static void *wake_from_elsewhere(void *argument)
{
    waker_wake(*(const struct waker *)argument);
    return NULL;
}

TEST(net_system_wait_is_ended_by_another_thread)
{
    struct waker waker;
    struct err err = {0};
    pthread_t thread;
    EXPECT(net_waker(&waker, &err) == 0);
    struct net_wait list[2] = {{.handle = -1}, {.handle = waker.handle, .want = NET_READABLE}};
    EXPECT(pthread_create(&thread, NULL, wake_from_elsewhere, &waker) == 0);
    net_wait(list, 2, INT64_MAX);
    EXPECT(list[0].ready == 0 && list[1].ready == NET_READABLE);
    EXPECT(pthread_join(thread, NULL) == 0);
    net_calm(&waker);
    net_calm(&waker); /* harmless */
    list[1].ready = 0;
    net_wait(list, 2, clock_monotonic());
    EXPECT(list[1].ready == 0);
    net_close(&waker.handle);
}

/* Input that a stream holds back is not seen by the system: the wait must not begin. */
TEST(net_system_wait_returns_at_once_for_what_is_ready_already)
{
    int ends[2];
    open_pair(ends);
    struct net_wait list[2] = {
        {.handle = ends[0], .want = NET_READABLE, .ready = NET_READABLE},
        {.handle = ends[1], .want = NET_READABLE | NET_WRITABLE},
    };
    net_wait(list, 2, INT64_MAX);
    EXPECT(list[0].ready == NET_READABLE);
    EXPECT(list[1].ready == NET_WRITABLE); /* and what the system knows is there as well */
}

/* Who waits for bytes learns of the end, too. */
TEST(net_system_wait_reports_an_end)
{
    int ends[2];
    open_pair(ends);
    net_close(&ends[1]);
    struct net_wait wait = {.handle = ends[0]};
    net_wait(&wait, 1, INT64_MAX);
    EXPECT(wait.ready == (NET_READABLE | NET_WRITABLE));
}

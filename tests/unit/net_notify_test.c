/* SPDX-License-Identifier: MIT */
#include "net/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "test.h"

/* A service manager. `name` begins with '@' for an abstract socket. */
static int listen_as_manager(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    socklen_t len = (socklen_t)(sizeof(address.sun_family) + strlen(name));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    EXPECT(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
    EXPECT(setenv("NOTIFY_SOCKET", name, 1) == 0);
    return fd;
}

/* The next datagram; "" if there is none. */
static const char *heard(int fd)
{
    static char text[256];
    ssize_t got = recv(fd, text, sizeof(text) - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

static void check_with(const char *name)
{
    struct notify n;
    int fd = listen_as_manager(name);
    EXPECT(setenv("WATCHDOG_USEC", "3000000", 1) == 0);
    notify_open(&n);
    notify_send(&n, "READY=1");
    EXPECT_TEXT(heard(fd), "READY=1");
    EXPECT_I64(n.next, 0); /* at once, then every half of three seconds */
    EXPECT_I64(notify_tick(&n, 10), 1500000010);
    EXPECT_TEXT(heard(fd), "WATCHDOG=1");
    EXPECT_I64(n.next, 1500000010);
    EXPECT_I64(notify_tick(&n, 1500000009), 1500000010);
    EXPECT_TEXT(heard(fd), "");
    EXPECT_I64(notify_tick(&n, 1500000010), 3000000010);
    EXPECT_TEXT(heard(fd), "WATCHDOG=1");
    notify_close(&n);
    notify_send(&n, "STOPPING=1");
    EXPECT_TEXT(heard(fd), "");
    EXPECT(close(fd) == 0);
}

TEST(notify_path)
{
    char name[100], dir[80];
    EXPECT(getcwd(dir, sizeof(dir)) != NULL);
    (void)snprintf(name, sizeof(name), "%s/notify", dir);
    check_with(name);
}

TEST(notify_abstract)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "@varve-test-%ld", (long)getpid());
    check_with(name);
}

static void expect_no_watchdog(const char *usec, const char *pid)
{
    struct notify n;
    EXPECT(setenv("WATCHDOG_USEC", usec, 1) == 0 && setenv("WATCHDOG_PID", pid, 1) == 0);
    notify_open(&n);
    EXPECT_I64(n.next, INT64_MAX);
    notify_close(&n);
}

TEST(notify_no_watchdog)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "@varve-test-%ld", (long)getpid());
    int fd = listen_as_manager(name);
    expect_no_watchdog("3000000", "1"); /* it is for another process */
    expect_no_watchdog("0", "");
    expect_no_watchdog("-1", "");
    expect_no_watchdog("99999999999999999999", "");
    expect_no_watchdog("9223372036854775807", "");
    EXPECT(close(fd) == 0);
}

TEST(notify_nobody)
{
    struct notify n;
    EXPECT(unsetenv("NOTIFY_SOCKET") == 0);
    notify_open(&n);
    EXPECT_I64(n.fd, -1);
    notify_send(&n, "READY=1");
    notify_close(&n);
    EXPECT(setenv("NOTIFY_SOCKET", "relative", 1) == 0);
    notify_open(&n);
    EXPECT_I64(n.fd, -1);
    EXPECT(setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1) == 0);
    notify_open(&n);
    EXPECT_I64(n.fd, -1);
}

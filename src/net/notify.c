/* SPDX-License-Identifier: MIT */
#include "net/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/num.h"

/* A socket that is connected to a path, or to an abstract name, which is written with '@'. */
static int connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, size) == 0)
        return fd;
    (void)close(fd); /* nothing was written */
    return -1;
}

static uint64_t number_from(const char *variable)
{
    const char *text = getenv(variable);
    uint64_t value = 0;
    return text != NULL && num_parse_u64(slice_of(text), &value) ? value : 0;
}

void notify_open(struct notify *n)
{
    const char *name = getenv("NOTIFY_SOCKET");
    *n = (struct notify){.fd = name == NULL ? -1 : connect_to(name), .next = INT64_MAX};
    uint64_t pid = number_from("WATCHDOG_PID");
    uint64_t microseconds = number_from("WATCHDOG_USEC");
    if (n->fd < 0 || microseconds == 0 || microseconds > INT64_MAX / 1000 ||
        (pid != 0 && pid != (uint64_t)getpid()))
        return;
    n->interval = (int64_t)microseconds * 1000 / 2; /* half of it, as sd_watchdog_enabled(3) says */
    n->next = 0;
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        (void)close(n->fd); /* datagrams are sent or not by now */
    n->fd = -1;
}

void notify_send(struct notify *n, const char *state)
{
    if (n->fd < 0)
        return;
    ssize_t sent = send(n->fd, state, strlen(state), MSG_NOSIGNAL);
    (void)sent; /* the manager is there, or it is not */
}

int64_t notify_tick(struct notify *n, int64_t now)
{
    if (now < n->next)
        return n->next;
    notify_send(n, "WATCHDOG=1");
    n->next = now + n->interval;
    return n->next;
}

/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "server.h"

/* The model server behind real sockets, with the real clock, for tests/sim/test_model_server.py.
 * Standard input says what befalls it, a byte each: 's', all of it is on its disk; 'r', it ends,
 * and starts with its streams as they were then. It ends for good where that does. */

enum { SERVE_MAX = 16 };

struct served {
    int fd;
    uint32_t connection;
};

static int listen_anywhere(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, size) != 0 ||
        listen(fd, SERVE_MAX) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        abort();
    *port = ntohs(address.sin_port);
    return fd;
}

static void hang_up(struct server *s, struct served *c)
{
    server_disconnect(s, c->connection);
    (void)close(c->fd);
    c->fd = -1;
}

/* Read what is there, if anything is. */
static void take_input(struct server *s, struct served *c)
{
    uint8_t bytes[4096];
    ssize_t got = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (got > 0)
        server_input(s, c->connection, (struct slice){bytes, (size_t)got}, clock_monotonic());
    else if (got == 0)
        hang_up(s, c);
}

static void give_output(struct server *s, struct served *c)
{
    struct slice out = server_output(s, c->connection);
    ssize_t sent = out.len > 0 ? send(c->fd, out.data, out.len, MSG_NOSIGNAL) : 0;
    if (sent > 0)
        server_sent(s, c->connection, (size_t)sent);
    if (sent < 0 || (server_is_closed(s, c->connection) && (size_t)sent == out.len))
        hang_up(s, c);
}

static void accept_one(struct server *s, int listener, struct served served[static SERVE_MAX])
{
    int fd = accept(listener, NULL, NULL);
    for (int i = 0; i < SERVE_MAX && fd >= 0; i++) {
        if (served[i].fd >= 0)
            continue;
        served[i] = (struct served){fd, server_connect(s, clock_monotonic())};
        return;
    }
    (void)close(fd);
}

static int wait_ms(const struct server *s)
{
    int64_t left = server_deadline(s) - clock_monotonic();
    if (left > 1000 * CLOCK_MILLISECOND)
        return 1000;
    return left <= 0 ? 0 : (int)(left / CLOCK_MILLISECOND) + 1;
}

/* False at the end. What was done is said, so that nobody has to wait for it in vain. */
static bool take_order(struct server *s)
{
    char order;
    if (read(STDIN_FILENO, &order, 1) != 1)
        return false;
    if (order == 's') {
        server_sync(s, "S");
    } else {
        server_end(s, SERVER_ROLLED, clock_monotonic());
        server_start(s, clock_monotonic());
    }
    printf("%c\n", order);
    (void)fflush(stdout);
    return true;
}

int serve(uint32_t minor, uint32_t patch)
{
    struct server_options options = {.minor = minor,
                                     .patch = patch,
                                     .wall = clock_wall() - clock_monotonic(),
                                     .max_payload = 1024 * 1024,
                                     .max_pending = 64 * 1024 * 1024,
                                     .replicas = 1,
                                     .name = "model"};
    struct server *s = server_new(&options);
    struct served served[SERVE_MAX];
    struct pollfd fds[SERVE_MAX + 2];
    uint16_t port;
    int listener = listen_anywhere(&port);
    for (int i = 0; i < SERVE_MAX; i++)
        served[i].fd = -1;
    printf("%u\n", port);
    (void)fflush(stdout);
    do {
        fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
        for (int i = 0; i < SERVE_MAX; i++)
            fds[i + 2] = (struct pollfd){.fd = served[i].fd, .events = POLLIN};
        if (poll(fds, SERVE_MAX + 2, wait_ms(s)) < 0)
            break;
        if ((fds[0].revents & POLLIN) != 0)
            accept_one(s, listener, served);
        for (int i = 0; i < SERVE_MAX; i++)
            if (served[i].fd >= 0 && fds[i + 2].fd >= 0 && fds[i + 2].revents != 0)
                take_input(s, &served[i]);
        server_tick(s, clock_monotonic());
        for (int i = 0; i < SERVE_MAX; i++)
            if (served[i].fd >= 0)
                give_output(s, &served[i]);
    } while (fds[1].revents == 0 || take_order(s));
    server_free(s);
    return 0;
}

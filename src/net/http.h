/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_HTTP_H
#define VARVE_NET_HTTP_H

#include <poll.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/http_request.h"

/*
 * A small HTTP/1.1 server that lives in somebody else's poll loop. It moves bytes; what a path
 * means is the owner's business:
 *
 *     count = http_poll(server, fds)
 *     poll(fds, ...)
 *     http_turn(server, fds, count, now)
 *     while ((c = http_next(server)) != NULL)
 *         http_respond(c, &response, now)
 *
 * One request a connection, GET and HEAD; all else is refused here. Whoever is slow is cut off, and
 * where there are too many connections, the one that has waited longest without a whole request
 * makes room: nobody can keep others from an answer by doing nothing.
 */
enum {
    HTTP_CONNECTIONS_MAX = 16,
    HTTP_POLL_MAX = HTTP_CONNECTIONS_MAX + 1,
    HTTP_ADDRESS_MAX = 80, /* "[ipv6%scope]:port" */
};

#define HTTP_TIME_MAX (5 * CLOCK_SECOND) /* for a whole request, and again for its answer */
#define HTTP_LINGER CLOCK_SECOND         /* for the peer to close, so that it loses no byte */
#define HTTP_ACCEPT_PAUSE CLOCK_SECOND   /* while no descriptors are left */

enum http_state {
    HTTP_FREE,
    HTTP_READING,
    HTTP_ASKING, /* a whole request waits for http_respond */
    HTTP_WRITING,
    HTTP_CLOSING, /* all is said */
};

struct http_connection {
    enum http_state state;
    int fd;
    int64_t deadline;
    struct http_request request; /* of HTTP_ASKING */
    uint8_t head[HTTP_HEAD_MAX];
    size_t head_len;
    struct buf out;
    size_t written;
};

struct http_server {
    int listener;                   /* -1: off */
    char address[HTTP_ADDRESS_MAX]; /* as bound, with the port that the system chose for port 0 */
    int64_t accept_after;
    struct http_connection connections[HTTP_CONNECTIONS_MAX];
};

/* Listen on "host:port" or "[ipv6]:port"; "" is off. A name may take the resolver's time. Fails
 * with ERR_USAGE and what to do. http_close is fine afterwards in any case. */
int http_listen(struct http_server *s, const char *address, struct err *err)
    __attribute__((warn_unused_result));
void http_close(struct http_server *s);

/* Fill in what to wait for; returns how many. */
size_t http_poll(const struct http_server *s, struct pollfd fds[static HTTP_POLL_MAX]);
int64_t http_deadline(const struct http_server *s);

/* Accept, read, write, cut off. `fds` as they came from http_poll, then poll. */
void http_turn(struct http_server *s, const struct pollfd *fds, size_t count, int64_t now);

/* A connection whose request waits for an answer, or NULL. */
struct http_connection *http_next(struct http_server *s);

struct http_response {
    int status;
    const char *type;   /* Content-Type */
    const char *fields; /* more header lines, each with its \r\n; "" for none */
    struct slice body;
};

/* Answer it. The body is copied. */
void http_respond(struct http_connection *c, const struct http_response *response, int64_t now);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_HTTP_H
#define VARVE_NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/network.h"
#include "net/stream.h"
#include "net/tls.h"

/*
 * The head of an HTTP/1.x request (RFC 9112): as much of it as a server needs that answers GET and
 * HEAD, reads no bodies and closes each connection behind its answer.
 */
enum {
    /* Request line and fields. Browsers and Prometheus stay below 2 KiB. */
    HTTP_HEAD_MAX = 8 * 1024,
};

enum http_parsed {
    HTTP_MORE,  /* the head is not complete */
    HTTP_WHOLE, /* it is, and can be answered */
    HTTP_BAD,   /* to be refused with `refusal` */
};

struct http_request {
    bool head_only;    /* HEAD */
    struct slice path; /* of the target, without the query; in the bytes that were parsed */
    struct slice
        token;   /* what "Authorization: Bearer" gives (RFC 6750 section 2.1); in there, too */
    int refusal; /* status of HTTP_BAD: 400, 405, 431 or 505 */
};

/* Parse all bytes that have come so far. What follows the head is ignored. */
enum http_parsed http_request_parse(struct slice bytes, struct http_request *out);

/*
 * A small HTTP/1.1 server that lives in somebody else's loop. It moves bytes; what a path means is
 * the owner's business:
 *
 *     count = http_waits(server, list)
 *     net_wait(list, count, deadline)
 *     deadline = http_turn(server, list, count, now)
 *
 * One request a connection, GET and HEAD; all else is refused here. Whoever is slow is cut off, and
 * where there are too many connections, the one that has waited longest without a whole request
 * makes room: nobody can keep others from an answer by doing nothing. With TLS handshakes take at
 * most a fifth of the loop's time: who else wants one waits, so that no number of them stops the
 * owner's work.
 */
enum {
    HTTP_CONNECTIONS_MAX = 16,
    HTTP_WAITS_MAX = HTTP_CONNECTIONS_MAX + 1,
};

#define HTTP_TIME_MAX \
    (5 * CLOCK_SECOND)           /* for handshake and whole request, and again for its answer */
#define HTTP_LINGER CLOCK_SECOND /* for the peer to close, so that it loses no byte */
#define HTTP_ACCEPT_PAUSE CLOCK_SECOND /* while no descriptors are left */

/* A step of a handshake that takes longer than this, since it signs, is followed by a pause. */
#define HTTP_HANDSHAKE_CHEAP (CLOCK_SECOND / 2000)
enum { HTTP_HANDSHAKE_SHARE = 5 };

enum http_state {
    HTTP_FREE,
    HTTP_SECURING, /* the handshake of TLS */
    HTTP_READING,
    HTTP_WRITING,
    HTTP_CLOSING, /* all is said */
};

struct http_connection {
    enum http_state state;
    int handle;            /* of `stream`, to know it again */
    struct stream *stream; /* NULL: free */
    int64_t deadline;
    struct http_request request;
    uint8_t head[HTTP_HEAD_MAX];
    size_t head_len;
    struct buf out;
    size_t written;
};

struct http_response {
    int status;
    const char *type;   /* Content-Type */
    const char *fields; /* more header lines, each with its \r\n; "" for none */
    struct slice body;  /* is copied when the handler has returned */
};

/* Answers a request, whose path is borrowed for the call. */
typedef struct http_response http_handler(void *context, struct slice path, int64_t now);

struct http_server {
    int listener;               /* -1: off */
    char address[NET_NAME_MAX]; /* as bound, with the port that the system chose for port 0 */
    http_handler *handler;
    void *context;
    const char *token;      /* asked of everybody, borrowed from the owner; NULL: none */
    struct tls_server *tls; /* for connections that come from now on, borrowed; NULL: plain */
    int64_t accept_after, secure_after; /* 0: there is no pause */
    struct http_connection connections[HTTP_CONNECTIONS_MAX];
};

/* Listen on "host:port" or "[ipv6]:port"; "" is off. A name may take the resolver's time. Fails
 * with ERR_USAGE and what to do. http_close is fine afterwards in any case. `context` is the
 * handler's, and lives as long as the server. */
int http_listen(struct http_server *s, const char *address, http_handler *handler, void *context,
                struct err *err) __attribute__((warn_unused_result));
void http_close(struct http_server *s);

/* Fill in what to wait for; returns how many. */
size_t http_waits(const struct http_server *s, struct net_wait list[static HTTP_WAITS_MAX]);

/* Accept, read, answer, write, cut off. `list` as it came from http_waits, then net_wait. Returns
 * when the next turn is due if nothing gets ready before. */
int64_t http_turn(struct http_server *s, const struct net_wait *list, size_t count, int64_t now);

#endif

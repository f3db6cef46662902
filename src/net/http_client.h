/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_HTTP_CLIENT_H
#define VARVE_NET_HTTP_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/network.h"
#include "net/tls.h"

/*
 * A client's side of HTTP/1.1 (RFC 9112), plain or over TLS: one request at a time, on a connection
 * that is kept for the next one. It blocks its thread, each wait is bounded, and what the server
 * sends is not trusted to end.
 */
enum {
    HTTP_ANSWER_HEAD_MAX = 64 * 1024, /* status line and fields. S3's stay below 2 KiB, with
                                         metadata below 10 KiB */
    HTTP_CHUNK_LINE_MAX = 4 * 1024,   /* a chunk's size with its extension, or a trailer field */
    HTTP_BODY_MAX = 4 * 1024 * 1024,  /* of http_get: more than any page of varve has */
};

#define HTTP_SILENCE_MAX (30 * CLOCK_SECOND) /* without a byte in either direction: it is dead */
#define HTTP_IDLE_MAX (15 * CLOCK_SECOND)    /* S3 closes what has been idle for 20 s */

/* A server, and how to talk to it. */
struct http_origin {
    bool tls;
    uint16_t port;
    char host[NET_HOST_MAX + 1]; /* an IPv6 address without its brackets */
};

/* Of "http://host:port/path" or "https://..."; *path is what follows, "" or beginning with '/', in
 * `url`. ERR_USAGE says what is wrong with it: no user, query or fragment is allowed. */
int http_origin_parse(const char *url, struct http_origin *out, const char **path, struct err *err)
    __attribute__((warn_unused_result));

/* Append "host" or "host:port" as the Host field has it: without a port that the scheme implies. */
void http_origin_append(struct buf *out, const struct http_origin *origin);

struct http_answer {
    int status;
    struct slice fields; /* lines of the head; as long as the bytes that were parsed */
    bool chunked;
    bool has_length;
    uint64_t length; /* of the body, if has_length */
    bool keep;       /* the connection may be used again */
};

enum http_head { HTTP_HEAD_PART, HTTP_HEAD_WHOLE, HTTP_HEAD_BAD };

/* Parse the head of an answer from all bytes that have come so far; *used of them are the head. */
enum http_head http_answer_parse(struct slice bytes, struct http_answer *out, size_t *used);

/* The value of the first field of this name (in small letters), without blanks around it. False,
 * and an empty value, if there is none. */
bool http_answer_field(const struct http_answer *answer, const char *name, struct slice *value);

/* A body in chunks (section 7.1). Zeroed: at its start. */
struct http_chunks {
    enum {
        HTTP_CHUNK_SIZE,
        HTTP_CHUNK_DATA,
        HTTP_CHUNK_END,
        HTTP_CHUNK_TRAILER,
        HTTP_CHUNK_OVER
    } at;
    uint64_t left;  /* of the chunk's data */
    size_t trailer; /* bytes so far */
};

/* Take what can be taken from the front of `in`; *data is what of it belongs to the body. Call
 * again with the rest and what has come since, until 0 bytes are taken. False: not chunks. */
bool http_chunks_take(struct http_chunks *c, struct slice in, size_t *taken, struct slice *data)
    __attribute__((warn_unused_result));

struct http_question {
    struct slice head; /* request line, fields and the empty line */
    struct slice body;
    bool head_only;    /* HEAD: the answer has no body */
    uint64_t body_max; /* of the answer: what is longer is cut, and the connection closed */
    int64_t deadline;  /* monotonic, for all of it */
};

enum http_end {
    HTTP_ANSWERED,
    HTTP_UNSENT, /* the server has not got a byte of it: there is no connection */
    HTTP_LOST,   /* it may have got it; there is no whole answer */
};

struct http_client;

/* `section` and `ca_file` are as in struct tls_options; the one is borrowed, the other copied.
 * `stop`: when it is true all ends soon; may be NULL; borrowed. */
struct http_client *http_client_new(const struct http_origin *origin, const char *section,
                                    const char *ca_file, const atomic_bool *stop);

/* Accepts NULL. */
void http_client_free(struct http_client *c);

/* Ask, and wait for the whole answer, whose body is appended. What comes before the last byte of a
 * request is sent, a refusal mostly, is an answer, too. `answer` is valid until the next call.
 * Unless ANSWERED, `err` says why. */
enum http_end http_client_ask(struct http_client *c, const struct http_question *question,
                              struct http_answer *answer, struct buf *body, struct err *err)
    __attribute__((warn_unused_result));

/* One question, of somebody who is asked once: a varve that runs. */
struct http_place {
    const char *host;
    uint16_t port;
    const struct tls_options *tls; /* NULL: in the clear */
    const char *token;             /* to bring (RFC 6750 section 2.1); NULL: none */
};

/* Ask for a path such as "/status.json", and append the body of the answer. ERR_NETWORK if there is
 * none within `patience` nanoseconds, if its status is not 200, or if it is larger than
 * HTTP_BODY_MAX; what keeps TLS from it is said. */
int http_get(const struct http_place *place, const char *path, int64_t patience, struct buf *body,
             struct err *err) __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_HTTP_REQUEST_H
#define VARVE_NET_HTTP_REQUEST_H

#include <stdbool.h>

#include "base/buf.h"

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
    int refusal;       /* status of HTTP_BAD: 400, 405, 431 or 505 */
};

/* Parse all bytes that have come so far. What follows the head is ignored. */
enum http_parsed http_request_parse(struct slice bytes, struct http_request *out);

#endif

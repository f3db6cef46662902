/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_HTTP_GET_H
#define VARVE_NET_HTTP_GET_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/tls.h"

/* More than any page of varve has. */
enum { HTTP_BODY_MAX = 4 * 1024 * 1024 };

struct http_place {
    const char *host;
    uint16_t port;
    const struct tls_options *tls; /* NULL: in the clear */
    const char *token;             /* to bring (RFC 6750 section 2.1); NULL: none */
};

/* Ask a server for a path such as "/status.json", with HTTP/1.0, and wait for the answer: *body
 * gets what stands behind its head. ERR_NETWORK if there is none within `patience` nanoseconds, if
 * its status is not 200, or if it is larger than HTTP_BODY_MAX; what keeps TLS from it is said. */
int http_get(const struct http_place *place, const char *path, int64_t patience, struct buf *body,
             struct err *err) __attribute__((warn_unused_result));

#endif

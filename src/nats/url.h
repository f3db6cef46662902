/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_URL_H
#define VARVE_NATS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    NATS_PORT_DEFAULT = 4222,
    NATS_HOST_MAX = 255,   /* a DNS name has 253 characters at most */
    NATS_SECRET_MAX = 512, /* user, password or token in a URL */
};

/* Where a server is, and what its URL says about us. Texts are NUL-terminated, "" if absent. */
struct nats_url {
    char host[NATS_HOST_MAX + 1]; /* IPv6 addresses without brackets */
    uint16_t port;
    bool tls; /* tls:// */
    char user[NATS_SECRET_MAX + 1], password[NATS_SECRET_MAX + 1];
    char token[NATS_SECRET_MAX + 1]; /* nats://token@host */
};

/*
 * [nats://|tls://][user[:password]@]host[:port]. The user part is percent-decoded, and ends at the
 * last '@'; a user without a password is a token. IPv6 addresses stand in brackets. The error
 * contains nothing of the URL: what is not one may be a password all the same.
 */
int nats_url_parse(struct nats_url *url, struct slice text, struct err *err)
    __attribute__((warn_unused_result));

/* "host:port" with brackets where they are needed, for logs. */
enum { NATS_ADDRESS_MAX = NATS_HOST_MAX + 10 };
void nats_url_format(const struct nats_url *url, char out[static NATS_ADDRESS_MAX]);

#endif

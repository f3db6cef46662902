/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_TROUBLE_H
#define VARVE_DRAIN_TROUBLE_H

#include <stdint.h>

#include "drain/login.h"
#include "nats/pool.h"

/* Why there is no connection, as far as it can be told: a server says little of why it does not let
 * somebody in. */
enum trouble {
    TROUBLE_UNREACHABLE,   /* no name, no address, no answer, or it broke */
    TROUBLE_TLS,           /* no encrypted connection, or not with this server */
    TROUBLE_LOGIN_FILE,    /* a file with credentials can't be read, or is none */
    TROUBLE_LOGIN_REFUSED, /* the server does not let us in */
    TROUBLE_LOGIN_EXPIRED, /* our credentials ran out */
    TROUBLE_LOGIN_REVOKED, /* somebody took them back */
    TROUBLE_LOGIN_TIMEOUT, /* it took too long */
    TROUBLE_TOO_MANY,      /* server or account have all the connections that they may have */
    TROUBLE_SERVER,        /* the server said something else, or is none that we can use */
    TROUBLES,
};

/* So many servers are named with why they can't be had; the others are counted. */
enum { TROUBLE_SERVERS_SHOWN = 4 };

/* "login_refused": a literal. */
const char *trouble_name(enum trouble trouble);

/* Which one it is when the server said this before it closed; `wall` as by clock_wall. */
enum trouble trouble_of(const struct login *l, enum nats_error_kind kind, int64_t wall);

/* Append what the server said before it closed, without what is not fit to be shown, and what to do
 * about it. */
void trouble_describe(const struct login *l, const struct nats_server_error *error, bool was_ready,
                      int64_t wall, struct buf *out);

/* Append for each server that could not be had why: "a:4222: refused; b:4222: no answer". */
void trouble_list(const struct nats_pool *pool, struct buf *out);

/* Log each line of `exposed` (see struct login), unless it is what was told last. */
void trouble_log_exposed(struct buf *told, const struct buf *exposed);

#endif

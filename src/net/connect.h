/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_CONNECT_H
#define VARVE_NET_CONNECT_H

#include <stdint.h>

#include "base/err.h"
#include "net/resolve.h"
#include "net/stream.h"

/*
 * A connection in the making: resolve, then try one address after the other until one answers or
 * the deadline passes. Each address gets an equal share of the time that is left.
 */
struct net_connecting {
    struct net_resolve resolve;
    struct net_addresses addresses;
    size_t next;      /* address to try next */
    int handle;       /* the attempt that is under way, -1: none */
    int64_t deadline; /* of all */
    int64_t step_at;  /* call net_connect_step then at the latest */
    struct err last;  /* why the latest address failed */
};

/* Start. The result comes from net_connect_step, which may be called at once. */
int net_connect_start(struct net_connecting *c, const char *host, uint16_t port, int64_t deadline,
                      struct err *err) __attribute__((warn_unused_result));

/* Go on: when what net_connect_wait says is ready, or at c->step_at. A call without cause is
 * harmless. DONE: *stream is the caller's. DEAD: none could be made, as ERR_NETWORK. Of both
 * nothing is held any more. */
enum net_io net_connect_step(struct net_connecting *c, int64_t now, struct stream **stream,
                             struct err *err) __attribute__((warn_unused_result));

/* What to wait for. */
struct net_wait net_connect_wait(const struct net_connecting *c);

/* Give up. Harmless if it is over. */
void net_connect_cancel(struct net_connecting *c);

/* All of it at once, for who has nothing else to wait for: the stream, or NULL. */
struct stream *net_connect_until(const char *host, uint16_t port, int64_t deadline, struct err *err)
    __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_CONNECT_H
#define VARVE_NET_CONNECT_H

#include <poll.h>
#include <stdint.h>

#include "base/err.h"
#include "net/resolve.h"

/*
 * A TCP connection in the making: resolve, then try one address after the other until one answers
 * or the deadline passes. Each address gets an equal share of the time that is left.
 */
struct net_connect {
    struct net_resolve resolve;
    struct net_addresses addresses;
    size_t next;          /* address to try next */
    int fd;               /* the attempt that is under way, -1: none */
    int64_t deadline;     /* of all */
    int64_t attempt_ends; /* of this address */
    struct err last;      /* why the latest address failed */
};

enum net_connect_result {
    NET_CONNECT_PENDING,
    NET_CONNECT_DONE, /* *fd is the caller's, tuned (net_tune) and non-blocking */
    NET_CONNECT_FAILED,
};

/* Start. The result comes from net_connect_step, which may be called at once. */
int net_connect_start(struct net_connect *c, const char *host, uint16_t port, int64_t deadline,
                      struct err *err) __attribute__((warn_unused_result));

/* Go on: after the descriptor of net_connect_poll became ready, or when net_connect_deadline
 * passed. A call without cause is harmless. Once it is done or has failed nothing is held. */
enum net_connect_result net_connect_step(struct net_connect *c, int64_t now, int *fd,
                                         struct err *err) __attribute__((warn_unused_result));

/* What to wait for. */
struct pollfd net_connect_poll(const struct net_connect *c);
int64_t net_connect_deadline(const struct net_connect *c);

/* Give up. Harmless if it is over. */
void net_connect_cancel(struct net_connect *c);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_RESOLVE_H
#define VARVE_NET_RESOLVE_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

/*
 * From a name to addresses without blocking the loop: the system's resolver runs in a thread of its
 * own, and a descriptor becomes readable when it is done. Numeric addresses need no thread.
 */
enum { NET_ADDRESSES_MAX = 16 };

struct net_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

struct net_addresses {
    struct net_address list[NET_ADDRESSES_MAX]; /* in the resolver's order (RFC 6724) */
    size_t count;
};

struct net_resolve_job; /* shared with the thread */

struct net_resolve {
    int fd; /* poll for reading; -1 when there is nothing to wait for */
    struct net_resolve_job *job;
};

/* Begin. 1: it was numeric, *addresses is filled. 0: poll r->fd, then net_resolve_finish. */
int net_resolve_start(struct net_resolve *r, const char *host, uint16_t port,
                      struct net_addresses *addresses, struct err *err)
    __attribute__((warn_unused_result));

/* The outcome, after r->fd became readable: 0 and *addresses with at least one, or -1. Frees what
 * net_resolve_start took. */
int net_resolve_finish(struct net_resolve *r, struct net_addresses *addresses, struct err *err)
    __attribute__((warn_unused_result));

/* Stop waiting. The thread ends by itself when the system's resolver gives up. */
void net_resolve_cancel(struct net_resolve *r);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_RESOLVE_H
#define VARVE_NET_RESOLVE_H

#include <stdint.h>

#include "base/err.h"
#include "net/network.h"

/*
 * From a name to addresses without blocking the loop: the system's resolver runs in a thread of its
 * own, and a descriptor becomes readable when it is done. Numeric addresses need no thread.
 */
struct net_resolve_job; /* shared with the thread */

struct net_resolve {
    int fd; /* to be waited for, as NET_READABLE; -1: there is nothing to wait for */
    struct net_resolve_job *job;
};

/* Begin. 1: it was known at once (net_resolve), *addresses is filled. 0: net_resolve_step goes on.
 */
int net_resolve_start(struct net_resolve *r, const char *host, uint16_t port,
                      struct net_addresses *addresses, struct err *err)
    __attribute__((warn_unused_result));

/* The outcome: DONE, and *addresses has at least one; AGAIN while it is not there; DEAD if there is
 * no such host. With it all is freed that net_resolve_start took. */
enum net_io net_resolve_step(struct net_resolve *r, struct net_addresses *addresses,
                             struct err *err) __attribute__((warn_unused_result));

/* Look up now, which blocks unless `flags` has AI_NUMERICHOST. 0, or getaddrinfo(3)'s error. */
int net_look_up(const char *host, uint16_t port, int flags, struct net_addresses *out)
    __attribute__((warn_unused_result));

/* Stop waiting. The thread ends by itself when the system's resolver gives up. */
void net_resolve_cancel(struct net_resolve *r);

#endif

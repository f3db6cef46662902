/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_POOL_H
#define VARVE_NATS_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "nats/info.h"
#include "nats/random.h"
#include "nats/url.h"

/*
 * The servers that we know, which one is next, and when (ADR-40). After a
 * failure the other servers are tried at once; when all of them have been tried, a pause that
 * doubles with each round, between 0 and its length by chance. It starts over only behind a
 * connection that lasted.
 */
#define NATS_BACKOFF_BASE (100 * CLOCK_MILLISECOND)
#define NATS_BACKOFF_MAX (10 * CLOCK_SECOND)
#define NATS_BACKOFF_SLOW_MAX (30 * CLOCK_SECOND) /* where time alone won't help: credentials */
#define NATS_STABLE_AFTER (30 * CLOCK_SECOND)

enum {
    NATS_POOL_MAX = 64,
    NATS_REASON_MAX = 320, /* longer ones are cut */
};

struct nats_server {
    struct nats_url url;
    /* Name to verify in TLS: the host, or for an address that a server told us, the host of that
     * server. */
    char tls_name[NATS_HOST_MAX + 1];
    bool discovered;
    char reason[NATS_REASON_MAX + 1]; /* why it could not be had when it was tried last, or "" */
};

struct nats_pool {
    struct nats_server *servers; /* NATS_POOL_MAX of them, in the order in which they are tried */
    size_t count;
    size_t current;
    size_t tried;        /* failures in this round */
    unsigned rounds;     /* rounds in which all failed */
    int64_t ready_since; /* 0: not connected */
    int64_t retry_at;
    struct nats_random random;
};

void nats_pool_init(struct nats_pool *pool, const uint64_t random_key[static 2]);
void nats_pool_free(struct nats_pool *pool);

/* Add a server of the configuration; one that is there already is not added twice. */
int nats_pool_add(struct nats_pool *pool, struct slice url, struct err *err)
    __attribute__((warn_unused_result));

/* Mix the order, so that a fleet spreads over the cluster. Before the first connection. */
void nats_pool_shuffle(struct nats_pool *pool);

/* The server to try at pool->retry_at. The pool is not empty. Valid until the pool changes. */
const struct nats_server *nats_pool_current(const struct nats_pool *pool);

/* The current server answered with PONG. Reasons are forgotten. */
void nats_pool_ready(struct nats_pool *pool, int64_t now);

/* Note why the current server can't be had: see `reason` of each. Before nats_pool_failed. */
void nats_pool_blame(struct nats_pool *pool, const char *reason);

/* The current server could not be reached, or was lost: step to the next and set retry_at. `slow`
 * where trying soon is of no use (NATS_ACTION_RETRY_SLOW). */
void nats_pool_failed(struct nats_pool *pool, bool slow, int64_t now);

/* The current server is going away and another one is known: step to it, at once. False if there
 * is no other. */
bool nats_pool_switch(struct nats_pool *pool, int64_t now);

/*
 * Merge the URLs of an INFO: new ones are added with the credentials of the current server,
 * discovered ones that it no longer lists are dropped unless they are current. Does nothing if it
 * lists none. What is not a URL, and what exceeds NATS_POOL_MAX, is ignored.
 */
void nats_pool_merge(struct nats_pool *pool, const struct nats_info *info);

#endif

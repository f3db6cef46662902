/* SPDX-License-Identifier: MIT */
#include "nats/pool.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/utf8.h"

void nats_pool_init(struct nats_pool *pool, const uint64_t random_key[static 2])
{
    *pool = (struct nats_pool){.random = {.key = {random_key[0], random_key[1]}}};
    pool->servers = calloc(NATS_POOL_MAX, sizeof(*pool->servers));
    if (pool->servers == NULL)
        out_of_memory(NATS_POOL_MAX * sizeof(*pool->servers));
}

void nats_pool_free(struct nats_pool *pool)
{
    free(pool->servers);
    *pool = (struct nats_pool){0};
}

static bool same_address(const struct nats_url *a, const struct nats_url *b)
{
    return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

static struct nats_server *find(struct nats_pool *pool, const struct nats_url *url)
{
    for (size_t i = 0; i < pool->count; i++)
        if (same_address(&pool->servers[i].url, url))
            return &pool->servers[i];
    return NULL;
}

int nats_pool_add(struct nats_pool *pool, struct slice text, struct err *err)
{
    struct nats_url url;
    if (nats_url_parse(&url, text, err) != 0)
        return -1;
    if (find(pool, &url) != NULL)
        return 0;
    if (pool->count == NATS_POOL_MAX)
        return err_set(err, ERR_USAGE, "more than %d servers are configured", NATS_POOL_MAX);
    struct nats_server *server = &pool->servers[pool->count++];
    *server = (struct nats_server){.url = url};
    memcpy(server->tls_name, url.host, sizeof(server->tls_name));
    return 0;
}

void nats_pool_shuffle(struct nats_pool *pool)
{
    for (size_t i = pool->count; i > 1; i--) {
        size_t other = (size_t)nats_random_below(&pool->random, i);
        struct nats_server server = pool->servers[i - 1];
        pool->servers[i - 1] = pool->servers[other];
        pool->servers[other] = server;
    }
}

const struct nats_server *nats_pool_current(const struct nats_pool *pool)
{
    ASSERT(pool->count > 0);
    return &pool->servers[pool->current];
}

void nats_pool_ready(struct nats_pool *pool, int64_t now)
{
    pool->ready_since = now;
    for (size_t i = 0; i < pool->count; i++)
        pool->servers[i].reason[0] = '\0';
}

void nats_pool_blame(struct nats_pool *pool, const char *reason)
{
    ASSERT(pool->count > 0);
    char *to = pool->servers[pool->current].reason;
    size_t len = utf8_prefix(slice_of(reason), NATS_REASON_MAX);
    memcpy(to, reason, len);
    to[len] = '\0';
}

/* By chance between 0 and a length that doubles with each round up to a limit. */
static int64_t pause_length(struct nats_pool *pool, bool slow)
{
    int64_t limit = slow ? NATS_BACKOFF_SLOW_MAX : NATS_BACKOFF_MAX;
    int64_t length = NATS_BACKOFF_BASE;
    for (unsigned i = 1; i < pool->rounds && length < limit; i++)
        length *= 2;
    if (length > limit)
        length = limit;
    return (int64_t)nats_random_below(&pool->random, (uint64_t)length + 1);
}

void nats_pool_failed(struct nats_pool *pool, bool slow, int64_t now)
{
    if (pool->ready_since != 0 && now - pool->ready_since >= NATS_STABLE_AFTER) {
        pool->tried = 0;
        pool->rounds = 0;
    }
    pool->ready_since = 0;
    pool->current = (pool->current + 1) % pool->count;
    pool->retry_at = now;
    if (++pool->tried < pool->count)
        return;
    pool->tried = 0;
    pool->rounds++;
    pool->retry_at += pause_length(pool, slow);
}

bool nats_pool_switch(struct nats_pool *pool, int64_t now)
{
    if (pool->count < 2)
        return false;
    pool->current = (pool->current + 1) % pool->count;
    pool->ready_since = 0;
    pool->retry_at = now;
    return true;
}

static bool is_listed(const struct nats_info *info, const struct nats_url *url)
{
    for (size_t i = 0; i < info->url_count; i++) {
        struct nats_url listed;
        struct err ignored = {0};
        if (nats_url_parse(&listed, info->urls[i], &ignored) == 0 && same_address(&listed, url))
            return true;
    }
    return false;
}

static void drop_unlisted(struct nats_pool *pool, const struct nats_info *info)
{
    size_t kept = 0, current = 0;
    for (size_t i = 0; i < pool->count; i++) {
        const struct nats_server *server = &pool->servers[i];
        if (server->discovered && i != pool->current && !is_listed(info, &server->url))
            continue;
        if (i == pool->current)
            current = kept;
        if (kept != i)
            pool->servers[kept] = *server;
        kept++;
    }
    pool->count = kept;
    pool->current = current;
}

static bool is_numeric(const char *host)
{
    return strchr(host, ':') != NULL || host[strspn(host, "0123456789.")] == '\0';
}

void nats_pool_merge(struct nats_pool *pool, const struct nats_info *info)
{
    if (info->url_count == 0)
        return;
    drop_unlisted(pool, info);
    for (size_t i = 0; i < info->url_count && pool->count < NATS_POOL_MAX; i++) {
        struct nats_server server = pool->servers[pool->current]; /* for its credentials and TLS */
        struct nats_url url;
        struct err ignored = {0}; /* a URL that we can't read is no server for us */
        if (nats_url_parse(&url, info->urls[i], &ignored) < 0 || find(pool, &url) != NULL)
            continue;
        memcpy(server.url.host, url.host, sizeof(url.host));
        server.url.port = url.port;
        if (!is_numeric(url.host)) /* else its certificate can only carry the name we came by */
            memcpy(server.tls_name, url.host, sizeof(url.host));
        server.discovered = true;
        server.reason[0] = '\0';
        pool->servers[pool->count++] = server;
    }
}

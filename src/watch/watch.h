/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_WATCH_H
#define VARVE_WATCH_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "net/http.h"
#include "net/notify.h"
#include "watch/alerts.h"
#include "watch/stats.h"
#include "watch/view.h"

/*
 * How others see the pipeline: the HTTP endpoint, alerts, the service manager. It is shown a view
 * once a turn, counts what it is told, and changes nothing.
 */
struct watch {
    const struct view *view;
    struct stats stats;
    struct http_server http;
    struct alerts alerts;
    struct notify notify;
    int64_t started; /* clock_wall */
    bool told_ready, told_stopping;
    struct buf body; /* of the response */
};

/* Before anything can fail; then watch_close is fine at any time. */
void watch_init(struct watch *w);

/* Listen. With `once` an address that is taken is only worth a warning: the service beside which a
 * single drain runs may have it. `config` and `view` are borrowed; `key` is random. */
int watch_open(struct watch *w, const struct config *config, bool once,
               const uint64_t key[static 2], const struct view *view, struct err *err)
    __attribute__((warn_unused_result));
void watch_close(struct watch *w);

/* As for http_waits. */
size_t watch_waits(const struct watch *w, struct net_wait list[static HTTP_WAITS_MAX]);

/* At the end of a turn, with the view filled in: answer requests, raise and resolve alerts, feed
 * the watchdog. Returns when it wants the next turn. */
int64_t watch_turn(struct watch *w, const struct net_wait *list, size_t count, int64_t now);

/* The connection is ready; the one to `server` was lost. */
void watch_connected(struct watch *w);
void watch_lost(struct watch *w, const char *server, int64_t now);

#endif

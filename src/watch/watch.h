/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_WATCH_H
#define VARVE_WATCH_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "net/http.h"
#include "watch/alerts.h"
#include "net/notify.h"

struct pipeline;

/*
 * How others see the pipeline: the HTTP endpoint, alerts, the service manager. It looks at the
 * pipeline once a turn and changes nothing in it.
 */
struct watch {
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
 * single drain runs may have it. */
int watch_open(struct watch *w, struct pipeline *p, struct err *err)
    __attribute__((warn_unused_result));
void watch_close(struct watch *w);

/* As for http_waits. */
size_t watch_waits(const struct watch *w, struct net_wait list[static HTTP_WAITS_MAX]);

/* At the end of a turn: answer requests, raise and resolve alerts, feed the watchdog. Returns when
 * it wants the next turn. */
int64_t watch_turn(struct pipeline *p, const struct net_wait *list, size_t count, int64_t now);

/* The connection is ready; it was lost. */
void watch_connected(struct pipeline *p);
void watch_lost(struct pipeline *p, int64_t now);

#endif

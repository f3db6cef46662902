/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_NOTIFY_H
#define VARVE_NET_NOTIFY_H

#include <stdint.h>

/*
 * Tells a service manager how we are (sd_notify(3)): datagrams to $NOTIFY_SOCKET. Without one,
 * nothing happens. The watchdog is fed by the loop itself: if the loop hangs, the manager acts.
 */
struct notify {
    int fd;           /* -1: nobody wants to know */
    int64_t interval; /* of the watchdog; 0: none */
    int64_t next;     /* INT64_MAX: no watchdog */
};

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the environment. */
void notify_open(struct notify *n);
void notify_close(struct notify *n);

/* Send one state, such as "READY=1". Nobody can be told that it failed. */
void notify_send(struct notify *n, const char *state);

/* Feed the watchdog if it is time. Returns when it is next. */
int64_t notify_tick(struct notify *n, int64_t now);

#endif

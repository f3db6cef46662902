/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_SOCKET_H
#define VARVE_NET_SOCKET_H

#include <stddef.h>

#include "base/err.h"

/*
 * Stream sockets that never block. Errors carry no address: the caller prefixes it.
 */
enum net_io {
    NET_IO_DONE,  /* *done > 0 bytes were moved */
    NET_IO_AGAIN, /* nothing could be moved now: poll */
    NET_IO_DEAD,  /* the connection is over; err says why. At end of file it is ERR_NETWORK with
                     system 0, else the errno */
};

/* `len` > 0. */
enum net_io net_read(int fd, void *data, size_t len, size_t *done, struct err *err)
    __attribute__((warn_unused_result));
enum net_io net_write(int fd, const void *data, size_t len, size_t *done, struct err *err)
    __attribute__((warn_unused_result));

/* Set a connected or connecting TCP socket up: no delay, keepalive, and an end to writes that the
 * peer does not acknowledge for NET_USER_TIMEOUT_MS. Options that the host lacks are skipped. */
enum { NET_USER_TIMEOUT_MS = 20 * 1000 };
void net_tune(int fd);

/* Close an fd that may be -1, and set it to -1. */
void net_close(int *fd);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_SYSTEM_H
#define VARVE_NET_SYSTEM_H

#include "net/network.h"

/* The system's network: sockets that never block, poll(2), eventfd(2). Each handle is a file
 * descriptor that programs we start don't inherit. */
extern const struct network system_network;

/* A peer that acknowledges nothing for this long is given up by the system. */
enum { SYSTEM_USER_TIMEOUT_MS = 20 * 1000 };

#endif

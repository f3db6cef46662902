/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_LINK_H
#define VARVE_TESTS_SIM_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "net/network.h"
#include "random.h"
#include "server.h"

/*
 * The network between varve and the model server: bytes take their time, arrive in pieces that are
 * split anywhere, and connections break, with what was on its way lost. A half-open one is broken
 * for the client alone or for both, and nobody is told.
 */
struct link_manner {
    int64_t latency_min, latency_max;
    uint64_t split;   /* permille of reads and writes that move only a few bytes */
    uint64_t refuses; /* permille of connections that are refused, */
    uint64_t hangs;   /* or that nobody answers */
};

struct links;

struct links *links_new(struct server *server, uint64_t seed);
void links_free(struct links *l);
void links_set_manner(struct links *l, struct link_manner manner);

/* For network_replace. Whoever connects from now on does so for `dead`: once that is true, nothing
 * that he sends arrives. */
const struct network *links_network(struct links *l);
void links_switch(struct links *l, const bool *dead);

/* Move what is due. */
void links_step(struct links *l, int64_t now);
int64_t links_deadline(const struct links *l);

/* Of the connections that are open: break one, at both ends or (half-open) unnoticed for `silent`
 * nanoseconds. */
void links_cut(struct links *l, int64_t silent, int64_t now);
/* The server's end of the newest connection, 0 if there is none: for what it may say. */
uint32_t links_newest(const struct links *l);
/* All connections of a process that has died. */
void links_drop(struct links *l, const bool *dead);

#endif

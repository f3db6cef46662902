/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_CLUSTER_H
#define VARVE_CLI_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sandbox.h"
#include "config/config.h"
#include "nats/pool.h"

/* What a cluster says of the ports of its servers. */
struct cluster_ports {
    bool known; /* false: no server answered in time, or there may be more than it names */
    uint32_t count;
    uint16_t list[NATS_POOL_MAX]; /* those of nats.servers among them */
};

/*
 * Ask the first of nats.servers that answers, as varve will at each connection: the first line that
 * it sends (INFO) names the others. A process of its own does that, in a sandbox that is `allowed`,
 * and is gone afterwards: this one has read nothing from the network but numbers. Takes
 * CLUSTER_PATIENCE at most, where a server does not answer; starts no thread here. Where TLS comes
 * first nobody is asked.
 */
#define CLUSTER_PATIENCE (2 * CLOCK_SECOND)
void cluster_ports_ask(const struct config *config, const struct sandbox *allowed,
                       struct cluster_ports *out);

#endif

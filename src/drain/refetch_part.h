/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_REFETCH_PART_H
#define VARVE_DRAIN_REFETCH_PART_H

#include "drain/refetch.h"

/* For the files of a refetch alone: refetch.c fetches, refetch_search.c asks the stream. */

/* Begin again later; the pause doubles. */
void refetch_wait_a_while(struct refetch *r, struct nats_client *client, int64_t now);

/* The range was looked through. */
void refetch_finish(struct refetch *r, struct nats_client *client);

/* Ask the stream for what it has of ours from r->next on; and its answer. */
void refetch_search(struct refetch *r, struct nats_client *client, int64_t now);
void refetch_on_searched(struct refetch *r, struct nats_client *client,
                         const struct nats_event *event, int64_t now);

#endif

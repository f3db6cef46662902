/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_SOURCE_SETUP_H
#define VARVE_DRAIN_SOURCE_SETUP_H

#include "drain/source.h"

/* The questions that a source asks JetStream, and what it makes of the answers: all states but
 * PULLING, and the polls while pulling. For source.c. */

/* The question that s->request names was answered, or was not. */
void source_take_answer(struct source *s, struct nats_client *client,
                        const struct nats_event *event, int64_t now);

/* While pulling: ask how the consumer or the stream stands. */
void source_poll(struct source *s, struct nats_client *client, int64_t now);

#endif

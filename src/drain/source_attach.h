/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_SOURCE_ATTACH_H
#define VARVE_DRAIN_SOURCE_ATTACH_H

#include "drain/source.h"

/* From "the stream is fine" to a consumer that is pulled from; for source_setup.c. */

/* Ask for the durable consumer; make an ephemeral one. */
void source_attach(struct source *s, struct nats_client *client, int64_t now);

/* CONSUMER.DELETE was answered, however. */
void source_on_deleted(struct source *s, struct nats_client *client, int64_t now);

/* The reply to CONSUMER.INFO or CONSUMER.CREATE; and to the former while pulling. */
void source_on_consumer(struct source *s, struct nats_client *client, struct slice payload,
                        int64_t now);
void source_on_consumer_poll(struct source *s, struct nats_client *client, struct slice payload,
                             int64_t now);

#endif

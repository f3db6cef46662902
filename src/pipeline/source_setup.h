/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_SOURCE_SETUP_H
#define VARVE_PIPELINE_SOURCE_SETUP_H

#include "pipeline/source.h"

/*
 * The questions that a source asks JetStream, and what it makes of the answers (facts: nats.md
 * sections 3.4, 4.4, 6.2). Used by source.c only.
 */

/* Ask for the stream; all else follows. */
void source_setup_begin(struct source *s, struct nats_client *client, int64_t now);

/* Start over after a while; the pause doubles. */
void source_setup_retry(struct source *s, struct nats_client *client, int64_t now);

/* Give up until a human has acted. `why` goes into the log and into s->refusal. */
void source_setup_refuse(struct source *s, const char *why);

/* While pulling: ask how the consumer or the stream stands. */
void source_setup_poll(struct source *s, struct nats_client *client, int64_t now);

/* Take next_created as the generation being drained. */
void source_setup_adopt(struct source *s);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_RECEIVE_H
#define VARVE_PIPELINE_RECEIVE_H

#include "pipeline/pipeline.h"

/* Which stream's generation a message of this source belongs to. Texts are the source's. */
struct epoch_origin receive_origin(struct source *s);

/* What becomes of one message: a row, a dead letter, or an ack for one that we had before. */
void receive_message(struct pipeline *p, struct source *source, const struct nats_event *event,
                     int64_t now);

/* True if the event settled a dead letter: it is in its stream now, or goes into quarantine. */
bool receive_confirmation(struct pipeline *p, const struct nats_event *event, int64_t now);

/* No confirmations will come: all dead letters that wait go into quarantine. */
void receive_unconfirmed(struct pipeline *p, int64_t now);

#endif

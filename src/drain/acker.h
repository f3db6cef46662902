/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_ACKER_H
#define VARVE_DRAIN_ACKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "nats/client.h"
#include "store/epoch.h"
#include "drain/source.h"

/*
 * Sends the acks of committed epochs: the only place that acks what is new (redeliveries of what is
 * durable are acked on the spot). An epoch is kept until the server has confirmed the last of its
 * acks, so that acks which a broken connection or a change of leaders swallowed are sent again.
 * Those of a stream that was made again since are dropped: under their numbers it has others.
 */
enum {
    /* Acks are rendered while less than this waits to be written: an epoch of acks is 20 MB. */
    ACKER_OUTPUT_MAX = 256 * 1024,
};
#define ACKER_CONFIRM_TIMEOUT (10 * CLOCK_SECOND)
#define ACKER_RETRY CLOCK_SECOND /* when nobody has taken them: a consumer changes its leader */

struct acker_epoch;

struct acker {
    struct acker_epoch *first, **last;
    struct source *sources;
    struct buf subject;
};

/* `sources` is borrowed. */
void acker_init(struct acker *a, struct source *sources);
void acker_free(struct acker *a);

/* Take over an epoch that is committed. */
void acker_add(struct acker *a, struct epoch *epoch);

/* Send what there is room for. */
void acker_tick(struct acker *a, struct nats_client *client, int64_t now);

/* When acker_tick has more to send, once what is rendered has been written. INT64_MAX: nothing. */
int64_t acker_deadline(const struct acker *a);

/* True if the event was the answer to the last ack of an epoch. */
bool acker_reply(struct acker *a, const struct nats_event *event, int64_t now);

/* The connection is gone: what is not confirmed will be sent again. */
void acker_restart(struct acker *a);

/* clock_monotonic at the reception of the oldest message of a source whose ack is not confirmed;
 * INT64_MAX: there is none. */
int64_t acker_oldest(const struct acker *a, uint32_t source);

/* Bytes of memory held. */
uint64_t acker_memory(const struct acker *a);

/* True if everything is acked and confirmed. */
bool acker_is_idle(const struct acker *a);

#endif

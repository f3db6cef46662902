/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_DEAD_LETTER_H
#define VARVE_DRAIN_DEAD_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "event/quarantine.h"
#include "nats/client.h"
#include "store/batcher.h"
#include "drain/source.h"

/*
 * Messages that can't become rows. With a `dead_letter.subject` each is published there and counts
 * as delivered when a stream has confirmed it; without one, and whenever that fails or is slow, it
 * goes into the quarantine of the same epoch. Nothing is lost, nothing blocks.
 */
enum {
    DEAD_LETTERS_AT_ONCE = 32, /* waiting for confirmation; further ones go into quarantine */
    /* Of one message; what is larger goes into quarantine. Bounds the copies that wait. */
    DEAD_LETTER_BYTES_MAX = 1024 * 1024,
    /* Of all that wait; each stands in the output of the connection, too, until it is written. */
    DEAD_LETTERS_BYTES_MAX = 2 * 1024 * 1024,
    /* What an entry keeps for the next message. */
    DEAD_LETTER_KEPT = 16 * 1024,
};
#define DEAD_LETTER_TIMEOUT (5 * CLOCK_SECOND)
#define DEAD_LETTER_PAUSE (30 * CLOCK_SECOND) /* after a failure, before it is tried again */

struct dead_letter {
    uint64_t request; /* 0: free */
    struct source *source;
    enum event_result result;
    const char *detail;
    struct buf reply, subject, header, payload; /* of the message */
};

struct dead_letters {
    const char *subject; /* "": none is configured */
    struct batcher *batcher;
    struct dead_letter waiting[DEAD_LETTERS_AT_ONCE];
    uint64_t waiting_bytes;
    int64_t not_before;
    struct log_limit taken_limit, failed_limit;
    struct buf header; /* scratch */
};

/* All borrowed. */
void dead_letters_init(struct dead_letters *d, const char *subject, struct batcher *batcher);
void dead_letters_free(struct dead_letters *d);

/* A MESSAGE event that event_decode refused with `result` and `detail`. */
void dead_letters_take(struct dead_letters *d, struct nats_client *client, struct source *source,
                       const struct nats_event *event, enum event_result result, const char *detail,
                       int64_t now);

/* True if the event was the confirmation, or the refusal, of one that waits. */
bool dead_letters_reply(struct dead_letters *d, const struct nats_event *event, int64_t now);

/* No confirmations will come: all that wait go into quarantine. */
void dead_letters_give_up(struct dead_letters *d, int64_t now);

/* Bytes of memory held. */
uint64_t dead_letters_memory(const struct dead_letters *d);

/* True if some of this source, or of any where it is NULL, wait. */
bool dead_letters_wait(const struct dead_letters *d, const struct source *source);

#endif

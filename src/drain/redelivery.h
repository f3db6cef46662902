/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_REDELIVERY_H
#define VARVE_DRAIN_REDELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "batch/seqset.h"
#include "drain/ledger.h"
#include "nats/client.h"

/*
 * What a server holds as delivered to a connection that is gone: what is durable is acked, the rest
 * is asked for again instead of waiting for ack_wait. The server ignores what it does not hold.
 */
enum {
    /* Asked for at a time: a server takes redeliveries off the front of a list and moves the rest
     * up (getNextToDeliver in nats-server's consumer.go), so that long lists make it slow. */
    REDELIVERY_AT_ONCE = 1024,
    /* Sequences asked for at a time, where few of them are messages that the server holds. */
    REDELIVERY_SEQUENCES_MAX = 16 * 1024,
};
/* After which more are asked for even if not all came: the server ignores what it does not hold. */
#define REDELIVERY_INTERVAL (CLOCK_SECOND / 20)

enum redelivery_state {
    REDELIVERY_DONE,   /* nothing is to be asked for */
    REDELIVERY_ASKING, /* `left` is, from `next` on */
};

/* What is done about it. */
enum redelivery_how {
    REDELIVERY_ACKS_AND_ASKS,
    REDELIVERY_ACKS,         /* others may hold the rest: nothing is asked for */
    REDELIVERY_ASKS,         /* one ack would be for all up to it */
    REDELIVERY_ASKS_DURABLE, /* the same, and what is durable is asked for as well */
};

struct redelivery {
    enum redelivery_state state;
    struct seqrange left; /* of stream sequences */
    uint32_t at_once;     /* sequences that make REDELIVERY_AT_ONCE messages, on average */
    uint64_t consumer_seq;
    int64_t next;
    enum redelivery_how how;
    uint32_t awaited;   /* asked for, and not come yet */
    struct buf subject; /* scratch */
};

/* Settle `range` of the stream, which is not empty: the server holds `pending` of its sequences.
 * The consumer has counted its deliveries up to `consumer_seq`. */
void redelivery_begin(struct redelivery *r, struct seqrange range, uint64_t pending,
                      uint64_t consumer_seq, enum redelivery_how how, int64_t now);
void redelivery_cancel(struct redelivery *r);
void redelivery_free(struct redelivery *r);

/* A message was delivered for the second time or more. */
void redelivery_came(struct redelivery *r);

/* Send what is due to the consumer, whose ack subjects begin with `prefix`. Returns when more is;
 * INT64_MAX: nothing. */
int64_t redelivery_tick(struct redelivery *r, struct nats_client *client, struct slice prefix,
                        const struct ledger *ledger, int64_t now);

#endif

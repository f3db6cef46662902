/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_ACK_H
#define VARVE_NATS_ACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * The reply subject of a JetStream message says all about its delivery (ADR-15):
 *
 *   9 tokens:  $JS.ACK.<stream>.<consumer>.<delivered>.<sseq>.<cseq>.<time>.<pending>
 *   11 tokens: $JS.ACK.<domain>.<account>.<stream>.<consumer>.<delivered>.. like above ..[.<extra>]
 *
 * prefix + numbers + suffix is the whole subject again, byte for byte, so a ledger keeps one prefix
 * for all messages of a consumer and only the numbers of each.
 */
struct nats_ack {
    struct slice prefix; /* all up to <consumer> and the dot behind it */
    uint64_t delivered;  /* 1 at the first delivery */
    uint64_t stream_seq;
    uint64_t consumer_seq; /* +1 each delivery, redeliveries included */
    int64_t timestamp_ns;  /* when the stream stored it, UTC */
    uint64_t pending;      /* messages of the consumer behind this one */
    struct slice suffix;   /* "" or ".<extra>..", only ever of the long form */
};

enum {
    /* Names of streams, consumers, domains and accounts have up to 255 bytes each. */
    NATS_ACK_MAX = 8 * 1024,
    /*
     * As `consumer_seq` of an ack where each message has one: a server finds what it holds by the
     * stream's sequence. Of what it does not hold, one before 2.10.14 believes the number, and so
     * moves its floor over whatever else it holds that was delivered under it (processAckMsg in its
     * consumer.go). No delivery has this one.
     */
    NATS_ACK_OF_NO_DELIVERY = 0,
};

/* True if a frame's reply marks it as a JetStream message. Whether it is data or a status is
 * decided by this alone, since a publisher can forge a status line in a header. */
bool nats_ack_is(struct slice reply);

/* False for anything but the two forms with plain decimals (no leading zeros, no overflow), of at
 * most NATS_ACK_MAX bytes: then it is no JetStream message. The slices point into `reply`. */
bool nats_ack_parse(struct slice reply, struct nats_ack *ack) __attribute__((warn_unused_result));

/* Append the subject as it was. */
void nats_ack_append_subject(struct buf *out, const struct nats_ack *ack);

/* Append the cheapest ack: PUB with no payload. */
void nats_ack_append_publish(struct buf *out, const struct nats_ack *ack);

/* The stream and the consumer that a prefix names, without the dots. False if it is no prefix. */
bool nats_ack_names(struct slice prefix, struct slice *stream, struct slice *consumer);

#endif

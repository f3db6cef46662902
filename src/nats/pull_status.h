/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_PULL_STATUS_H
#define VARVE_NATS_PULL_STATUS_H

#include <stdint.h>

#include "nats/header.h"

/* What a status message to a pull means (ADR-13, and consumer.go of nats-server). */
enum nats_status_kind {
    NATS_STATUS_HEARTBEAT,
    NATS_STATUS_NO_MESSAGES,
    NATS_STATUS_EXPIRED,     /* the pull's time is over */
    NATS_STATUS_TOO_BIG,     /* the next message does not fit into what is left of max_bytes */
    NATS_STATUS_COMPLETED,   /* the batch is complete */
    NATS_STATUS_MAX_BATCH,   /* the pull asked for more than the consumer allows: `limit` */
    NATS_STATUS_MAX_EXPIRES, /* the same; `limit` in ns */
    NATS_STATUS_MAX_BYTES,
    NATS_STATUS_MAX_WAITING, /* too many pulls of all clients */
    NATS_STATUS_DELETED,     /* consumer, or stream */
    NATS_STATUS_LEADER_CHANGE,
    NATS_STATUS_SHUTDOWN,
    NATS_STATUS_PUSH_CONSUMER,
    NATS_STATUS_BAD_REQUEST,
    NATS_STATUS_PIN_LOST,      /* another client is the pinned one now (2.11+) */
    NATS_STATUS_NO_RESPONDERS, /* no such consumer, stream or account reachable */
    NATS_STATUS_OTHER,         /* unknown: ends the pull, nothing more */
};

struct nats_status {
    enum nats_status_kind kind;
    uint64_t limit;             /* of MAX_*: what the text says, 0 if it says nothing we can read */
    uint64_t last_consumer_seq; /* of HEARTBEAT: Nats-Last-Consumer, 0 if absent */
};

struct nats_status nats_status_classify(const struct nats_header *header);

#endif

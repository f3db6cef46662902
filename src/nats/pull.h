/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_PULL_H
#define VARVE_NATS_PULL_H

#include <stdint.h>

#include "nats/client.h"
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

/*
 * Keeps a pull consumer flowing (ADR-13, ADR-37): a ring of slots, each with a
 * subscription of its own and at most one live pull; a new pull whenever half of the outstanding
 * bytes have arrived. Nothing that was asked for can be refused later, so the outstanding bytes are
 * the memory that the owner has to have.
 *
 * The owner gives it each MESSAGE and STATUS event of its subscriptions, calls nats_pull_tick once
 * a turn, and does what the returned `enum nats_pull_need` says.
 */
#define NATS_PULL_EXPIRES (30 * CLOCK_SECOND)
#define NATS_PULL_HEARTBEAT (5 * CLOCK_SECOND)
#define NATS_PULL_CROWDED_PAUSE CLOCK_SECOND /* too many pulls of all clients */
/* Before the next pull where one ended early for no good reason, so that nothing that a server says
 * can make us send pulls as fast as it answers. */
#define NATS_PULL_RETRY_PAUSE (250 * CLOCK_MILLISECOND)

enum {
    NATS_PULL_SLOTS = 6,
    NATS_PULL_BATCH = 1000 * 1000, /* so many that bytes are always the limit */
    /* The server closes a connection with 64 MiB unread (max_pending) and says nothing. */
    NATS_PULL_TARGET_MAX = 32 * 1024 * 1024,
    NATS_PULL_TARGET_DEFAULT = 16 * 1024 * 1024,
};

struct nats_pull_slot {
    uint64_t sid;
    uint64_t token;    /* last token of the live pull's reply subject; 0: no pull is live */
    uint64_t asked;    /* max_bytes of the live pull */
    uint64_t left;     /* bytes that it may still deliver */
    uint64_t messages; /* that it delivered */
    uint64_t batch_left;
    int64_t sent;
    int64_t heard; /* when the last frame of it arrived, or when it was sent */
};

struct nats_pull {
    struct buf next_subject; /* MSG.NEXT of the consumer */
    struct buf inbox;        /* "_INBOX.<id>.p"; then slot, dot, token */
    struct buf reply, body;  /* scratch */
    struct nats_pull_slot slots[NATS_PULL_SLOTS];
    uint64_t last_token;
    uint64_t target;      /* outstanding bytes wanted */
    uint64_t message_max; /* of one message, as the server counts it; 0: NATS_MESSAGE_MAX */
    uint64_t large_max;   /* of one that is only asked for when the owner says so */
    uint64_t oversize;    /* max_bytes for one message that did not fit; 0: none is known */
    bool allowed;         /* the owner says so */
    uint64_t batch_max;   /* limits of the consumer, as far as statuses told */
    uint64_t bytes_max;
    int64_t expires, heartbeat;
    int64_t not_before;         /* no new pull before */
    uint64_t last_consumer_seq; /* as the last heartbeat said */
    bool open;
    bool paused;
    bool halted; /* until nats_pull_resume */
};

/* What the owner has to do. The first four leave the pull running, all others halt it: no new pulls
 * until nats_pull_resume, or until it is closed and opened again for another consumer. */
enum nats_pull_need {
    NATS_PULL_NEEDS_NOTHING,
    NATS_PULL_HEARD_HEARTBEAT, /* nothing to deliver; pull->last_consumer_seq is the server's last
                                  delivery: if it is ahead of ours, deliveries were lost */
    NATS_PULL_LEADER_CHANGED,  /* all fine again by itself; worth a log line */
    NATS_PULL_SERVER_SHUTDOWN, /* the server closes soon */
    NATS_PULL_CONSUMER_GONE, /* deleted, or nobody serves it: ask CONSUMER.INFO, then STREAM.INFO */
    NATS_PULL_SILENT,        /* no sign of life of any pull: ask CONSUMER.INFO. A probe of the
                                connection is under way */
    NATS_PULL_PUSH_CONSUMER, /* the consumer is of the wrong type: configuration */
    NATS_PULL_BAD_REQUEST,   /* the server does not understand our pull */
    NATS_PULL_MESSAGE_TOO_BIG, /* the next message is larger than all limits allow */
};

/* Make it ready for one consumer: subscribes and starts pulling at the next tick. `target` is the
 * number of bytes on the way, at most NATS_PULL_TARGET_MAX. Events come with `owner` and the slot.
 * Fails with ERR_LIMIT if the client has no subscriptions left. */
int nats_pull_open(struct nats_pull *p, struct nats_client *c, const char *api_prefix,
                   const char *stream, const char *consumer, uint64_t target, void *owner,
                   int64_t now, struct err *err) __attribute__((warn_unused_result));

/* Unsubscribe and forget. `c` is NULL if the connection is gone. */
void nats_pull_close(struct nats_pull *p, struct nats_client *c);
void nats_pull_free(struct nats_pull *p);

/* Account for a MESSAGE event. */
void nats_pull_message(struct nats_pull *p, const struct nats_event *event, int64_t now);

/* Account for a STATUS event. Statuses of pulls that are over need nothing. */
enum nats_pull_need nats_pull_status(struct nats_pull *p, const struct nats_event *event,
                                     int64_t now);

/* Send the pulls that are due, and find out about silence. */
enum nats_pull_need nats_pull_tick(struct nats_pull *p, struct nats_client *c, int64_t now);

/* While paused no new pulls are sent; what is on the way still arrives. */
void nats_pull_pause(struct nats_pull *p, bool paused);

/* Other limits from the next pull on: the target is at most NATS_PULL_TARGET_MAX. A message that is
 * larger than `message_max` as the server counts it (subject, header and payload) is asked for
 * while nats_pull_allow_large allows it, and one that is larger than `large_max` never; without a
 * call `message_max` is NATS_MESSAGE_MAX. */
void nats_pull_set_target(struct nats_pull *p, uint64_t target);
void nats_pull_set_message_max(struct nats_pull *p, uint64_t message_max, uint64_t large_max);

/* The next message is larger than `message_max`: bytes to ask for it with, else 0. No pull is sent
 * until that is allowed. */
uint64_t nats_pull_large(const struct nats_pull *p);
void nats_pull_allow_large(struct nats_pull *p, bool allowed);

/* Go on after a need that halted it: the consumer is there. Pulls that were live are void. */
void nats_pull_resume(struct nats_pull *p);

/* Bytes that are on the way at most. */
uint64_t nats_pull_outstanding(const struct nats_pull *p);

/* How many pulls are live; true if one is. */
uint64_t nats_pull_live(const struct nats_pull *p);
bool nats_pull_is_live(const struct nats_pull *p);

/* When nats_pull_tick has something to do even if nothing arrives. INT64_MAX: never. */
int64_t nats_pull_deadline(const struct nats_pull *p);

#endif

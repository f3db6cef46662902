/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_REFETCH_H
#define VARVE_DRAIN_REFETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config/config.h"
#include "drain/generation.h"
#include "drain/ledger.h"
#include "nats/client.h"
#include "nats/pull.h"

/*
 * Messages that a durable consumer has as acked, and that the store lacks: the directory was
 * restored or is a new one, or somebody else took them. What the stream still has of them is
 * fetched by a consumer of our own, without acks, from the first of them on, while new messages
 * come through the durable one. What others have stored since the store was opened is not lacking:
 * a commit, which looks at what they did, comes first.
 *
 * Where the start is a time, and the store has nothing, the stream is asked from that time on; the
 * first message found is where the generation starts.
 *
 * That consumer goes with its stream. Where the stream is still the same once it is made, CONFIRM,
 * it is of that stream, and its messages are of the generation whose ledger they meet.
 *
 * A server that follows the others lacks what these have stored just now. Where several store the
 * stream, and the consumer finds nothing more, its leader is asked for the next one, SEARCHING.
 *
 * A work queue has no second consumer, and drops what is acked: should it have a message of ours
 * that its consumer has passed, that was another state of the stream, which was set back. It is
 * asked for the first one of each subject, SEARCHING.
 */
#define REFETCH_RETRY_MIN CLOCK_SECOND
#define REFETCH_RETRY_MAX (60 * CLOCK_SECOND)
#define REFETCH_CREATE_TIMEOUT (60 * CLOCK_SECOND) /* the server may have to count messages */
#define REFETCH_CONFIRM_TIMEOUT (5 * CLOCK_SECOND)

enum refetch_state {
    REFETCH_IDLE,
    REFETCH_ASKS,     /* for a commit */
    REFETCH_LOOKS,    /* it is under way */
    REFETCH_WAITS,    /* until `at`, to make the consumer, or to search */
    REFETCH_CREATING, /* CONSUMER.CREATE was asked */
    REFETCH_CONFIRM,  /* STREAM.INFO was asked: is it the stream that the consumer is wanted of? */
    REFETCH_PULLING,
    REFETCH_SEARCHING, /* STREAM.MSG.GET was asked: what has the stream of it? */
    REFETCH_DONE,      /* the range was looked through: for the owner to take */
};

struct refetch {
    const struct config_source *settings;
    struct generation *generation;
    struct generation_known asked; /* with the STREAM.INFO */
    struct nats_random *random;
    void *owner; /* of the pull's events */

    enum refetch_state state;
    struct seqrange range;   /* of stream sequences */
    uint64_t next;           /* what of it was not looked at begins here */
    bool kept;               /* the stream may have them still, to be fetched; else a work queue */
    bool passed;             /* which has one of them all the same */
    bool by_window;          /* what is lacking the window says: the ledger takes it for nothing */
    size_t filter;           /* of SEARCHING: the subject that it is asked for, */
    uint64_t search_from;    /* and from where on */
    bool replicated;         /* several servers store the stream: the consumer is on one of them */
    bool by_time;            /* asked from the configured time on: where it starts is not known */
    uint64_t expected;       /* so many messages of ours may be in it, UINT64_MAX: any number */
    uint64_t fetched;        /* so many were found */
    uint64_t gone;           /* so many at most of the range are not in the stream any more */
    uint64_t seals, commits; /* of epochs of the source */
    uint64_t look;           /* of LOOKS: the commit that it waits for */
    int64_t at, pause;       /* of WAITS */
    uint64_t request;        /* of CREATING and CONFIRM */
    uint64_t pending;        /* of CONFIRM: messages that the consumer has for us */
    uint64_t consumer_seq;   /* of PULLING: deliveries */
    uint64_t target;         /* bytes on the way */
    struct nats_pull pull;
    struct buf consumer;      /* its name, a new one each time */
    struct buf subject, body; /* scratch */
    struct arena arena;       /* of the reply that is being read */
};

/* All borrowed. */
void refetch_init(struct refetch *r, const struct config_source *settings,
                  struct generation *generation, struct nats_random *random, void *owner);
void refetch_free(struct refetch *r);

/* Look through `range`, which is not empty, for messages that are not taken; of an IDLE one. Unless
 * the stream has `kept` them there is nothing to be fetched, but it is known then what is missing,
 * and whether it was `passed`. */
void refetch_begin(struct refetch *r, struct seqrange range, uint64_t expected, bool kept);

/* The same of what the consumer has passed over, which lies within the ledger's window. What it is
 * about is taken for nothing meanwhile, as it is where nobody looks. */
void refetch_begin_passed(struct refetch *r, struct seqrange range, bool kept);

/* Whether it is about what the store may lack, and not about what was passed over alone. */
static inline bool refetch_is_owed(const struct refetch *r)
{
    return r->state != REFETCH_IDLE && !r->by_window;
}

/* Ask for a consumer like the one that fetches, under a new `name`, of what is from `start_seq` on.
 * Returns the request; 0: too many are open. r->subject is what it was asked under. */
uint64_t refetch_ask_consumer(struct refetch *r, struct nats_client *client, struct buf *name,
                              uint64_t start_seq, int64_t now);

/* An epoch of the source was sealed, which it ASKS for; is in the store. */
void refetch_sealed(struct refetch *r);
void refetch_committed(struct refetch *r);

/* Start again later from where it is: what is on the way is ignored. `client` is NULL if the
 * connection is gone. */
void refetch_suspend(struct refetch *r, struct nats_client *client);

/* Forget about it: the stream is another one. */
void refetch_cancel(struct refetch *r, struct nats_client *client);

/* True if the event was the answer to its question. The stream may be another one by then: it is
 * suspended, and generation_is_left says so. */
bool refetch_reply(struct refetch *r, struct nats_client *client, const struct nats_event *event,
                   int64_t now);

/* A STATUS or MESSAGE event of its pull. What is NEW goes into the open epoch; no ack is owed. */
void refetch_status(struct refetch *r, struct nats_client *client, const struct nats_event *event,
                    int64_t now);
enum ledger_verdict refetch_message(struct refetch *r, struct nats_client *client,
                                    const struct nats_event *event, int64_t now);

/* Returns when something is due; INT64_MAX: nothing. */
int64_t refetch_tick(struct refetch *r, struct nats_client *client, int64_t now);

/* Of a DONE one: how many messages were not found, at most, and from where to where. It is IDLE
 * afterwards, and what was not found counts as not there. */
uint64_t refetch_take(struct refetch *r, struct seqrange *missing);

#endif

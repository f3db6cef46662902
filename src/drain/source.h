/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_SOURCE_H
#define VARVE_DRAIN_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "nats/client.h"
#include "nats/consumer.h"
#include "nats/pull.h"
#include "nats/stream.h"
#include "batch/position.h"
#include "drain/ledger.h"
#include "drain/counters.h"

/*
 * One stream being drained through one consumer: from "is the stream there" to a running pull, and
 * back whenever something breaks. After each (re)connection, and whenever there is doubt, it starts
 * over: STREAM.INFO, CONSUMER.INFO, perhaps CONSUMER.CREATE, pull. It knows nothing of rows.
 */
enum source_state {
    SOURCE_OFF,      /* no connection */
    SOURCE_STREAM,   /* STREAM.INFO was asked */
    SOURCE_POSITION, /* STREAM.MSG.GET of the newest durable message was asked */
    SOURCE_CONSUMER, /* CONSUMER.INFO was asked */
    SOURCE_CREATE,   /* CONSUMER.CREATE was asked */
    SOURCE_PULLING,
    SOURCE_RETRY,   /* starts over at retry_at */
    SOURCE_REFUSED, /* the server's side contradicts the configuration: a human has to act */
};

#define SOURCE_REQUEST_TIMEOUT (5 * CLOCK_SECOND)
#define SOURCE_CREATE_TIMEOUT (60 * CLOCK_SECOND) /* a filtered one may have to read the stream */
#define SOURCE_RETRY_MIN (CLOCK_SECOND / 2)
#define SOURCE_RETRY_MAX (10 * CLOCK_SECOND)
#define SOURCE_POLL_INTERVAL (15 * CLOCK_SECOND) /* of the infos, for watching */
#define SOURCE_END_INTERVAL (CLOCK_SECOND / 5)   /* the same when waiting for the end, and idle */

enum {
    /* Deliveries that an earlier connection lost are asked for again this many at a time, because
     * a server's redelivery queue slows down with its length (facts: nats.md section 5.4). */
    SOURCE_NAKS_AT_ONCE = 1024,
    /* Pulls ask for that many bytes at least: who is to ask for nothing is paused. */
    SOURCE_PULL_MIN = 4096,
};
/* After which more are asked for even if not all came: the server ignores what it does not hold. */
#define SOURCE_NAK_INTERVAL (CLOCK_SECOND / 20)

enum source_alert {
    SOURCE_ALERT_STREAM_MISSING,
    SOURCE_ALERT_STREAM_RECREATED,
    SOURCE_ALERT_CONSUMER_RECREATED,
    SOURCE_ALERT_DATA_LOST,
    SOURCE_ALERT_DEAD_LETTERS,
    SOURCE_ALERTS,
};

struct source {
    const struct config *config;
    const struct config_source *settings;
    const struct positions *stored; /* as read at start */
    uint32_t index;

    enum source_state state;
    struct nats_pull pull;
    uint64_t pull_target; /* bytes on the way */
    uint64_t request;     /* of `state`, or a poll while pulling; 0: none */
    bool poll_stream;     /* the next poll, or the one under way, is of the stream */
    int64_t retry_at, retry_pause;
    int64_t next_poll;
    struct err refusal; /* of SOURCE_REFUSED */

    /* The stream. Its generation is its time of creation, followed by '~' and a time of our own if
     * its sequences were rolled back since. */
    struct buf created;      /* generation being drained; empty until it is known */
    struct buf next_created; /* the one that it should be: the owner must call source_adopt */
    enum nats_retention retention;
    uint64_t first_seq, last_seq; /* as it said last */
    bool covers_stream;           /* our subjects are all that it has: no filter is needed */
    uint64_t newest_seq;          /* newest message that we know of, */
    int64_t newest_time;          /* and when the stream stored it */
    uint64_t sealed_seq;          /* newest message that is in a sealed epoch or in the store, */
    int64_t sealed_time;          /* the same */
    struct ledger ledger;

    /* The consumer. */
    struct buf consumer;        /* its name; of an ephemeral a new one each time */
    bool seen_consumer;         /* it existed in this process */
    uint64_t last_consumer_seq; /* greatest number of a delivery */
    struct seqrange recover;    /* what an earlier connection may have got, and we not */
    uint64_t recover_consumer_seq;
    int64_t next_recover; /* INT64_MAX: nothing to recover */
    uint32_t naks;        /* asked for again, and not come yet */
    bool shared;          /* somebody else pulls from it, as far as we can see */
    bool orphans_seen;    /* the last poll showed deliveries that nobody will ack */

    /* --once */
    bool once;
    bool target_known;
    bool idle;       /* nothing is left to be delivered, and all that was delivered has arrived */
    bool at_end;     /* and all of it is acked */
    uint64_t target; /* the stream's last sequence at start */

    struct source_counters counters;
    uint32_t raised, resolved; /* bits 1 << enum source_alert, for the owner to take */
    uint32_t standing;         /* alerts that are not resolved */
    struct log_limit log_limit;
    struct arena arena; /* of the reply that is being read */
    struct buf subject, body;
    struct nats_random random;
};

void source_init(struct source *s, const struct config *config, uint32_t index,
                 const struct positions *stored, bool once, const uint64_t key[static 2]);
void source_free(struct source *s);

/* Have no more than `pull_bytes` on the way, and ask for no message that is larger than
 * `message_bytes` as the server counts it. To be called before the first event. */
void source_set_limits(struct source *s, uint64_t pull_bytes, uint64_t message_bytes);

/* For now, have no more than this on the way. */
void source_limit_pull(struct source *s, uint64_t bytes);

/* The connection is ready: start over. */
void source_start(struct source *s, struct nats_client *client, int64_t now);

/* The connection is gone. */
void source_stop(struct source *s);

/* Stop pulling for good; what is on the way is ignored from now on. */
void source_finish(struct source *s, struct nats_client *client);

/* True if the event was the answer to a question of this source. */
bool source_reply(struct source *s, struct nats_client *client, const struct nats_event *event,
                  int64_t now);

/* A STATUS event of the source's pull. */
void source_status(struct source *s, struct nats_client *client, const struct nats_event *event,
                   int64_t now);

/* A MESSAGE event was received: its numbers, for the pull, the ledger and the counters. What to do
 * with the row is in the result. */
enum ledger_verdict source_receive(struct source *s, struct nats_client *client,
                                   const struct nats_event *event, int64_t now);

/* What is due: pulls, polls, retries. */
void source_tick(struct source *s, struct nats_client *client, int64_t now);
int64_t source_deadline(const struct source *s);

/* The stream was made again (source_must_adopt): after sealing what is open, go on with it. */
bool source_must_adopt(const struct source *s);
void source_adopt(struct source *s, struct nats_client *client, int64_t now);

/* --once: true when all that the stream had at start is received, and what could be acked is. */
bool source_at_end(const struct source *s);

/* Ask for the infos soon, for instance because acks were sent. */
void source_poll_soon(struct source *s, int64_t now);

/* An epoch with these rows is sealed, the newest of them with this sequence and time. `out` gets
 * what is durable once it is committed; its set is the caller's to free, its texts are not set. */
void source_seal(struct source *s, const struct seqset *rows, uint64_t last_seq, int64_t last_time,
                 struct position *out);

#endif

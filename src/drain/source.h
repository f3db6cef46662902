/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_SOURCE_H
#define VARVE_DRAIN_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "batch/position.h"
#include "config/config.h"
#include "drain/counters.h"
#include "drain/generation.h"
#include "drain/redelivery.h"
#include "drain/refetch.h"
#include "nats/client.h"
#include "nats/consumer.h"
#include "nats/pull.h"

/*
 * One stream being drained through one consumer, as a state machine that is fed with events and
 * writes what it has to say into the client's output:
 *
 *     connected -> STREAM -> [POSITION -> [BELOW], or CUT] -> CONSUMER -> [[GUARD] -> DELETE]
 *                         -> [CREATE] (position: CREATE only) -> CONFIRM -> PULLING
 *
 * A stream that is deleted and made again between two of the questions must not have its messages
 * judged by the ledger of the one before. A consumer goes with its stream: where the stream is
 * still the same after the consumer has answered, CONFIRM, the consumer is of that stream.
 *
 * Whenever there is doubt it goes back to STREAM. It knows nothing of rows: the owner gives it each
 * message, and learns what to do with it; and it tells the owner what a sealed epoch makes durable.
 */
enum source_state {
    SOURCE_OFF,      /* no connection */
    SOURCE_STREAM,   /* STREAM.INFO was asked */
    SOURCE_POSITION, /* STREAM.MSG.GET of the newest message that we know was asked */
    SOURCE_BELOW,    /* it is not there: the same of those below it, to find a newer one */
    SOURCE_CUT,      /* the same of others, to find up to where the stream is what we know */
    SOURCE_CONSUMER, /* CONSUMER.INFO was asked */
    SOURCE_GUARD,    /* CONSUMER.CREATE of another one was asked, to keep what ours waits for */
    SOURCE_DELETE,   /* CONSUMER.DELETE was asked, to make it anew */
    SOURCE_CREATE,   /* CONSUMER.CREATE was asked */
    SOURCE_CONFIRM, /* STREAM.INFO was asked once more: is it the stream that the consumer is of? */
    SOURCE_PULLING,
    SOURCE_ANCHORING, /* where it starts is being committed, before anything is asked for */
    SOURCE_STANDBY,   /* another instance stores the stream: goes to STREAM at `retry_at` */
    SOURCE_LEAVING,   /* the stream has another generation: waits for source_adopt */
    SOURCE_RETRY,     /* goes to STREAM at `retry_at` */
    SOURCE_REFUSED,   /* the server's side contradicts the configuration: a human has to act */
};

#define SOURCE_REQUEST_TIMEOUT (5 * CLOCK_SECOND)
#define SOURCE_CREATE_TIMEOUT (60 * CLOCK_SECOND) /* a filtered one may have to read the stream */
/* Should varve end while its consumer is made anew: time to start it again. */
#define SOURCE_GUARD_INACTIVE (24 * 3600 * CLOCK_SECOND)
#define SOURCE_RETRY_MIN (CLOCK_SECOND / 2)
#define SOURCE_RETRY_MAX (10 * CLOCK_SECOND)
#define SOURCE_POLL_INTERVAL (15 * CLOCK_SECOND) /* of the infos, for watching */
/* From a look at what the consumer has passed over to the next one. */
#define SOURCE_LOOK_MIN (15 * CLOCK_SECOND)
#define SOURCE_LOOK_MAX (960 * CLOCK_SECOND)
#define SOURCE_CUT_WITHIN (2 * CLOCK_SECOND) /* of the last message */
/* From a cut to when twice as much is tried: a cut costs what was on the way, and may have been an
 * accident of the network. */
#define SOURCE_CAP_PAUSE_MIN (600 * CLOCK_SECOND)
#define SOURCE_CAP_PAUSE_MAX (24 * 3600 * CLOCK_SECOND)
/* Beyond batching.max_age: by then others have stored what they have. */
#define SOURCE_STANDBY_MARGIN (5 * CLOCK_SECOND)
#define SOURCE_END_INTERVAL (CLOCK_SECOND / 5) /* the same when waiting for the end, and idle */

enum {
    /* A pull asks for that many bytes at least; asking for nothing is what pausing is for. */
    SOURCE_PULL_MIN = 4096,
    /* A server that closes the connection while this much is on the way may have no room for it
     * (max_pending; it says nothing, see closeConnection in nats-server's client.go). */
    SOURCE_CUT_MIN = 256 * 1024,
    SOURCE_CAP_MIN = 64 * 1024,
};

/* While PULLING the infos are asked for now and then. */
enum source_poll_state {
    SOURCE_POLL_WAITS,    /* until `at` */
    SOURCE_POLL_STREAM,   /* STREAM.INFO was asked */
    SOURCE_POLL_CONSUMER, /* CONSUMER.INFO was asked */
};

struct source_poll {
    enum source_poll_state state;
    bool stream_next; /* which one it is the turn of */
    int64_t at;
};

/* Without acks two instances that drain one stream into one store get the same messages, and one of
 * them comes too late: that one pulls nothing as long as the other one stores. */
enum source_standby_state {
    SOURCE_STANDBY_OFF,
    SOURCE_STANDBY_WAITS,  /* until `at`, for what the stream had before to be stored */
    SOURCE_STANDBY_LOOKS,  /* a commit without rows is on its way: it tells what others stored */
    SOURCE_STANDBY_LOOKED, /* and has told it */
};

struct source_standby {
    enum source_standby_state state;
    int64_t at;
    uint64_t end;  /* of the stream when the wait began; 0: it had nothing that the store lacked */
    uint64_t news; /* messages that others had stored, since the last look */
};

/* A stream dropped what others, who take from the consumer, too, may have stored, or are about to.
 */
enum source_drop_state {
    SOURCE_DROP_NONE,
    SOURCE_DROP_WAITS, /* until `at`, for their commits */
    SOURCE_DROP_LOOKS, /* a commit is on its way: it tells what others stored */
    SOURCE_DROP_LOOKED,
};

struct source_drop {
    enum source_drop_state state;
    uint64_t first_seq; /* of the stream, behind what it dropped */
    int64_t at;         /* 0: not known yet */
};

/* Where a stream has other subjects, too, what the consumer passes over is as it should be; or
 * somebody has given it another filter for a while. How many of ours has the stream there? See
 * source_tally.c. */
enum source_tally_state {
    SOURCE_TALLY_IDLE,
    SOURCE_TALLY_ARRIVES, /* the consumer has said what it had delivered: not all of it is here */
    SOURCE_TALLY_COUNTS,  /* CONSUMER.CREATE of another one was asked: it says how many there are */
    SOURCE_TALLY_ASKS,    /* CONSUMER.INFO was asked once more */
};

#define SOURCE_TALLY_MIN (15 * CLOCK_SECOND) /* from one to the next, */
#define SOURCE_TALLY_MAX (120 * CLOCK_SECOND)
#define SOURCE_TALLY_DOUBT \
    (960 * CLOCK_SECOND) /* and where it does not tell, until it is fetched */

struct source_tally {
    enum source_tally_state state;
    struct buf consumer; /* the name of the other one; empty: there is none */
    uint64_t request;
    struct seqrange range; /* that is looked at, */
    uint64_t counted_from; /* of which the stream has this and what follows */
    uint64_t consumer_seq; /* how far ours had come, */
    uint64_t pending;      /* and how many of ours it had left */
    uint64_t found;        /* so many were there behind counted_from, UINT64_MAX: not known yet */
    unsigned tries;
    bool denied;        /* it may not be asked: not again */
    int64_t at, pause;  /* the next one */
    int64_t hurry_at;   /* not sooner, though the window is filling */
    int64_t doubted_at; /* when fetching was the only way to tell, 0: never */
};

enum source_alert {
    SOURCE_ALERT_STREAM_MISSING,
    SOURCE_ALERT_STREAM_RECREATED,
    SOURCE_ALERT_CONSUMER_RECREATED,
    SOURCE_ALERT_CONSUMER_SHARED,
    SOURCE_ALERT_DATA_LOST,
    SOURCE_ALERT_DEAD_LETTERS,
    SOURCE_ALERTS,
};

/* A consumer that won't do is deleted and made anew. */
enum source_renew {
    SOURCE_RENEW_NOT,
    SOURCE_RENEW_FOR_STREAM, /* it is of the stream as that was before it was set back */
    SOURCE_RENEW_FOR_ACKS,   /* it has the wrong ack policy: behind the floor of the one before */
};

/* --once: what the stream had at start, and how far that is. */
struct source_end {
    bool known;      /* the target is */
    uint64_t target; /* the stream's last sequence at start */
    bool idle;       /* nothing is left to be delivered, and all that was delivered has arrived */
    bool all_acked;  /* and all of it is acked */
};

/* Of a message: stream_seq 0: there is none. */
struct source_delivery {
    uint64_t stream_seq, consumer_seq;
};

/* What was delivered within this range and not acked when we began: so many messages of it have not
 * come yet. */
struct source_unacked {
    struct seqrange range;
    uint64_t left;
};

/* What the events of a source's pulls have as their owner. */
struct source_feed {
    struct source *source;
    bool again; /* what the store lacks, by the consumer of s->refetch */
};

struct source {
    const struct config *config;
    const struct config_source *settings;
    uint32_t index;
    bool once;

    /* The machine. */
    enum source_state state;
    uint64_t request; /* what STREAM to CREATE, or the poll, wait for; 0: nothing */
    int64_t retry_at, retry_pause;
    struct buf waits_because; /* why it last had to try again, until it pulls; empty: it had not */
    struct err refusal;       /* of REFUSED */
    struct source_poll poll;

    /* The stream. */
    struct generation generation;
    struct generation_known asked; /* with the last STREAM.INFO */
    enum nats_retention retention; /* as it said last, */
    bool replicated;               /* and whether several servers store it */
    uint64_t first_seq, last_seq;  /* the same */
    int64_t first_time;            /* of the message at first_seq, 0: there is none */
    uint64_t dropped_before;       /* it dropped messages up to here, perhaps of ours; 0: no */
    struct source_drop drop;
    bool was_paused;          /* since `seen` of the generation was known */
    uint64_t stream_messages; /* that it has */
    bool transforms;          /* it changes subjects on the way in */
    bool takes_nothing;       /* no subject that it takes is one of ours, and none has come */
    bool covers_stream;       /* our subjects are all that it has: no filter is needed */
    uint64_t passed_over; /* deliveries left a hole all the same, up to here: look at it; 0: none */
    int64_t looked_at, look_pause; /* when one was last, 0: never; how long not again */

    /* The consumer. */
    struct buf consumer;  /* its name; of an ephemeral a new one each time */
    struct buf guard;     /* the name of a second one, see GUARD; empty: there is none */
    bool guarded;         /* it is there */
    bool filtered;        /* it has our filter, as far as it was looked at */
    uint64_t suspect_seq; /* a message that made us look at the consumer; 0: none did */
    bool seen_consumer;   /* it existed in this process, for this generation */
    bool same_consumer;   /* it has counted all deliveries that we know of */
    enum source_renew renew;
    uint64_t floor;      /* of RENEW_FOR_ACKS */
    int64_t ahead_since; /* it has delivered what the stream does not have: look again; 0: not */
    bool shared;         /* somebody else pulls from it, as far as we can see */
    bool others_pull;    /* that was seen beyond doubt: it counts as shared from then on */
    bool strangers_seen; /* the last poll showed more pulls than ours */
    int64_t attached_at; /* when it, or its new leader, was seen first */
    int64_t ack_wait;    /* of it */
    enum nats_ack_policy ack;       /* of it */
    struct source_delivery settled; /* with ack policy all: delivered again, and not owed */
    struct source_unacked unacked;  /* with ack policy all */
    struct seqset unlisted;         /* with one for each: waits, and no epoch owes its ack */
    uint64_t told_seq;              /* up to here all of ours has come: the rest was of others */
    uint64_t asked_again;           /* of what was delivered and never came, this was the first */
    bool orphans_seen;              /* the last poll showed deliveries that nobody will ack, */
    uint64_t ignored_at;            /* or, from here on, acks that were ignored; 0: none */
    uint64_t last_consumer_seq;     /* greatest number of a delivery, as far as we know */
    struct seqset others;           /* numbers up to that which are not of deliveries to us, */
    uint64_t explained;    /* and so many, at most, are of messages that came all the same, */
    uint64_t came_again;   /* of these so many to us */
    uint64_t passed;       /* what it had passed over when we came: up to this sequence only
                              the stream itself can say where there is nothing for us */
    bool recounted;        /* the same up to the next first delivery: it has another leader */
    int64_t lacking_since; /* a work queue's floor has passed what never came; 0: it has not */
    uint64_t owed;         /* what `others` loses when `refetch` is done: all up to here */
    bool told_subjects;    /* that the stream takes none of our subjects */
    bool told_unmatched;   /* that the stream has messages, and nothing for our subjects */
    bool told_shared;      /* that a shared consumer has acked what the store lacks */
    struct redelivery redelivery;
    struct nats_pull pull;
    uint64_t pull_target; /* bytes on the way */
    uint64_t pull_cap;    /* of these, since a server has cut us off; 0: none */
    int64_t cap_at;       /* when to try with more, */
    int64_t cap_pause;    /* and how long after the last change; longer with each cut */
    uint64_t cut_bytes;   /* that were on the way when the connection went, with data flowing */
    uint64_t server;      /* which one it was to, hashed */
    int64_t heard;        /* when the last message came */
    struct refetch refetch;
    struct source_tally tally;
    struct source_standby standby;
    struct source_feed feed, feed_again;

    /* What it said of itself, while CONFIRM: numbers alone, no text; and was it made just now? */
    struct nats_consumer_info found;
    bool made;
    bool updates; /* of CREATE: it is there, and gets other settings */

    struct source_end end;
    struct source_counters counters;
    uint32_t raised, resolved; /* bits 1 << enum source_alert, for the owner to take */
    uint32_t standing;         /* alerts that are not resolved */
    struct arena arena;        /* of the reply that is being read */
    struct buf subject, body;  /* scratch */
    struct nats_random random;
};

/* `config` and `stored`, the positions of the store at start, are borrowed. The struct must not be
 * moved afterwards. */
void source_init(struct source *s, const struct config *config, uint32_t index,
                 const struct positions *stored, bool once, const uint64_t key[static 2]);
void source_free(struct source *s);

/* Another instance has outrun this one: with delivery: position, let it go ahead. To be called
 * before the first event. */
void source_stand_by(struct source *s);

/* Have no more than `pull_bytes` on the way, and ask for a message that is larger than
 * `message_bytes` as the server counts it only while source_allow_large says so; for one that is
 * larger than `large_bytes` never. To be called before the first event. */
void source_set_limits(struct source *s, uint64_t pull_bytes, uint64_t message_bytes,
                       uint64_t large_bytes);

/* For now, have no more than this on the way; or ask for nothing. */
void source_limit_pull(struct source *s, uint64_t bytes, bool pause);

/* Bytes of the messages that the next pulls are for, where these are known to be larger than what
 * is asked for normally. */
uint64_t source_oversize(const struct source *s);

/* The next message is larger than `message_bytes`: bytes to ask for it with, which waits for
 * source_allow_large; else 0. */
uint64_t source_large(const struct source *s);

/* Whether it may be asked for; and, with `alone`, nothing else. Behind source_limit_pull. */
void source_allow_large(struct source *s, bool allowed, bool alone);

/* Bytes that are on the way at most. */
uint64_t source_on_the_way(const struct source *s);

/* The connection is ready. */
void source_connected(struct source *s, struct nats_client *client, int64_t now);

/* The connection is gone. */
void source_lost(struct source *s, int64_t now);

/* True if the event was the answer to a question of this source. */
bool source_reply(struct source *s, struct nats_client *client, const struct nats_event *event,
                  int64_t now);

/* The server does not let us ask this: if it was asked, there will be no answer. */
void source_denied(struct source *s, struct nats_client *client,
                   const struct nats_server_error *error, int64_t now);

/* The source that a STATUS or MESSAGE event is for. */
struct source *source_of(const struct nats_event *event);

/* A STATUS event of the source's pulls. */
void source_status(struct source *s, struct nats_client *client, const struct nats_event *event,
                   int64_t now);

/* A MESSAGE event was received. What to do with the row is in the result. */
enum ledger_verdict source_receive(struct source *s, struct nats_client *client,
                                   const struct nats_event *event, int64_t now);

/* Time has passed: pulls, polls, retries. Returns when something is due even if nothing happens,
 * INT64_MAX: nothing is. Not to be called without a connection. */
int64_t source_tick(struct source *s, struct nats_client *client, int64_t now);

/* Nothing more is wanted. `client` is NULL if there is no connection. */
void source_end_pulls(struct source *s, struct nats_client *client);

/* The stream has another generation: once what is open is sealed, source_adopt has to be called. */
bool source_must_adopt(const struct source *s);
void source_adopt(struct source *s, struct nats_client *client, int64_t now);

/* True if what is durable changes although no row comes: an epoch should be sealed for that. */
bool source_wants_commit(const struct source *s);

/* The same at the end of a run, when nothing may be left for the next epoch to say. */
bool source_wants_last_commit(const struct source *s);

/* An epoch with these rows, perhaps none, is sealed, the newest of them with this sequence and
 * time. `out` gets what is durable once it is committed; its set is the caller's to free, its texts
 * are not set. */
void source_seal(struct source *s, const struct seqset *rows, uint64_t last_seq, int64_t last_time,
                 struct position *out);

/* Others have stored what stands above these positions. To be called before source_committed for
 * the commit that has found it out. */
void source_stored(struct source *s, const struct positions *others);

/* That epoch, of the generation with this name, is in the store. */
void source_committed(struct source *s, const char *created, const struct seqset *rows);

/* Nothing is owed for this delivery: its message is durable, or nothing for us. */
void source_settle(struct source *s, uint64_t stream_seq, uint64_t consumer_seq);

/* This delivery is of a message that is not durable yet. Who delivered it first may have wanted no
 * ack for it: it will get one, where the consumer takes one for each. */
void source_owe(struct source *s, uint64_t stream_seq);

/* Append what the subjects of the durable consumer's acks begin with. */
void source_ack_prefix(const struct source *s, struct buf *out);

/* True when all that the stream had at start is received, and what could be acked is. */
bool source_at_end(const struct source *s);

/* Ask for the consumer's info soon, for instance because acks were sent. */
void source_poll_soon(struct source *s, int64_t now);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_GENERATION_H
#define VARVE_DRAIN_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "batch/position.h"
#include "base/clock.h"
#include "config/config.h"
#include "drain/cut.h"
#include "drain/ledger.h"
#include "nats/stream.h"

/*
 * The generation of a stream that is being drained, and what of it varve has. A stream that was
 * deleted and made again counts its sequences anew, and so does one that was set back to an older
 * state: under numbers that we know it has other messages. A generation is named by the stream's
 * time of creation, followed by '~' and a time of our own if it was set back since.
 */
/* Servers of a cluster that store one after the other may have clocks that differ by this. */
#define GENERATION_SKEW (CLOCK_SECOND / 4)
/* In which the server that leads a stream has stored what another one, that leads the consumer, has
 * delivered: seconds where the servers have too little of a CPU. */
#define GENERATION_LAG (30 * CLOCK_SECOND)

enum generation_verdict {
    GENERATION_FITS,
    GENERATION_LAGS, /* its servers are not in step: ask again */
    GENERATION_LEFT, /* it is another one: g->next is set, and it was logged */
};

struct generation {
    const struct config_source *settings;
    const struct positions *stored; /* as the store had them at start */
    struct positions left;          /* of generations that this process has drained and left */
    struct buf created;             /* its name; empty until the stream was seen */
    struct buf next;                /* the one that it should be; empty: it is the right one */
    struct ledger ledger;
    bool later;        /* the stream had another generation before: all of it is wanted */
    bool was_set_back; /* what of the former one it still has is not known yet */
    struct buf former; /* the name of that one */
    struct cut cut;    /* to find it out, or what generation_begin_below looks for */
    bool in_doubt;     /* a message contradicts the newest one that we know */
    int64_t skew;      /* by which messages may look newer than the newest: seen, and harmless */
    struct position_marks marks;
    uint64_t newest_seq; /* newest message that we know of, 0: none, */
    int64_t newest_time; /* and when the stream stored it */
    uint64_t end_seq; /* the newest one of the stream as it said last, whoever's and be it gone */
    int64_t end_time;
    uint64_t lag_seq;    /* what we knew when the stream said less, 0: it does not */
    int64_t lag_since;   /* and since when it says so */
    uint64_t seen;       /* up to here nothing of ours was left to deliver, whatever was dropped */
    uint64_t start;      /* the first sequence that is wanted, 0: not known */
    bool start_saved;    /* and the store says so, or the configuration */
    bool unsaved;        /* what is durable has changed although no row came */
    uint64_t saved_size; /* sequences that were sealed when a position was written last, */
    uint64_t saved_seen; /* and what it said of `seen` */
    uint64_t delivered;  /* see struct position */
    uint64_t of_others;  /* messages that others had stored when this process began */
    uint64_t sealed_seq; /* the same of what is in a sealed epoch, or in the store */
    int64_t sealed_time;
};

/* What was known of the stream when it was asked about itself: messages that were delivered since
 * may be newer than its answer, which took another way. */
struct generation_known {
    uint64_t newest_seq;
    uint64_t settled;
};

/* All borrowed. */
void generation_init(struct generation *g, const struct config_source *settings,
                     const struct positions *stored);
void generation_free(struct generation *g);

/* To be kept with each STREAM.INFO that is asked, for generation_fits. */
struct generation_known generation_known_now(const struct generation *g);

/* Whether what the stream says of itself fits this generation; the first one in a process is
 * chosen, and may be left at once. `asked`: as it was when the question was sent. A stream that
 * ends before what we know was set back: but each server of one with replicas stores by itself, and
 * who answers may be behind for GENERATION_LAG. */
enum generation_verdict generation_judge(struct generation *g, const struct nats_stream_info *info,
                                         struct generation_known asked, int64_t now);

/* True if the message under g->newest_seq was stored at `time`, as we know it. Else g->next is set:
 * the stream was set back. */
bool generation_has_newest(struct generation *g, int64_t time);

/* A message of this sequence and time can't be, as we know the stream: was it set back? To be asked
 * before generation_note. */
bool generation_doubts(struct generation *g, uint64_t sequence, int64_t time);

/* There is no message under g->newest_seq. False if that leaves the doubt: g->next is set. */
bool generation_lacks_newest(struct generation *g);

/* Begin to look, with g->cut, for a message below the newest one, which is not there, that
 * generation_doubts: the stream begins with `first_seq`, at or below the newest. As a stream stores
 * in the order of time, the last ones of those that are there tell, and the halving asks for the
 * first one behind those that fit. */
void generation_begin_below(struct generation *g, uint64_t first_seq);

/* Begin to look for what a stream that was set back still has, which now ends with `last_seq`; and
 * take over the result: what is durable of that is durable. */
void generation_begin_cut(struct generation *g, uint64_t last_seq);
void generation_take_cut(struct generation *g);

/* True if generation_adopt has to come before anything else. */
bool generation_is_left(const struct generation *g);

/* Go on with g->next. Nothing of the old one may be in an epoch that is not committed. */
void generation_adopt(struct generation *g);

/* Nothing before `start` is wanted, and nothing of what is is known yet. 0: which that is, the time
 * says that is configured, and generation_starts_by_time is true until the sequence is known. */
void generation_anchor(struct generation *g, uint64_t start);
bool generation_starts_by_time(const struct generation *g);

/* A message was delivered. */
void generation_note(struct generation *g, uint64_t sequence, int64_t time);

/* The messages that a stream with limits retention dropped before we had them, at most, and from
 * where to where; from then on they count as not there. What it had up to `told` somebody else
 * tells. */
uint64_t generation_count_lost(struct generation *g, uint64_t first_seq, uint64_t told,
                               struct seqrange *missing);

/* Whether there may be such. */
bool generation_may_have_lost(const struct generation *g, uint64_t first_seq);

/* True if a position would say more than the last one did, be it only of what holds nothing for us:
 * that can wait for rows, but not for the end. */
bool generation_has_grown(const struct generation *g);

/* These are durable, by somebody else's commit. How many of them are news. */
uint64_t generation_stored(struct generation *g, const struct seqset *rows);

/* An epoch with these rows is sealed: see source_seal. */
void generation_seal(struct generation *g, const struct seqset *rows, uint64_t last_seq,
                     int64_t last_time, struct position *out);

#endif

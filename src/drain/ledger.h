/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_LEDGER_H
#define VARVE_DRAIN_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "batch/seqset.h"
#include "drain/window.h"

/*
 * What became of each message of one generation of one stream: the safety argument of varve. A
 * sequence moves forward only,
 *
 *     unknown -> taken (received, in an epoch) -> sealed -> durable (committed) -> acked
 *
 * and nothing is acked that is not durable. The sets are nested: durable within sealed within
 * taken. They also hold the sequences at which there is nothing for us (deleted, expired, of
 * another subject), so that they stay a few ranges however long the stream is.
 *
 * The server's own memory of acks does not survive its crash (flushLoop in nats-server's
 * filestore.go writes it now and then): it may deliver again what was acked long ago. So this,
 * loaded from the store at start, is what makes each row come once.
 */
struct ledger {
    struct seqset taken;
    struct seqset sealed;
    struct seqset durable;
    /* What came behind the newest that is taken goes to `taken` later, many at once, and what of it
     * is nothing for us to all three: to count as taken, and as durable, already. With consumers
     * of one stream that store each other's neighbours the three have a range a message. */
    struct seqset late;
    struct seqset late_nothing;
    /* The newest first delivery on this connection, to tell an empty stretch from a lost one. */
    uint64_t last_stream_seq;
    uint64_t last_consumer_seq;
    bool in_step; /* the two fields above are known */
    /* Of what is taken, that which was delivered; closed where all of the stream is ours. */
    struct window window;
};

enum ledger_verdict {
    LEDGER_NEW,     /* taken just now: the row must go into the open epoch */
    LEDGER_PENDING, /* again, before its first copy is durable: drop it, ack it later */
    LEDGER_DURABLE, /* again, and durable: drop it, ack it at once */
    LEDGER_NOTHING, /* nothing for us: ack it at once */
    LEDGER_VOID,    /* not looked at (the consumer is being given up): it will come again */
};

/* A message arrived: its stream and consumer sequence and its count of deliveries, from 1. Gaps
 * between first deliveries that the consumer numbered one after the other hold nothing for us. */
enum ledger_verdict ledger_receive(struct ledger *l, uint64_t stream_seq, uint64_t consumer_seq,
                                   uint64_t delivered);

/* It arrived by another way. True if it is NEW. */
bool ledger_take(struct ledger *l, uint64_t stream_seq);

/* The same of a message that is nothing for us: NOTHING, or what became of it before. */
enum ledger_verdict ledger_pass(struct ledger *l, uint64_t stream_seq, uint64_t consumer_seq,
                                uint64_t delivered);

/* The consumer will deliver `stream_seq` + 1 or later as its number `consumer_seq` + 1. Known right
 * after it was made, or from CONSUMER.INFO while nothing is on its way. */
void ledger_in_step(struct ledger *l, uint64_t stream_seq, uint64_t consumer_seq);

/* The connection or the consumer is gone: no conclusions from the next delivery. */
void ledger_out_of_step(struct ledger *l);

/* There is nothing for us, or nothing that is not durable elsewhere, at first..last, but for what
 * is taken of it. */
void ledger_nothing_at(struct ledger *l, uint64_t first, uint64_t last);

/* The same of many, at the cost of one pass over what is known. */
void ledger_nothing_in(struct ledger *l, const struct seqset *sequences);

/* The open epoch, with these rows, is closed. */
void ledger_seal(struct ledger *l, const struct seqset *rows);

/* The oldest sealed epoch, with these rows, is in the store. CHECKs that it was sealed. */
void ledger_commit(struct ledger *l, const struct seqset *rows);

/* From the store: all up to `position`, and these above it, is durable. */
void ledger_load(struct ledger *l, uint64_t position, const struct seqset *above);

/* How much of `range` is not taken; *missing gets the first and the last of it. */
uint64_t ledger_missing(const struct ledger *l, struct seqrange range, struct seqrange *missing);

/* How much of `range` is not durable. */
uint64_t ledger_not_durable(const struct ledger *l, struct seqrange range);

/* All up to here is durable or holds nothing; 0 if nothing is. */
uint64_t ledger_position(const struct ledger *l);

/* It was received, or is nothing for us. */
bool ledger_is_taken(const struct ledger *l, uint64_t sequence);

/* It is in the store, or nothing for us. */
bool ledger_is_durable(const struct ledger *l, uint64_t sequence);

/* Add to `out` all that was received and is not in the store. */
void ledger_add_waiting(struct ledger *l, struct seqset *out);

/* The greatest durable sequence up to `sequence`; 0 if there is none. */
uint64_t ledger_last_durable(const struct ledger *l, uint64_t sequence);

/* ledger_position of what is received. */
uint64_t ledger_taken_position(const struct ledger *l);

/* The largest N such that all of `from`..N are taken; `from` - 1 if `from` is not. */
uint64_t ledger_taken_through(const struct ledger *l, uint64_t from);

/* How many sequences are so far, or farther; 0 is one of them. */
uint64_t ledger_count_taken(const struct ledger *l);
uint64_t ledger_count_sealed(const struct ledger *l);
uint64_t ledger_count_durable(const struct ledger *l);

/* Book its memory there from now on; it must not hold any yet. */
void ledger_set_account(struct ledger *l, struct account *account);

void ledger_reset(struct ledger *l);
void ledger_free(struct ledger *l);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_ACKER_PART_H
#define VARVE_DRAIN_ACKER_PART_H

#include "drain/acker.h"

/* What the files of the acker share: acker.c has what is owed, acker_send.c what is said of it. */

enum debt_state {
    DEBT_HELD,   /* the epoch is not committed; extended where others would get the messages */
    DEBT_DUE,    /* to be sent, from not_before on */
    DEBT_ASKED,  /* all is sent, and the server was asked to confirm the last one */
    DEBT_SETTLED /* nothing is owed, or not any more */
};

/* What is owed to one source for one epoch. */
struct debt {
    enum debt_state state;
    struct buf created;             /* the generation of its stream */
    struct moments stored;          /* when the stream stored its messages */
    struct acklist acks;            /* of a consumer that takes one for each message; else empty */
    struct acklist_cursor cursor;   /* of DUE: how far they are sent */
    int64_t not_before;             /* of DUE */
    struct acklist_cursor extended; /* of HELD: how far +WPI is sent, in a round that has begun */
    int64_t extend_at;              /* of HELD: when the next round begins */
    uint64_t request;               /* of ASKED */
    int64_t oldest;                 /* when the first message was received */
    struct source_delivery top;     /* of its messages: the one with the greatest stream sequence */
    struct buf prefix, suffix;      /* of its ack, see struct nats_ack */
};

struct acker_epoch {
    struct acker_epoch *next;
    uint64_t number;
    struct debt debts[];
};

/* Something that is durable, and that no epoch owes an ack for, can be acked. */
bool acker_has_unlisted(const struct source *source);

/* Forget the epochs of which nothing is owed any more. One that waits for a source which can't be
 * reached does not hold up the others. */
void acker_drop_settled(struct acker *a);

#endif

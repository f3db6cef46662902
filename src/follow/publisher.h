/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_PUBLISHER_H
#define VARVE_FOLLOW_PUBLISHER_H

#include "drain/api_client.h"
#include "follow/target.h"
#include "nats/random.h"
#include "nats/subject.h"

/*
 * Rows of a store as messages of a stream, each once. A message is the event that the row was made
 * of, with headers of its own in front of those that were stored:
 *
 *     Nats-Msg-Id: RUN/STREAM/CREATED/SEQUENCE    of the row; RUN is drawn when a replay begins
 *     Nats-Expected-Last-Sequence, Nats-Expected-Last-Msg-Id, Nats-Expected-Stream (of the first)
 *     Varve-Replay: MARK                          what is replayed, as whoever does says it
 *
 * Stored headers that begin with "Nats-" are orders to a server; they are kept as "Varve-Nats-...".
 *
 * A message is taken only if the one in front of it, by sequence and id, is the last that the
 * stream has: so many can be on their way, none comes twice, and none comes behind one that is
 * missing. So the server is asked to confirm only one in PUBLISHER_ASK, which confirms those in
 * front of it and spares a quarter of the server's work, and the last one before a wait: a message
 * is held back until it is known whether that is it. Where to go on after a failure is read from
 * the last message of the subject; the first one behind that is confirmed, so that the server says
 * what it has against it. (Atomic batches, ADR-50, cost the server more than this: it writes each
 * message twice.)
 */
enum {
    PUBLISHER_WINDOW = 4096,                   /* messages that are not confirmed; a power of two */
    PUBLISHER_WINDOW_BYTES = 16 * 1024 * 1024, /* of them, but for the last one */
    PUBLISHER_ASK = 64,                        /* of so many messages one is to be confirmed, */
    PUBLISHER_ASK_BYTES = PUBLISHER_WINDOW_BYTES / 8, /* and of so many bytes */
    PUBLISHER_MARK_MAX = 64, /* bytes of MARK and of RUN: without '/', blanks or line ends */
};
#define PUBLISHER_ID "Nats-Msg-Id"
#define PUBLISHER_MARK "Varve-Replay"
#define PUBLISHER_PATIENCE (10 * CLOCK_SECOND) /* with a server that confirms nothing */

/* Borrowed until publisher_free. */
struct publisher_options {
    const struct config *config; /* finished: how the server is reached */
    const char *stream;  /* that takes the subject, a valid name; NULL: the only one that does */
    const char *subject; /* to publish to; a '>' at its end stands for the subject of the row */
    const char *mark;
    const char *run; /* NULL: drawn. Else it is of one replay that never ends: whoever replays knows
                        what is confirmed, and asks publisher_each_back for the rest */
    bool begin;      /* from the first row, behind whatever is there */
    const struct waker *waker; /* ends a wait; NULL: none */
};

struct publisher {
    const struct publisher_options *options;
    struct api_client ask;
    bool is_open;
    bool final;         /* another attempt would fail, too */
    bool contended;     /* the last failure: others publish into the stream, too */
    struct err failure; /* of this connection; nothing is sent any more */
    char stream[NATS_NAME_MAX + 1];
    char run[PUBLISHER_MARK_MAX + 1];
    uint64_t published; /* confirmed messages, since the beginning */

    /* Of this connection: */
    uint64_t base;                   /* the last sequence of the stream before our first */
    uint64_t sent, asked, confirmed; /* messages; asked: up to the last that is to be confirmed */
    uint64_t bytes, bytes_asked;     /* sent; of those */
    uint64_t bytes_before[PUBLISHER_WINDOW]; /* each message, by its number */
    int64_t moved_at; /* when something was confirmed, or began to wait for it */

    struct buf previous; /* the id of the last message that was sent, or found; empty: none */
    struct buf id, header, payload, subject; /* of a message that is made, */
    bool held;                               /* and is to be sent */
    struct buf inbox;
    struct arena arena;
};

/* False if it can't be the subject of an option. */
bool publisher_subject_valid(const char *subject);

/* Connect, and find where to go on. The first time of a zeroed struct; again after a failure, which
 * forgets what was not confirmed. On errors p->final tells whether to try again. */
int publisher_open(struct publisher *p, const struct publisher_options *options, struct err *err)
    __attribute__((warn_unused_result));

/* The last row that is on its way or there: the generation as "STREAM/CREATED", and its sequence.
 * False: none. Valid until the next call. */
bool publisher_place(const struct publisher *p, struct slice *generation, uint64_t *sequence);

/* Tell `visit` the place of each message of this replay, from the last one of the stream back,
 * among its last `limit` messages, until it says false. Before anything is sent. */
int publisher_each_back(struct publisher *p, uint64_t limit,
                        bool (*visit)(void *context, struct slice generation, uint64_t sequence),
                        void *context, struct err *err) __attribute__((warn_unused_result));

/* Send a row, at the latest with the next call of any of these. It may wait for room. */
int publisher_put(struct publisher *p, const struct follow_event *row, struct err *err)
    __attribute__((warn_unused_result));

/* Wait until `until` (clock_monotonic) or until something happens. */
int publisher_turn(struct publisher *p, int64_t until, struct err *err)
    __attribute__((warn_unused_result));

/* Wait until all is confirmed. */
int publisher_flush(struct publisher *p, struct err *err) __attribute__((warn_unused_result));

/* A step of publisher_put: subject, header with the id, and payload of the message for a row. False
 * if its subject is none to publish to. */
bool publisher_make(struct publisher *p, const struct follow_event *row);

/* Accepts a zeroed struct. */
void publisher_free(struct publisher *p);

#endif

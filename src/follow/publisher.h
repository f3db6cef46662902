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
 *     Nats-Msg-Id: RUN/GENERATION/SEQUENCE
 *     Nats-Expected-...                       what has to be in front of it, see below
 *     Varve-Replay: MARK                      what is replayed, as whoever does says it
 *     Varve-Row: STREAM/CREATED/SEQUENCE      of the row
 *
 * RUN is drawn when a replay begins, GENERATION is a hash of STREAM/CREATED.
 *
 * Stored headers that begin with "Nats-" are orders to a server; they are kept as "Varve-Nats-...".
 * What is a header of the server's is kept short: it looks through the block some twenty times.
 *
 * None comes twice, none behind one that is missing, and many are on their way:
 *
 * - Where the stream allows atomic batches (nats-server 2.12, ADR-50), up to PUBLISHER_BATCH are
 *   one, which is stored as a whole or not at all. Its first message says which sequence has to be
 *   the stream's last, and the last one, by which the batch is stored, is not sent before all in
 *   front of the batch is confirmed. The server checks all this when it stores the batch.
 * - Elsewhere a message is taken only if the one in front of it, by id, is the last that the stream
 *   has; the first one of a connection says a sequence instead. The server is asked to confirm only
 *   one in PUBLISHER_ASK, which confirms those in front of it and spares a quarter of its work, and
 *   the last one before a wait. Nor is a message alone made a batch of its own.
 * - Where others publish so often that PUBLISHER_FRUITLESS connections came to nothing, a message
 *   says nothing of what is in front of it, and each is confirmed before the next one is sent: so
 *   at most one can be on its way twice, and of this the server takes one, by Nats-Msg-Id. That
 *   ends when PUBLISHER_QUIET messages had none of anybody else between them. A stream that knows
 *   ids for a shorter time than a server may take to confirm gets none in this way.
 *
 * A message is held back until it is known whether it is the last one before a wait. What the
 * server has against a batch is found out without batches: they are given up then, but for one that
 * was too large. One that came behind a message of somebody else comes again in smaller ones, or in
 * none. Where to go on after a failure is read from the last message of the subject; the first one
 * behind that is confirmed, so that the server says what it has against it.
 */
enum {
    PUBLISHER_WINDOW = 16384,                  /* messages that are not confirmed; a power of two */
    PUBLISHER_WINDOW_BYTES = 16 * 1024 * 1024, /* of them, but for the last one */
    PUBLISHER_ASK = 512,                       /* of so many messages one is to be confirmed, */
    PUBLISHER_ASK_BYTES = PUBLISHER_WINDOW_BYTES / 8, /* and of so many bytes; also of a batch */
    PUBLISHER_BATCH = 1000,   /* messages; what nats-server takes if it is not told otherwise */
    PUBLISHER_MARK_MAX = 64,  /* bytes of MARK and of RUN: without '/', blanks or line ends */
    PUBLISHER_TOKEN_LEN = 11, /* of RUN where it is drawn, and of a batch: 65 bits */
    PUBLISHER_HASH_LEN = 12,  /* of GENERATION: 48 bits, hexadecimal */
    PUBLISHER_FRUITLESS = 4,
    PUBLISHER_QUIET = 1024,
    PUBLISHER_HOPELESS = 64, /* such connections, where that is no way out either */
};
#define PUBLISHER_ID "Nats-Msg-Id"
#define PUBLISHER_MARK "Varve-Replay"
#define PUBLISHER_ROW "Varve-Row"
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
    const atomic_bool *stop;   /* true: publisher_each_back ends with ERR_REFUSED; NULL: never */
};

/* A message, but for the headers that are known when it is sent. */
struct publisher_message {
    struct buf id, row; /* row: as in Varve-Row */
    struct buf subject, payload;
    struct buf headers; /* from Varve-Replay on, with the end of the block */
};

struct publisher {
    const struct publisher_options *options;
    struct api_client ask;
    bool is_open;
    bool final;          /* another attempt would fail, too */
    bool contended;      /* the last failure is one to go on behind at once */
    bool outpaced;       /* and was so since others publish */
    unsigned batch_most; /* messages of a batch, as far as is known of the server: 0: nothing yet,
                            1: it is to get none. Whoever frees this may put it into the next one */
    unsigned batch_now;  /* messages of the next one: fewer while others publish, too, 1: none */
    unsigned fruitless;  /* connections on which others were faster from the first message on */
    struct err failure;  /* of this connection; nothing is sent any more */
    char stream[NATS_NAME_MAX + 1];
    char run[PUBLISHER_MARK_MAX + 1];
    uint64_t published; /* confirmed messages, since the beginning */

    /* Of this connection: */
    bool any;                        /* the subject has a message, of whomever */
    bool single;                     /* each message is confirmed before the next one is sent */
    unsigned quiet;                  /* of these, how many had none of others between them */
    uint64_t chained_from;           /* the first one that is sent in another way than that */
    bool batches;                    /* the stream takes them, and gets them */
    uint64_t base;                   /* the last sequence of the stream before our first */
    uint64_t sent, asked, confirmed; /* messages; asked: up to the last that is to be confirmed */
    uint64_t bytes, bytes_asked;     /* sent; of those */
    uint64_t bytes_before[PUBLISHER_WINDOW]; /* each message, by its number */
    int64_t moved_at;  /* when something was confirmed, or began to wait for it */
    unsigned in_batch; /* messages that were sent of a batch that is not complete */
    uint64_t batch;    /* number of it */
    char batch_token[PUBLISHER_TOKEN_LEN + 1];

    struct buf previous; /* the id of the last message that was sent, or found; empty: none */
    struct buf place;    /* and its row */
    struct publisher_message messages[2];
    unsigned current; /* the one that is, or was, */
    bool held;        /* to be sent */
    bool alone;       /* in no batch */
    struct buf header, inbox;
    /* Of the generation of the last row: STREAM/CREATED/, and what its messages begin with. */
    struct buf generation, id_front, headers_front;
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

/* False: none in front of it are wanted. */
typedef bool publisher_visit(void *context, struct slice generation, uint64_t sequence);

/* Tell `visit` the place of each message of this replay, from the last one of the stream back,
 * among its last `limit` messages, until it says false, and of some in front of that. Before
 * anything is sent. */
int publisher_each_back(struct publisher *p, uint64_t limit, publisher_visit *visit, void *context,
                        struct err *err) __attribute__((warn_unused_result));

/* Send a row, at the latest with the next call of any of these. It may wait for room. One that
 * can't be sent ends it for good, when all in front of it is confirmed. */
int publisher_put(struct publisher *p, const struct follow_event *row, struct err *err)
    __attribute__((warn_unused_result));

/* Wait until `until` (clock_monotonic) or until something happens. */
int publisher_turn(struct publisher *p, int64_t until, struct err *err)
    __attribute__((warn_unused_result));

/* Wait until all is confirmed. */
int publisher_flush(struct publisher *p, struct err *err) __attribute__((warn_unused_result));

/* Accepts a zeroed struct. */
/* What was learnt of the server stays: for the next publisher_open. */
void publisher_free(struct publisher *p);

#endif

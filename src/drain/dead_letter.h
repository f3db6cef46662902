/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_DEAD_LETTER_H
#define VARVE_DRAIN_DEAD_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "drain/source.h"
#include "nats/client.h"

/*
 * Messages that can't become rows and are published to `dead_letter.subject`. One counts as
 * delivered when a stream has confirmed it; until then it is kept whole. What can't be published or
 * is not confirmed in time goes back to the caller, who has another place for it: nothing is lost,
 * nothing blocks.
 */
enum {
    DEAD_LETTERS_AT_ONCE = 32, /* waiting for confirmation; no further ones are taken */
    /* A larger message is not copied while it waits: it stays in the memory into which it was
     * read. */
    DEAD_LETTER_COPIED_MAX = 1024 * 1024,
    /* Of all copies that wait; each stands in the output of the connection, too, until it is
     * written. */
    DEAD_LETTERS_BYTES_MAX = 2 * 1024 * 1024,
    /* A connection that takes less in a second is given up on. */
    DEAD_LETTER_RATE = 1024 * 1024,
    /* What an entry keeps for the next message. */
    DEAD_LETTER_KEPT = 16 * 1024,
};
#define DEAD_LETTER_TIMEOUT (5 * CLOCK_SECOND) /* and what DEAD_LETTER_RATE adds */
#define DEAD_LETTER_PAUSE (30 * CLOCK_SECOND)  /* after a failure, before it is tried again */

/* Why a message is one. The texts are literals. */
struct dead_letter_cause {
    int code; /* the caller's own number for it */
    const char *reason, *detail;
};

struct dead_letter {
    uint64_t request; /* 0: free */
    struct source *source;
    struct dead_letter_cause cause;
    bool confirmed;                             /* of a settled one: a stream has it */
    struct buf reply, subject, header, payload; /* of the message */
    struct nats_memory
        memory;         /* has the payload of a large message; data NULL: it is in `payload` */
    struct slice large; /* that payload */
};

struct dead_letters {
    const char *subject; /* "": none is configured */
    struct dead_letter waiting[DEAD_LETTERS_AT_ONCE];
    uint64_t waiting_bytes;
    int64_t not_before; /* after a failure */
    struct buf header;  /* scratch */
};

/* `subject` is borrowed. */
void dead_letters_init(struct dead_letters *d, const char *subject);
void dead_letters_free(struct dead_letters *d);

/*
 * Publish a MESSAGE event. False if that is not possible now, or the server takes no message of the
 * size that it has with the headers: nothing was sent or kept. `room`: bytes of memory that may be
 * taken for it; a large one needs its own size again in the output of the connection, and keeps the
 * client's memory of the event.
 */
bool dead_letters_publish(struct dead_letters *d, struct nats_client *client, struct source *source,
                          const struct nats_event *event, const struct dead_letter_cause *cause,
                          uint64_t room, int64_t now) __attribute__((warn_unused_result));

/* If the event settles one that waits, confirmed or not: that one. The caller looks at it and gives
 * it to dead_letters_release. NULL if the event is about something else. */
struct dead_letter *dead_letters_reply(struct dead_letters *d, const struct nats_event *event,
                                       int64_t now);

/* No confirmations will come: the next one that waits, not confirmed, or NULL. The same applies. */
struct dead_letter *dead_letters_give_up(struct dead_letters *d);

/* The caller may have taken letter->memory, and zeroed it. */
void dead_letters_release(struct dead_letters *d, struct dead_letter *letter);

/* The numbers of a letter's message. The slices are the letter's. */
struct nats_ack dead_letter_ack(struct dead_letter *letter);

/* Write a log line, if it is not one of many: this message became a dead letter, and went `to` a
 * subject or elsewhere. */
void dead_letters_log(const struct source *source, uint64_t sequence,
                      const struct dead_letter_cause *cause, const char *to);

/* Book its memory there from now on; it must not hold any yet. */
void dead_letters_set_account(struct dead_letters *d, struct account *account);

/* True if some of this source, or of any where it is NULL, wait. */
bool dead_letters_wait(const struct dead_letters *d, const struct source *source);

#endif

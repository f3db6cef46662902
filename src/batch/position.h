/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BATCH_POSITION_H
#define VARVE_BATCH_POSITION_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "batch/seqjoin.h"
#include "batch/seqset.h"

/* When the stream stored some of the messages: many of the newest, few of the oldest ones. They
 * tell up to where a stream that was set back is still the same. */
enum { POSITION_MARKS_MAX = 64 };

struct position_mark {
    uint64_t sequence;
    int64_t time; /* ns */
};

struct position_marks {
    struct position_mark list[POSITION_MARKS_MAX]; /* ascending */
    size_t count;
};

/* Add a message; one that is not newer than the last is ignored. */
void position_marks_add(struct position_marks *marks, uint64_t sequence, int64_t time);

/*
 * What of one generation of a stream is durable in the store. A stream that was deleted and made
 * again is another generation: its sequences begin anew, and `created` tells it apart.
 */
struct position {
    const char *stream, *consumer;
    const char *created; /* as the server writes it */
    uint64_t start;      /* the first sequence that was wanted (`start: new` and the like): what is
                            before it was never meant for this store. 0: not known */
    uint64_t through;    /* each message up to this sequence is durable, or will never come */
    struct seqset above; /* durable sequences beyond `through` */
    struct seqjoin late; /* what positions_complete puts into `above` */
    size_t settled;      /* the ranges of `above` when it was last done */
    uint64_t last_seq;   /* the newest durable message, 0 if none, and when the stream stored it */
    int64_t last_time;   /* in ns: shows whether the stream was rolled back to an older state */
    uint64_t delivered;  /* deliveries that the consumer had counted by then, 0: not known; what it
                            has as acked beyond them was acked by somebody else */
    uint64_t seen; /* up to here nothing of ours was left to be delivered, whatever the stream drops
                      of it; said where it is beyond `through`, else 0 */
    struct position_marks marks;
};

/* All positions of one instance, least recently committed first. A zeroed struct is empty. */
struct positions {
    ARRAY(struct position);
};

enum {
    /* Generations that are kept of one stream and consumer. An old one is of use only if a deleted
     * stream is restored from a backup, so a few are plenty; each is written in every commit. */
    POSITION_GENERATIONS_MAX = 8,
    /* Streams times generations of one instance. */
    POSITIONS_MAX = 1024,
};

/* The position of exactly this generation, or NULL. Borrowed until the next change. */
const struct position *positions_find(const struct positions *positions, const char *stream,
                                      const char *created, const char *consumer);

/* The generation of a stream that was committed last, or NULL: if its `created` is not the
 * stream's, the stream was made again. */
const struct position *positions_newest(const struct positions *positions, const char *stream,
                                        const char *consumer);

/* Add a copy of `p`, or bring its generation up to date; it becomes the newest. The oldest
 * generation of the same stream and consumer goes where there are more than
 * POSITION_GENERATIONS_MAX. */
void positions_put(struct positions *positions, const struct position *p);

/* The same, but what is known of the generation already stays durable: the two are united. The
 * `start` that was known first stays. */
void positions_merge(struct positions *positions, const struct position *p);

/* The same for one of many: `through` and `above` are right after positions_complete. */
void positions_gather(struct positions *positions, const struct position *p);
void positions_complete(struct positions *positions);

/* All up to `through` is settled as well. */
void position_raise(struct position *p, uint64_t through);

void positions_copy(struct positions *to, const struct positions *from);
/* Give back what a position of one's own holds; a zeroed one holds nothing. */
void position_free(struct position *p);
void positions_free(struct positions *positions);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_POSITION_H
#define VARVE_STORE_POSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "batch/seqset.h"

/*
 * What of one generation of a stream is durable in the store. A stream that was deleted and made
 * again is another generation: its sequences begin anew, and `created` tells it apart.
 */
struct store_position {
    const char *stream, *consumer;
    const char *created; /* as the server writes it */
    uint64_t through;    /* each message up to this sequence is durable, or will never come */
    struct seqset above; /* durable sequences beyond `through` */
    uint64_t last_seq;   /* the newest durable message, 0 if none, and when the stream stored it */
    int64_t last_time;   /* in ns: shows whether the stream was rolled back to an older state */
};

/* All positions of one instance, least recently committed first. A zeroed struct is empty. */
struct store_positions {
    struct store_position *list;
    size_t count, cap;
};

enum {
    /* Generations that are kept of one stream and consumer. An old one is of use only if a deleted
     * stream is restored from a backup, so a few are plenty; each is written in every commit. */
    STORE_GENERATIONS_MAX = 8,
    /* Streams times generations of one instance. */
    STORE_POSITIONS_MAX = 1024,
    /* Ranges above one position. The most that can be unacknowledged at a server is below it. */
    STORE_RANGES_MAX = 1 << 20,
};

/* The position of exactly this generation, or NULL. Borrowed until the next change. */
const struct store_position *store_positions_find(const struct store_positions *positions,
                                                  const char *stream, const char *created,
                                                  const char *consumer);

/* The generation of a stream that was committed last, or NULL: if its `created` is not the
 * stream's, the stream was made again. */
const struct store_position *store_positions_newest(const struct store_positions *positions,
                                                    const char *stream, const char *consumer);

/* Add a copy of `p`, or bring its generation up to date; it becomes the newest. The oldest
 * generation of the same stream and consumer goes where there are more than
 * STORE_GENERATIONS_MAX. */
void store_positions_put(struct store_positions *positions, const struct store_position *p);

void store_positions_copy(struct store_positions *to, const struct store_positions *from);
void store_positions_free(struct store_positions *positions);

/* Append / parse the JSON array of positions in a log entry. A failed parse leaves *out empty. */
void store_positions_write(struct buf *out, const struct store_positions *positions);
int store_positions_parse(struct store_positions *out, const struct json *array, struct err *err)
    __attribute__((warn_unused_result));

/* Append / parse ranges as text: "1-5,7,9-20", ascending; nothing for an empty set. The parser adds
 * to `out` and returns false for anything else, and for more than STORE_RANGES_MAX ranges. */
void store_ranges_write(struct buf *out, const struct seqset *set);
bool store_ranges_parse(struct seqset *out, struct slice text) __attribute__((warn_unused_result));

/* Append the Delta appId of one position: "varve:<instance>:<stream>:<consumer>:<created>". */
void store_position_app_id(struct buf *out, const char *instance, const struct store_position *p);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_STAGING_H
#define VARVE_STORE_STAGING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/arena.h"
#include "base/buf.h"

/*
 * Rows of many partitions that come in turns, each packed behind the last one of its partition: so
 * a row touches one place in memory and not one for each of its columns, and takes no more than its
 * bytes. Full chunks go round: the thread that takes rows fills them, that which encodes them gives
 * them back.
 */
enum {
    STAGING_CHUNK = 32 * 1024, /* of memory, its head included */
    /* The first chunk of a partition, of which there may be thousands with one row; the next ones
     * are larger. */
    STAGING_FIRST = 1024,
    /* A packed row: of larger ones the ends of chunks would be a waste. */
    STAGING_ROW_MAX = 24 * 1024,
};

struct staging_chunk;

/* Of one partition. A zeroed struct has none. */
struct staged_rows {
    struct staging_chunk *first, *last;
};

/* What goes round. A zeroed struct with an account is ready for use. */
struct staging {
    struct account *account;
    struct staging_chunk *idle;
    uint64_t taken;                           /* since the last trim */
    _Atomic(struct staging_chunk *) returned; /* by any thread */
};

/* Room for a row of `len` bytes, at most STAGING_ROW_MAX, behind the others: the caller fills it.
 * Chunks of other sizes than STAGING_CHUNK come from `arena`, which outlives the rows. */
uint8_t *staging_add(struct staging *s, struct staged_rows *rows, struct arena *arena, size_t len);

/* The rows in the order in which they came: begin with a zeroed cursor. False: there are no more.
 */
struct staging_cursor {
    const struct staging_chunk *chunk;
    size_t at;
};
bool staging_next(const struct staged_rows *rows, struct staging_cursor *cursor, struct slice *row);

/* Forget the rows; any thread may do so. */
void staging_give_back(struct staging *s, struct staged_rows *rows);

/* Free all idle memory but as much as was taken since the last time. */
void staging_trim(struct staging *s);

/* Nobody has rows any more. */
void staging_free(struct staging *s);

#endif

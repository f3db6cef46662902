/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_STAGING_H
#define VARVE_STORE_STAGING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/arena.h"
#include "base/buf.h"

/*
 * Rows of many partitions that come in turns, each packed behind the last one of its partition: so
 * a row touches one place in memory and not one for each of its columns, and takes no more than its
 * bytes. Chunks go round: the thread that takes rows fills them, that which encodes them gives them
 * back, and has the files that it makes of them in such chunks, too.
 */
enum {
    /* Of memory, its head included: a little less than 32 KiB, from which on musl's allocator takes
     * an eighth more. */
    STAGING_CHUNK = 32 * 1024 - 64,
    /* The first chunk of a partition, of which there may be thousands with one row; the next ones
     * are larger. */
    STAGING_FIRST = 1024,
    STAGING_SMALL_MAX = 16 * 1024, /* of those that are not a whole chunk */
    /* A packed row: of larger ones the ends of chunks would be a waste. */
    STAGING_ROW_MAX = 24 * 1024,
};

struct staging_chunk;

/* Of one partition; or bytes of one file, see staging_room. A zeroed struct has none. */
struct staged_rows {
    struct staging_chunk *first, *last;
};

/* What goes round. */
struct staging {
    struct account *account;
    pthread_mutex_t lock; /* of `idle`, `idle_count` and `lent` */
    struct staging_chunk *idle;
    uint64_t idle_count;
    uint64_t taken; /* for rows, since the last trim */
    uint64_t lent;  /* for bytes, since then */
};

/* Nothing is kept yet. Memory is booked to `account`. */
void staging_init(struct staging *s, struct account *account);

/* Room for a row of `len` bytes, at most STAGING_ROW_MAX, behind the others: the caller fills it.
 * Chunks of other sizes than STAGING_CHUNK come from `arena`, which outlives the rows. */
uint8_t *staging_add(struct staging *s, struct staged_rows *rows, struct arena *arena, size_t len);

/* Room for at most `*len` bytes behind the others of `bytes`, which has no rows: the caller fills
 * it.
 * `*len`, at least 1, becomes what there is. Any thread may ask. */
uint8_t *staging_room(struct staging *s, struct staged_rows *bytes, size_t *len);

/* The memory of bytes. */
uint64_t staging_memory(const struct staged_rows *bytes);

/* The rows in the order in which they came: begin with a zeroed cursor. False: there are no more.
 */
struct staging_cursor {
    const struct staging_chunk *chunk;
    size_t at;
};
bool staging_next(const struct staged_rows *rows, struct staging_cursor *cursor, struct slice *row);

/* Forget the rows, or the bytes; any thread may do so. */
void staging_give_back(struct staging *s, struct staged_rows *rows);

/* Free all idle memory but as much as was taken since the last time. */
void staging_trim(struct staging *s);

/* Idle memory, and give it all back. */
uint64_t staging_idle(struct staging *s);
void staging_free_idle(struct staging *s);

/* Nobody has rows any more. */
void staging_free(struct staging *s);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_FEED_H
#define VARVE_FOLLOW_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/group.h"

/*
 * What was committed last, as it still is in memory: the bytes of the files. Followers that keep up
 * take them from here, and nobody waits for one that does not: what was not taken in time is gone
 * from here, and is read from the store.
 *
 * A file is known by the SHA-256 that the log says of it, so that the bytes are those of the store
 * whatever became of names since. Any thread may call any of this but feed_close and feed_free.
 */
enum {
    /* Commits that are kept, and files of one: each file that is opened is looked for among them.
     * A commit of more is read from the store. */
    FEED_COMMITS_MAX = 64,
    FEED_FILES_MAX = 1024,
    FEED_READERS_MAX = 64,
};

struct feed;

/* Where a file is in it. */
struct feed_place {
    uint64_t version;
    uint32_t file;
};

/* What a follower has read. */
struct feed_reader {
    struct feed *feed; /* NULL: there is none */
    uint32_t number;   /* of the reader, below FEED_READERS_MAX */
    /* Files that it has opened since it was started: in the feed, and in the store. */
    uint64_t fed, read;
};

struct feed *feed_new(void);

/* A commit, which made `version` of the table. The group belongs to the feed now. At most `most`
 * bytes are kept; the oldest go first, and what nobody keeps up with goes at once. */
void feed_put(struct feed *f, uint64_t version, struct store_group *group, uint64_t most);

/* Bytes that are kept: of the account of the groups. */
uint64_t feed_bytes(struct feed *f);

/* Keep nothing of what is there. */
void feed_drop(struct feed *f);

/* A reader has all up to this version, and keeps up; or it does not. */
void feed_taken(struct feed *f, uint32_t reader, uint64_t version);
void feed_leave(struct feed *f, uint32_t reader);

/* Whether a file with these bytes is there, and where; *size: how many they are. */
bool feed_find(struct feed *f, struct slice sha256, struct feed_place *place, uint64_t *size);

/* Copy `len` bytes of it, from `offset` on; false: it is gone, or has not so many. */
bool feed_read(struct feed *f, const struct feed_place *place, uint64_t offset, void *data,
               size_t len);

/* Drop all that is there, and keep nothing from now on: no group is in use when this returns. */
void feed_close(struct feed *f);

/* Accepts NULL. Nobody reads any more. */
void feed_free(struct feed *f);

#endif

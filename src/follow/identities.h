/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_IDENTITIES_H
#define VARVE_FOLLOW_IDENTITIES_H

#include "object/object.h"
#include "quality/quality.h"

/*
 * The identities of all events that there ever were, to tell which come again: exactly, in the
 * memory of one commit. They lie sorted in files of the store; what is new is looked up in all that
 * have any of its simulation between the same hashes. So those of runs that are over cost nothing,
 * and an event 16 bytes.
 *
 * Files are never changed: a commit writes new ones, and is made by whoever keeps what
 * identities_put has appended. What is not named there was written by a commit that came to
 * nothing.
 */
enum {
    IDENTITIES_TAIL_MAX = 1 << 16,  /* those that lie in the state itself, as it is put: 1 MiB */
    IDENTITIES_CHUNK_MAX = 1 << 16, /* in a file */
    IDENTITIES_CHUNKS_MAX = 1 << 20,
};

struct identity_chunk {
    uint64_t file; /* its number */
    uint32_t count, crc;
    struct quality_id first, last;
};

struct identity_run {
    size_t chunks;
    uint64_t count; /* of identities */
};

/* A zeroed struct with the first members is empty. */
struct identities {
    struct object_store *store;
    const char *folder; /* of the files, ending with '/' */
    struct account *account;

    uint64_t next_file;
    ARRAY(struct quality_id) tail;       /* the newest, sorted */
    ARRAY(struct identity_chunk) chunks; /* of all runs, each sorted */
    ARRAY(struct identity_run) runs;     /* the newest last, and smallest */
    ARRAY(uint64_t) obsolete;            /* files that nobody needs once the state is kept */
    ARRAY(struct quality_due) sorted;    /* scratch */
};

/* Look up what q->noted has, count what was there before as duplicates, and forget it there. */
int identities_look_up(struct identities *ids, struct quality *q, struct err *err)
    __attribute__((warn_unused_result));

/* Write files, so that few are left to be put. Before each identities_put. */
int identities_write(struct identities *ids, struct err *err) __attribute__((warn_unused_result));

void identities_put(const struct identities *ids, struct buf *out);

/* Have what was put, from *at on, in an empty struct. ERR_FORMAT if that is nothing that was put.
 */
int identities_get(struct identities *ids, struct slice bytes, size_t *at, struct err *err)
    __attribute__((warn_unused_result));

/* Remove the files that are not needed any more: what was put is kept. */
int identities_tidy(struct identities *ids, struct err *err) __attribute__((warn_unused_result));

/* Remove the files that commits have left that came to nothing. */
int identities_clean(struct identities *ids, struct err *err) __attribute__((warn_unused_result));

void identities_free(struct identities *ids);

#endif

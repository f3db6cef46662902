/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_GROUP_H
#define VARVE_STORE_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/arena.h"
#include "base/array.h"
#include "base/buf.h"
#include "base/queue.h"
#include "base/sha256.h"
#include "batch/seqset.h"
#include "parquet/write/writer.h"
#include "store/commit.h"
#include "store/staging.h"
#include "store/writer.h"

/*
 * What becomes visible as one, on its way through the store: the rows between two seals. It goes
 * round once and belongs to one thread at a time:
 *
 *     writer opens it -> encoder makes file images -> committer writes them -> writer frees it
 *
 * While it is open, two threads work on it: the fields marked E are the encoder's.
 */

/* Rows of one kind, one source and one partition. It may become several files. */
struct group_part {
    const struct store_kind *kind;
    const struct store_origin *origin;
    const char *key;           /* see store/path.h */
    struct staged_rows staged; /* those that are kept until the group is sealed: as they came */
    bool unsorted;             /* of these: not in stream order */
    uint64_t clock_suspect;    /* of these: rows that are not filed under their own time */
    struct group_file *file;   /* E: the one that takes rows, NULL: none */
};

/* Some bytes of a file. */
struct group_piece {
    const uint8_t *data; /* NULL: in the file's `image`, */
    size_t at;           /* from there on */
    size_t len;
};

/* Rows of one part in the order of the stream. E, then the committer's. */
struct group_file {
    const struct group_part *part;
    /* Of its rows. Of more than DELTA_ADD_RANGES_MAX ranges only both ends are right. */
    struct seqset sequences;
    uint64_t rows;
    uint64_t clock_suspect;        /* rows that are not filed under their own time */
    struct parquet_writer *writer; /* until the image is complete */
    /* All bytes of the file, kept until it is committed: whatever the disk does, it can be written
     * anew. They are in `pieces`, in this order. */
    ARRAY(struct group_piece) pieces;
    struct staging *staging;
    struct staged_rows copied;        /* what was copied, */
    bool whole;                       /* in place of that: */
    struct buf image;                 /* what was copied, in one piece, */
    ARRAY(struct buf) taken;          /* what was taken over from the writer, */
    struct slice small;               /* in place of them: a small file, in the group's arena */
    struct store_outside outside;     /* or lies elsewhere */
    char sha256[SHA256_TEXT_MAX];     /* of all of it */
    struct store_column_stats *stats; /* of a file of the table */
    size_t stats_count, stats_cap;
    struct buf stats_text; /* what text bounds in `stats` point to */
    uint64_t entry_memory; /* booked for what its commit needs beside what its part has booked */

    struct object_staged *stored; /* by the committer: on disk */
};

struct store_group {
    struct queue_item item;
    struct account *account;
    struct arena arena;      /* of the parts */
    struct staging *staging; /* of rows that are kept and of bytes of files, and */
    struct arena staged;     /* the first of them of each part */
    struct arena images;     /* E: of small files */
    ARRAY(struct group_part *) parts;
    uint64_t parts_memory; /* booked for what their commit needs */
    struct store_seal seal;
    ARRAY(struct group_file *) files; /* E */

    /* Filled by the encoder and the committer: */
    uint64_t version;        /* of the table, once it is committed */
    uint64_t bytes_written;  /* to the files */
    int64_t encode_ns;       /* time spent encoding */
    int64_t commit_ns;       /* from sealed to committed */
    uint32_t conflicts;      /* see struct store_committed */
    struct positions others; /* see struct store_committed */
};

/* Owned by the caller; memory is booked to `account`. `staging` is borrowed as long as there
 * is the group. */
struct store_group *group_new(struct account *account, struct staging *staging);

/* A new part. `key` is copied. Valid as long as the group. */
struct group_part *group_add_part(struct store_group *g, const struct store_kind *kind,
                                  const struct store_origin *origin, struct slice key);

/* Keep a row: room for it, packed as store_kind.unpack wants it. */
uint8_t *group_stage(struct store_group *g, struct group_part *part, size_t len);

/* Append rows that were kept of a part to a batch, and keep them no longer. */
void group_unstage(struct store_group *g, const struct group_part *part, struct staged_rows *rows,
                   struct batch *to);

/* A new file of a part. Valid as long as the group. */
struct group_file *group_add_file(struct store_group *g, struct group_part *part);

/* A row with this sequence, which no row of the file has, goes into it. */
void group_file_add(struct store_group *g, struct group_file *file, uint64_t sequence);

/* The next bytes of a file. They are copied, unless they lie in what was taken or in the value that
 * is outside. */
void group_file_append(struct group_file *file, struct slice bytes);

/* Take over memory, of which some is going to be appended, and leave an empty buffer. */
void group_file_take(struct group_file *file, struct buf *memory);

/* Keep a copy of the image of a small file, which is complete and in one piece. */
void group_keep_image(struct store_group *g, struct group_file *file, struct slice image);

/* The bytes of a complete file, in order: in so many pieces, valid as long as it is. */
size_t group_file_piece_count(const struct group_file *file);
struct slice group_file_piece(const struct group_file *file, size_t index);

/* How many bytes these are, and a copy of `len` of them from `offset` on; false: there are fewer.
 */
uint64_t group_file_size(const struct group_file *file);
bool group_file_copy(const struct group_file *file, uint64_t offset, void *data, size_t len);

/* What there is to say of a committed one, whose `others` are the caller's then. */
struct store_committed group_take_committed(struct store_group *g);

/* It is committed: keep nothing but its files, and of these the bytes and their hash. */
void group_keep_files(struct store_group *g);

/* What these bytes take. */
uint64_t group_memory(const struct store_group *g);

/* Accepts NULL, and a group in whatever state it is. Files that were stored are not removed. */
void group_free(struct store_group *g);

#endif

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
#include "store/writer.h"

/*
 * What becomes visible as one, on its way through the store: the rows between two seals. It goes
 * round once and belongs to one thread at a time:
 *
 *     writer opens it -> encoder makes file images -> committer writes them -> writer frees it
 *
 * While it is open, two threads work on it: the fields marked E are the encoder's.
 */

/* A row that is kept until the group is sealed: of a part that has too few for a batch. */
struct staged_row {
    struct staged_row *next;
    uint32_t len;
    uint8_t packed[]; /* see batch_pack */
};

/* Rows of one kind, one source and one partition. It may become several files. */
struct group_part {
    const struct store_kind *kind;
    const struct store_origin *origin;
    const char *key;                  /* see store/path.h */
    struct staged_row *first, **last; /* as they came */
    bool unsorted;                    /* of these: not in stream order */
    uint64_t clock_suspect;           /* of these: rows that are not filed under their own time */
    struct group_file *file;          /* E: the one that takes rows, NULL: none */
};

/* Rows of one part in the order of the stream. E, then the committer's. */
struct group_file {
    const struct group_part *part;
    /* Of its rows. Of more than DELTA_ADD_RANGES_MAX ranges only both ends are right. */
    struct seqset sequences;
    uint64_t rows;
    uint64_t clock_suspect;        /* rows that are not filed under their own time */
    struct parquet_writer *writer; /* until the image is complete */
    struct buf image;   /* all bytes of the file, kept until it is committed: whatever the
                           disk does, it can be written anew */
    struct slice small; /* the image of a small file, in the group's arena, in place of `image` */
    struct store_outside outside;     /* what the image lacks, */
    size_t outside_at;                /* and where */
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
    struct arena arena;  /* of the parts */
    struct arena staged; /* of rows that are kept */
    struct arena images; /* E: of small files */
    ARRAY(struct group_part *) parts;
    uint64_t parts_memory; /* booked for what their commit needs */
    struct store_seal seal;
    ARRAY(struct group_file *) files; /* E */

    /* Filled by the encoder and the committer: */
    uint64_t version;        /* of the table, once it is committed */
    uint64_t bytes_written;  /* to the files */
    int64_t encode_ns;       /* time spent encoding */
    int64_t commit_ns;       /* from sealed to committed */
    struct positions others; /* see struct store_committed */
};

/* Owned by the caller; memory is booked to `account`. */
struct store_group *group_new(struct account *account);

/* A new part. `key` is copied. Valid as long as the group. */
struct group_part *group_add_part(struct store_group *g, const struct store_kind *kind,
                                  const struct store_origin *origin, struct slice key);

/* Keep a row, packed. */
void group_stage(struct store_group *g, struct group_part *part, struct slice packed);

/* Append the rows that are kept of a part to a batch, and keep them no longer. */
void group_unstage(struct group_part *part, struct batch *to);

/* A new file of a part. Valid as long as the group. */
struct group_file *group_add_file(struct store_group *g, struct group_part *part);

/* A row with this sequence, which no row of the file has, goes into it. */
void group_file_add(struct store_group *g, struct group_file *file, uint64_t sequence);

/* Keep a copy of the image of a small file, which is complete. */
void group_keep_image(struct store_group *g, struct group_file *file, struct slice image);

enum { GROUP_FILE_PIECES = 3 };

/* The bytes of a complete file, in order; pieces may be empty. Valid as long as it is. */
void group_file_pieces(const struct group_file *file,
                       struct slice pieces[static GROUP_FILE_PIECES]);

/* Accepts NULL, and a group in whatever state it is. Files that were stored are not removed. */
void group_free(struct store_group *g);

#endif

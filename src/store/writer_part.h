/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_WRITER_PART_H
#define VARVE_STORE_WRITER_PART_H

#include "base/map.h"
#include "store/committer.h"
#include "store/encoder.h"
#include "store/group.h"
#include "store/route.h"
#include "store/staging.h"
#include "store/writer.h"

/* What the files of a writer share: writer_row.c takes rows, writer.c does all else. */

struct partition {
    struct group_part *part;
    bool has_batches;       /* else its rows are kept row by row */
    uint32_t staged_rows;   /* that many, */
    uint64_t staged_bytes;  /* with this content */
    struct batch *batch;    /* rows that are not with the encoder yet; NULL: none */
    uint64_t batch_memory;  /* of it, as counted in open_memory */
    bool unsorted;          /* the batch is not in stream order */
    bool next_file;         /* the batch is older than what the encoder has */
    uint64_t clock_suspect; /* rows of the batch */
    uint64_t newest;        /* greatest sequence in the partition's newest file */
    uint64_t encoded;       /* greatest sequence of it that the encoder has */
};

/* A kind that has come by. */
struct known_kind {
    const struct store_kind *kind;
    struct batch *row; /* where a row is put that will be kept as such */
};

struct store_writer {
    struct account account;
    struct store_writer_options options;
    struct store_writer_limits limits;
    struct encoder encoder;
    struct committer committer;
    bool ended;

    struct staging staging;
    struct store_group *group; /* the open one, never NULL */
    struct map keys;           /* kind, source and path key -> index of its partition */
    ARRAY(struct partition) partitions;
    struct routes routes;
    struct buf key, packed; /* scratch */
    ARRAY(struct known_kind) kinds;

    /* The row between begin and end. */
    uint32_t row_partition;
    struct batch *row_batch; /* NULL: it is packed, */
    size_t row_packed;       /* in so many bytes */
    uint64_t row_sequence;
    uint64_t row_bytes; /* packed: of it; else of the batch before it */
    bool row_clock_suspect;

    struct encode_job *idle_jobs; /* linked by item.next */
    struct batch *spares[STORE_SPARE_BATCHES];
    uint32_t spare_count;
    uint64_t open_bytes;   /* content of the rows that were not sealed */
    uint64_t open_memory;  /* of the partitions' batches */
    uint64_t queued_bytes; /* content of the batches that the encoder has not returned */
    uint64_t expansion;    /* as last known */
};

/* A job for the encoder. */
struct encode_job *writer_new_job(struct store_writer *w);

/* Hand the rows in a partition's batch, if it has one, to the encoder. */
void writer_push_batch(struct store_writer *w, struct partition *p);

#endif

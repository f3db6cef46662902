/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_ENCODER_H
#define VARVE_STORE_ENCODER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/err.h"
#include "base/queue.h"
#include "batch/batch.h"
#include "parquet/write/writer.h"
#include "store/group.h"

/*
 * What compresses: full batches become pages at once, so that an open group is held compressed; a
 * sealed group becomes complete file images and goes on to the committer. It touches neither
 * network nor disk. In production it is a thread; where everything has to happen on one thread, in
 * an order that can be repeated, encoder_step does its work.
 */
enum {
    /* A spare writer that holds more is freed: what one large file took is not for all time. */
    ENCODER_SPARE_BYTES = 2 * 1024 * 1024,
    /* Images up to this size are made in memory that is kept. */
    ENCODER_IMAGE_BYTES = 64 * 1024,
    /* Of batches that are returned: the loop, which may be waiting for just that, is told. */
    ENCODER_WAKE_BYTES = 256 * 1024,
};

struct encode_job {
    struct queue_item item;
    struct store_group *group;
    struct group_part *part;      /* NULL: the group is sealed */
    struct batch *batch;          /* of `part`; comes back empty through `returned`. NULL: */
    struct staged_rows staged;    /* these rows */
    struct store_outside outside; /* a value of its only row, which gets a file of its own */
    bool unsorted;                /* rows have to be brought into stream order first */
    bool next_file; /* they stand in front of rows that the part's file has: begin another */
    uint64_t clock_suspect;   /* of the rows: those not filed under their own time */
    uint64_t row_group_bytes; /* close the row group when this many compressed bytes are in it: they
                                 are held twice while they go into the image. 0: never */
    uint64_t batch_bytes;     /* for the writer: what the batch counted for */
};

struct encoder {
    struct queue jobs;
    struct queue returned;   /* jobs that are done, with their batches emptied */
    struct queue *sealed;    /* where groups go on to; closed by encoder_end */
    struct account *account; /* of images, and of all that it holds but the batches of its jobs */
    struct parquet_options options;
    const char *instance; /* for the footer */
    struct waker waker;   /* woken when batches were returned */
    bool whole_images;    /* the store wants each in one piece */
    bool threaded;
    pthread_t thread;

    /* Of the thread, or of encoder_step: */
    struct parquet_codec *codec;
    struct parquet_writer *spare; /* for the next file: a writer has much memory */
    const struct schema *spare_schema;
    struct batch *rows; /* those that were kept of one part */
    struct buf text;
    struct buf image;        /* of one small file */
    uint64_t returned_bytes; /* since the loop was told */
    int64_t busy_ns;         /* for the group that is open */
};

/* Ready for jobs, which wait until encoder_start or encoder_step. All is borrowed until
 * encoder_end. */
void encoder_init(struct encoder *e, const struct parquet_options *options, const char *instance,
                  struct account *account, struct queue *sealed, struct waker waker);

/* Do the jobs on a thread from now on. */
int encoder_start(struct encoder *e, struct err *err) __attribute__((warn_unused_result));

/* Without the thread: do one job. Returns when to call again: `now` while there are more, INT64_MAX
 * until there is one. */
int64_t encoder_step(struct encoder *e, int64_t now);

/* Give it a job. */
void encoder_push(struct encoder *e, struct encode_job *job);

/* No more jobs will come: do what is left and close `sealed`. What is in `returned` then is the
 * caller's. */
void encoder_end(struct encoder *e);

#endif

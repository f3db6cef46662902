/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_EPOCH_H
#define VARVE_STORE_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/buf.h"
#include "batch/batch.h"
#include "batch/seqset.h"
#include "event/event.h"
#include "parquet/write/writer.h"
#include "base/queue.h"
#include "store/commit.h"
#include "batch/position.h"

/*
 * An epoch is everything that was drained since the last commit, over all partitions: it becomes
 * visible, and is acked, as one. It goes round once and belongs to one thread at a time:
 *
 *     batcher fills it -> encoder makes file images -> committer writes them -> acks -> freed
 *
 * While it is open, two threads work on it: the batcher on all but the fields marked E, which are
 * the encoder's.
 */
enum epoch_reason {
    EPOCH_ROWS,       /* batching.max_rows */
    EPOCH_BYTES,      /* batching.max_bytes */
    EPOCH_AGE,        /* batching.max_age */
    EPOCH_MEMORY,     /* the share of memory_limit that rows may take */
    EPOCH_PARTITIONS, /* as many open partitions as there may be */
    EPOCH_STREAM,     /* the stream was made again */
    EPOCH_STOP,       /* SIGTERM or SIGINT */
    EPOCH_END,        /* --once reached its end */
    EPOCH_REASONS,
};

/* "rows", "bytes"...: the `reason` of logs and metrics. A literal. */
const char *epoch_reason_name(enum epoch_reason reason);

/* One file: rows of one partition and one stream, in the order of the stream. */
struct epoch_file {
    uint32_t source; /* index of its source */
    bool quarantine; /* messages that could not become rows */
    const struct schema *schema;
    char *key; /* see store/path.h; owned */
    /* Of its rows. Of more than STORE_ADD_RANGES_MAX ranges only both ends are right. */
    struct seqset sequences;
    uint64_t rows;
    uint64_t clock_suspect; /* rows that are filed under stream_time for an absurd timestamp */

    struct parquet_writer *writer; /* E: until the image is complete */
    struct buf image;              /* E: all bytes of the file, kept until it is committed: whatever
                                      the disk does, it can be written anew */
    uint64_t accounted;            /* E: memory of the two above, as told to struct encoder */
    ARRAY(struct store_column_stats) stats; /* E: of each column of a file of the table */
    struct buf stats_text;                  /* E: what text bounds in `stats` point to */

    struct store_file *stored; /* by the committer: on disk */
};

/* What an epoch holds of one source. */
struct epoch_source {
    struct seqset rows;           /* all sequences that it makes durable, dead letters included */
    struct seqset dead_letters;   /* of these: confirmed by the dead letter stream, in no file */
    uint64_t table_rows;          /* rows in the files of the table */
    uint64_t clock_suspect;       /* of these: filed under stream_time for an absurd timestamp */
    uint64_t dead[EVENT_RESULTS]; /* messages that are no rows, by reason: in quarantine files, or
                                     confirmed by the dead letter stream */
    char *stream, *created, *consumer; /* the generation; NULL until it takes part; owned */
    struct position position;          /* what is durable once this is committed: set by sealing */
    uint64_t last_seq;                 /* newest message, and when the stream stored it */
    int64_t last_time;
};

struct epoch {
    struct queue_item item;
    struct epoch *next_sealed; /* for the network thread, until it is committed */
    uint64_t number;           /* 1, 2... in this process */
    enum epoch_reason reason;
    int64_t opened;        /* clock_monotonic of the first message; 0: it is empty */
    uint64_t rows;         /* of all sources and kinds */
    uint64_t bytes;        /* content of these rows */
    uint64_t files_memory; /* of what is known of the files, without their content */

    struct epoch_source *sources;
    uint32_t source_count;
    struct epoch_file **files;
    uint32_t file_count;
    size_t file_cap;

    /* Filled by the encoder and the committer: */
    uint64_t bytes_written; /* to the files */
    int64_t encode_ns;      /* time spent encoding */
    int64_t commit_ns;      /* from sealed to committed */
    int64_t sealed_at;      /* clock_monotonic */
};

struct epoch *epoch_new(uint64_t number, uint32_t source_count);

/* A new file of this epoch, which owns it. `key` is copied. */
struct epoch_file *epoch_add_file(struct epoch *e, uint32_t source, const struct schema *schema,
                                  bool quarantine, struct slice key);

/* A source takes part in the epoch. The texts are copied. */
void epoch_source_begin(struct epoch_source *s, const char *stream, const char *created,
                        const char *consumer);

/* A row with this sequence, which is new, goes into a file. */
void epoch_add_sequence(struct epoch *e, struct epoch_file *file, uint64_t sequence);

/* Bytes of memory that it takes until it is freed, without writers and images; what the commit
 * needs for each file is in it. */
uint64_t epoch_memory(const struct epoch *e);

/* The files are committed: give the memory of their images back. */
void epoch_drop_images(struct epoch *e);

/* The files must not have writers any more (parquet_writer_free) nor be on disk unfinished. */
void epoch_free(struct epoch *e);

#endif

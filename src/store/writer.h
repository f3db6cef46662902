/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_WRITER_H
#define VARVE_STORE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/err.h"
#include "base/queue.h"
#include "batch/batch.h"
#include "batch/position.h"
#include "parquet/write/writer.h"
#include "store/path.h"
#include "store/store.h"

/*
 * The way into a store: rows in; sealed; committed, or failing.
 *
 *     store_writer_begin_row -> (the caller appends the row) -> store_writer_end_row ...
 *     store_writer_seal: what was put in since the last one becomes visible as one
 *     store_writer_committed: it is
 *
 * Behind it rows are sorted into partitions and full batches compressed at once (encoder.h), so
 * that what is open is held compressed, and file images are written and committed (committer.h).
 * What a row means and who is told of a commit is no concern of this folder.
 *
 * The writer belongs to one thread. It has two of its own for what takes time, or none: then
 * store_writer_turn does all the work.
 */
enum {
    /* Empty batches that are kept for reuse, unless they hold more than twice the bytes at which
     * they are full. */
    STORE_SPARE_BATCHES = 4,
    /* Of rows of one partition: fewer are kept row by row until they are sealed, since a batch has
     * a dozen buffers however little is in them. There may be thousands of such partitions. Rows
     * that have a packed form are kept up to half of what a batch takes; */
    STORE_STAGED_BYTES = 16 * 1024,
    /* and with more partitions than these all of them are, since rows of many that come in turns
     * are cheaper to bring into columns one partition at a time. */
    STORE_PARTITIONS_FEW = 8,
    /* Of memory, that an open partition comes to when it is sealed, beside its rows: the image of
     * a small file, what is known of it, its part of the log's entry. */
    STORE_PARTITION_BYTES = 12 * 1024,
    /* Of memory: smaller batches are not compressed early, since their file's writer, which has to
     * stay for the next batch, would take as much. */
    STORE_RELIEF_BYTES = 64 * 1024,
    /* Memory that a byte of rows takes: buffers grow to twice what is in them, and where each row
     * has a partition of its own, that takes many times the row. */
    STORE_EXPANSION_MIN = 2,
    STORE_EXPANSION_START = 4,
    STORE_EXPANSION_MAX = 16,
    STORE_EXPANSION_SAMPLE = 128 * 1024, /* bytes from which on it is known */
};

/* What a file is of. Static data of the caller: it outlives the writer. */
struct store_kind {
    const struct schema *schema;   /* with one `ordered` column, the sequence of the row */
    const struct store_path *path; /* of the files of the table. NULL: of files beside the table,
                                      for messages that are no rows of it */
    const char *types;             /* SHA-256 of what its payloads were decoded by; NULL: nothing */
    /* Append to a batch the row that was packed, see store_writer_room, on any thread. NULL: rows
     * are only put into batches. */
    void (*unpack)(struct batch *b, struct slice packed);
};

/* The stream generation that rows are of: for their footers. */
struct store_origin {
    const char *stream, *created, *consumer;
};

struct store_row {
    const struct store_kind *kind;
    uint32_t source; /* rows of different sources are never in one file */
    /* Borrowed until the commit; for one source the same from one seal to the next. */
    const struct store_origin *origin;
    uint64_t sequence;               /* as in its `ordered` column */
    struct store_path_values values; /* stream and instance are filled in */
    bool clock_suspect;              /* values.time is not its own time */
    size_t packed;                   /* its bytes in the form that kind->unpack takes, */
    uint64_t bytes;                  /* and those that it adds to a batch; 0: it has no such form */
};

/* Memory with a value that is too large to be copied, for a column of byte strings that is not
 * optional and in no group. */
struct store_outside {
    void *memory; /* NULL: there is none */
    size_t size;
    struct account *account; /* to which it is booked, and is given back */
    struct slice value;      /* within it, with STORE_OUTSIDE_ROOM bytes or more in front of it,
                                which are overwritten */
    uint32_t column;
};
enum { STORE_OUTSIDE_ROOM = 4 }; /* for the length that Parquet wants there */

struct store_group; /* store/group.h */

/* What a commit says beside its files. Borrowed until it is committed, or the writer freed. */
struct store_seal {
    uint64_t number; /* ascending, from 1 on */
    uint64_t heard;  /* of the newest commit that the caller had been told of, and had taken to
                        heart, before the first of these rows; 0: of none */
    uint64_t rows;   /* for messages */
    int64_t time;    /* clock_monotonic */
    /* What is durable once this is: for each generation of a stream that took part. */
    const struct position *positions;
    const struct seqset *rows_of;      /* see commit.h; as many */
    const struct seqset *dead_letters; /* the same */
    size_t position_count;
};

struct store_committed {
    uint64_t number;
    uint64_t version; /* of the table, with it */
    uint32_t files;
    uint64_t bytes;     /* of these */
    int64_t encode_ns;  /* spent encoding */
    int64_t commit_ns;  /* from sealed to committed */
    uint32_t conflicts; /* how often another writer's entry was first, and the next number tried */
    /* What others are known to have stored since the commit before, with the consumer
     * STORE_ANYBODY: whoever stores it again will fail. The caller's to free. */
    struct positions others;
    struct store_group *group; /* with store_writer_options.hand_on: its files as they were written.
                                  The caller's, before the writer is freed; else NULL */
};

/* How the newest attempts to commit went, for readiness and alerts. */
struct store_trouble {
    bool failing;    /* the newest attempt failed */
    uint64_t failed; /* attempts since the last commit */
    int64_t since;   /* clock_monotonic of the first of them */
    struct err err;  /* of the newest */
    bool outdated;   /* nothing can be committed any more: see store_is_outdated, */
    bool outrun;     /* and store_is_outrun */
};

struct store_writer_limits {
    uint64_t batch_bytes; /* of rows, at which they are compressed */
    uint64_t open_memory; /* of rows that are not compressed, at which the largest batches are */
    uint64_t row_group_bytes; /* compressed, at which a row group is closed; 0: never */
};

struct store_writer_options {
    struct store *store; /* borrowed */
    const char *instance;
    struct parquet_options parquet;
    struct account *account; /* to which its memory is booked; may be NULL */
    bool stepped;            /* no threads */
    bool hand_on;            /* see struct store_committed */
    struct waker waker;      /* woken by the threads when something changed */
};

struct store_writer;

/* NULL if a thread can't be started. Texts are borrowed. */
struct store_writer *store_writer_new(const struct store_writer_options *options, struct err *err)
    __attribute__((warn_unused_result));

/* End its threads. What is not committed by then, after one more attempt, is given up. Committed
 * groups that nobody has asked for with store_writer_committed are forgotten. Accepts NULL. */
void store_writer_free(struct store_writer *w);

/* No more rows, and nothing to be sealed: wait for the threads, as store_writer_free does, but let
 * store_writer_committed tell what they have done. */
void store_writer_end(struct store_writer *w);

void store_writer_set_limits(struct store_writer *w, const struct store_writer_limits *limits);

/* The batch to append the row to, of kind->schema: exactly one row, before anything else is done
 * with the writer. NULL for one that has a packed form: that is to be put where store_writer_room
 * says. */
struct batch *store_writer_begin_row(struct store_writer *w, const struct store_row *row);
uint8_t *store_writer_room(struct store_writer *w);

/* The row was appended: the bytes that it takes. */
uint64_t store_writer_end_row(struct store_writer *w);

/* Add a row, the only one of `batch`, with its value in outside->column in place of what the batch
 * has there: to a file of its own. Both are taken over. */
void store_writer_add_outside(struct store_writer *w, const struct store_row *row,
                              struct batch *batch, const struct store_outside *outside);

/* Without rows it is a commit that moves positions. */
void store_writer_seal(struct store_writer *w, const struct store_seal *seal);

/* The oldest commit that nobody was told of yet; false if there is none. */
bool store_writer_committed(struct store_writer *w, struct store_committed *out);

/* Whether commits fail. */
struct store_trouble store_writer_trouble(struct store_writer *w);

/* What is due. Returns when to call again; INT64_MAX: when something changed. */
int64_t store_writer_turn(struct store_writer *w, int64_t now);

/* Of what was not sealed yet. */
uint32_t store_writer_partitions(const struct store_writer *w);

/* Bytes of rows that wait for the encoder. */
uint64_t store_writer_queued(const struct store_writer *w);

/* Bytes of memory that wait for rows to come, and give them back. */
uint64_t store_writer_idle(struct store_writer *w);
void store_writer_free_idle(struct store_writer *w);

/* Bytes of memory that a byte of rows takes until it is compressed. */
uint64_t store_writer_expansion(struct store_writer *w);

#endif

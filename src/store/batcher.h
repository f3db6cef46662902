/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_BATCHER_H
#define VARVE_STORE_BATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "batch/batch.h"
#include "event/event.h"
#include "event/quarantine.h"
#include "store/encoder.h"
#include "store/epoch.h"
#include "store/path.h"

/*
 * Sorts rows into partitions and partitions into epochs. Belongs to the network thread; full
 * batches go to the encoder at once, so that an open epoch is held compressed.
 */
enum {
    /* Open partitions at which the epoch is sealed: each costs some 16 KiB however empty it is, and
     * becomes a file. */
    BATCHER_PARTITIONS_MAX = 4096,
    /* Empty batches that are kept for reuse, unless they hold more than twice the bytes at which
     * they are full. */
    BATCHER_SPARES = 4,
    BATCHER_ROUTES = 64, /* a power of two */
    /* Of memory: smaller batches are not compressed early, since their file's writer, which has to
     * stay for the next batch, would take as much. */
    BATCHER_RELIEF_BYTES = 64 * 1024,
    /* Memory that a byte of rows takes: buffers grow to twice what is in them, and where each row
     * has a partition of its own, that takes many times the row. */
    BATCHER_EXPANSION_MIN = 2,
    BATCHER_EXPANSION_START = 4,
    BATCHER_EXPANSION_MAX = 16,
    BATCHER_EXPANSION_SAMPLE = 128 * 1024, /* bytes from which on it is known */
};

/* Where rows that are alike went before: saves making the path of each row. */
struct batcher_route {
    bool used;
    uint32_t source;
    uint32_t partition;
    struct store_path_values values; /* slices into `text` */
    struct buf text;
};

struct batcher_partition {
    struct epoch_file *file;
    struct batch *batch;   /* rows that are not with the encoder yet; NULL: none */
    uint64_t batch_memory; /* of it, as counted in the batcher's */
    bool unsorted;         /* the batch is not in stream order */
    uint64_t newest;       /* greatest sequence in the file */
    uint64_t encoded;      /* greatest sequence that the encoder has */
    uint64_t pages_so_far; /* an upper estimate */
    uint64_t row_groups_so_far;
};

struct batcher_limits {
    uint64_t rows, bytes; /* of an epoch */
    int64_t age;
    uint64_t batch_bytes;     /* at which a batch goes to the encoder even if it has few rows */
    uint64_t open_memory;     /* of batches at which the largest go there even if they have less */
    uint64_t row_group_bytes; /* compressed, at which a row group is closed */
};

struct batcher {
    struct encoder *encoder;
    const struct store_path *path;
    struct slice instance;
    struct batcher_limits limits;
    uint32_t source_count;

    struct epoch *epoch; /* the open one, never NULL */
    uint64_t last_number;
    struct map keys; /* source and path key -> index of its partition */
    struct batcher_partition *partitions;
    uint32_t partition_count;
    size_t partition_cap;
    struct batcher_route routes[BATCHER_ROUTES];
    struct buf key;

    struct encode_job *idle_jobs; /* linked by item.next */
    struct batch *spares[BATCHER_SPARES];
    uint32_t spare_count;
    uint64_t batch_memory;   /* of all batches: open, with the encoder, and spare */
    uint32_t jobs_under_way; /* with the encoder */
    uint64_t queued_bytes;   /* content of the batches that the encoder has not returned */
    uint64_t queued_memory;  /* memory of these */
    uint64_t expansion;      /* as last known */
};

/* The generation of a stream that a message belongs to. Texts are copied. */
struct batcher_source {
    uint32_t index;
    const char *stream, *created, *consumer;
};

void batcher_init(struct batcher *b, struct encoder *encoder, const struct store_path *path,
                  struct slice instance, struct batcher_limits limits, uint32_t source_count);

/* After the encoder has ended. */
void batcher_free(struct batcher *b);

/* Add one row. `partition_time` from event_partition_time. */
void batcher_add(struct batcher *b, const struct batcher_source *source, const struct event *event,
                 const struct event_origin *origin, int64_t partition_time, bool suspect,
                 int64_t now);

/* Add a message that can't become a row. */
void batcher_quarantine(struct batcher *b, const struct batcher_source *source,
                        const struct quarantined *message, int64_t now);

/* A message that was confirmed by the dead letter stream: nothing but its sequence. */
void batcher_dead_letter(struct batcher *b, const struct batcher_source *source,
                         enum event_result reason, uint64_t stream_seq, int64_t stream_time_ns,
                         int64_t now);

/* Whether the open epoch must be sealed, by what was configured. */
bool batcher_is_due(const struct batcher *b, int64_t now, enum epoch_reason *reason);

/* When batcher_is_due has to be asked again even if nothing arrives. INT64_MAX: never. */
int64_t batcher_deadline(const struct batcher *b);

/* True if the open epoch has nothing. */
bool batcher_is_empty(const struct batcher *b);

/*
 * Seal the open epoch and open another one. The caller fills in the positions of what this returns
 * and gives it to batcher_send. Until then it must not be freed.
 */
struct epoch *batcher_seal(struct batcher *b, enum epoch_reason reason, int64_t now);
void batcher_send(struct batcher *b, struct epoch *sealed);

/* Take back what the encoder is done with. Call it now and then. */
void batcher_collect(struct batcher *b);

/* An epoch is committed: give back the memory of its files. */
void batcher_committed(struct batcher *b, struct epoch *epoch);

/* Where many partitions are open, their batches fill slowly and take memory that they would not
 * take compressed: beyond limits.open_memory give the largest to the encoder. */
void batcher_relieve(struct batcher *b);

/* Bytes of memory that a byte of rows takes until it is compressed. */
uint64_t batcher_expansion(struct batcher *b);

/* Bytes of memory of rows in every form (batches, pages, images) and of all that is known of those
 * in the open epoch. */
uint64_t batcher_memory(const struct batcher *b);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_EPOCH_H
#define VARVE_PIPELINE_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "batch/position.h"
#include "batch/seqset.h"
#include "event/event.h"
#include "store/path.h"
#include "store/writer.h"

/*
 * An epoch is everything that was drained since the last commit, over all sources: it becomes
 * visible, and is acked, as one. Here is what is known of it; its rows are with the store.
 *
 *     open -> sealed -> committed -> freed
 */
enum epoch_reason {
    EPOCH_ROWS,       /* batching.max_rows */
    EPOCH_BYTES,      /* batching.max_bytes */
    EPOCH_AGE,        /* batching.max_age */
    EPOCH_MEMORY,     /* the share of memory_limit that rows may take */
    EPOCH_PARTITIONS, /* as many open partitions as there may be */
    EPOCH_POSITION,   /* what is durable has changed although no row came */
    EPOCH_STREAM,     /* the stream was made again */
    EPOCH_STOP,       /* SIGTERM or SIGINT */
    EPOCH_END,        /* --once reached its end */
    EPOCH_REASONS,
};

/* "rows", "bytes"...: the `reason` of logs and metrics. A literal. */
const char *epoch_reason_name(enum epoch_reason reason);

/* What an epoch holds of one source. */
struct epoch_source {
    struct store_origin origin;   /* texts are owned; NULL until the source takes part */
    struct seqset rows;           /* all sequences that it makes durable, dead letters included */
    struct seqjoin late;          /* what comes to these when it is sealed */
    struct seqset dead_letters;   /* of these: confirmed by the dead letter stream, in no file */
    uint64_t table_rows;          /* rows in the files of the table */
    uint64_t clock_suspect;       /* of these: filed under stream_time for an absurd timestamp */
    uint64_t dead[EVENT_RESULTS]; /* messages that are no rows, by reason: in quarantine files, or
                                     confirmed by the dead letter stream */
    uint64_t last_seq;            /* newest message, and when the stream stored it */
    int64_t last_time;
};

struct epoch {
    struct epoch *next; /* the one that was sealed behind it */
    struct account *account;
    uint64_t number; /* 1, 2... in this process */
    uint64_t heard;  /* of the newest one that was committed when this one was opened */
    enum epoch_reason reason;
    int64_t opened; /* clock_monotonic of the first message; 0: it is empty */
    uint64_t rows;  /* of all sources and kinds */
    uint64_t bytes; /* content of these rows */

    struct epoch_source *sources;
    uint32_t source_count;

    /* Since it was sealed: what is durable once it is committed, for each source that takes part.
     * The sets are owned, the texts those of `sources`. */
    struct position *positions;
    struct seqset *rows_of;      /* of each position; views */
    struct seqset *dead_letters; /* the same */
    size_t position_count;
    uint64_t copies_memory; /* booked for copies of the sets above positions */
    uint64_t partitions;    /* of its rows */
};

struct epoch_limits {
    uint64_t rows, bytes; /* of an epoch */
    int64_t age;
    uint64_t partitions;
};

/* The open epoch, and those that were sealed and are not committed. */
struct epochs {
    struct store_writer *store;
    struct epoch_limits limits;
    struct store_kind table, quarantine;
    struct account *account;
    uint32_t source_count;

    struct epoch *open;   /* never NULL */
    struct epoch *sealed; /* oldest first */
    uint32_t sealed_count;
    uint64_t heard; /* of the newest one that was committed */
};

/* All is borrowed. `path` is the template of the table's files. */
void epochs_init(struct epochs *e, struct store_writer *store, const struct store_path *path,
                 struct epoch_limits limits, uint32_t source_count, struct account *account);

/* Before the store's writer is freed, but after it has ended. */
void epochs_free(struct epochs *e);

/* The generation of a stream that a message belongs to. Texts are copied. */
struct epoch_origin {
    uint32_t source;
    struct store_origin texts;
};

/* Add one row. `time` and `suspect` from event_partition_time. */
void epochs_add_row(struct epochs *e, const struct epoch_origin *from, const struct event *event,
                    const struct event_origin *origin, int64_t time, bool suspect, int64_t now);

/* Add a message that can't become a row. */
void epochs_add_quarantined(struct epochs *e, const struct epoch_origin *from,
                            const struct quarantined *message, int64_t now);

/* The same for one that is too large to be copied: `payload` is where its payload is, which is
 * taken over. That of `message` is not looked at. */
void epochs_add_large(struct epochs *e, const struct epoch_origin *from,
                      const struct quarantined *message, const struct store_outside *payload,
                      int64_t now);

/* Add a message that was confirmed by the dead letter stream: nothing but its sequence. */
void epochs_add_dead_letter(struct epochs *e, const struct epoch_origin *from,
                            enum event_result reason, uint64_t sequence, int64_t stream_time,
                            int64_t now);

/* The source takes part in the open epoch, with no row so far: its position is committed. */
void epochs_add_position(struct epochs *e, const struct epoch_origin *from, int64_t now);

/* Partitions of all epochs that are not committed. */
uint64_t epochs_partitions(const struct epochs *e);

/* True if the open epoch has nothing. */
bool epochs_is_empty(const struct epochs *e);

/* True if it has as many rows or bytes as an epoch may have: it must be sealed before more is
 * added. */
bool epochs_is_full(const struct epochs *e, enum epoch_reason *reason);

/* When it has to be sealed even if it is not full, and why. INT64_MAX: never. */
int64_t epochs_due(const struct epochs *e, enum epoch_reason *reason);

/* Close the open epoch, which is not empty, and open another one. The caller fills in the positions
 * of what this returns (epoch_set_position) and gives it to epochs_send at once. */
struct epoch *epochs_seal(struct epochs *e, enum epoch_reason reason);

/* What is durable of a source once the epoch is committed. Takes over the set of `p`; its texts are
 * not looked at. */
void epoch_set_position(struct epoch *epoch, uint32_t source, const struct position *p);

void epochs_send(struct epochs *e, struct epoch *epoch, int64_t now);

/* The oldest epoch if it is committed, and how; it is the caller's to free. NULL: it is not. */
struct epoch *epochs_committed(struct epochs *e, struct store_committed *how);

void epoch_free(struct epoch *epoch);

#endif

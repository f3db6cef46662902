/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_FLOW_H
#define VARVE_PIPELINE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/*
 * Whether more may be asked for. Nothing that was asked for can be refused later, so this is where
 * a slow disk, a full one and the memory limit act: no new pulls, while all else goes on.
 */
enum flow_pause {
    FLOW_COMMIT,   /* commits fail, or can't keep up */
    FLOW_ENCODER,  /* compression can't keep up */
    FLOW_MEMORY,   /* memory_limit */
    FLOW_DISK_LOW, /* output.min_free */
    FLOW_PAUSES,
};

enum {
    /* Sealed epochs that are not committed: one that is being written, one behind it. */
    FLOW_EPOCHS_MAX = 2,
    /* Of what is asked for, an allocator takes so much more for its classes of sizes: an eighth. */
    FLOW_ROUNDING = 8,
};

/*
 * Shares of memory_limit. The open epoch is sealed at half of it, and more is asked for as long as
 * that may come to three quarters together with what is committed meanwhile. The rest is for a row
 * group that stands both in its writer and in the image of its file (an eighth), and for surprises.
 */
#define FLOW_QUEUE_BYTES(limit) ((limit) / 16)  /* rows that wait for compression: 50 ms of it */
#define FLOW_BATCH_BYTES(limit) ((limit) / 128) /* rows of one batch */
#define FLOW_OPEN_BYTES(limit) ((limit) / 4)    /* all batches that fill */
#define FLOW_FEED_BYTES(limit) ((limit) / 8)    /* committed, for followers, while there is room */
#define FLOW_FOLLOWERS_BYTES(limit) ((limit) / 4) /* what followers hold counts up to this */
#define FLOW_ROW_GROUP_BYTES(limit) ((limit) / 8) /* of a row group, compressed */
#define FLOW_PULL_BYTES(limit, sources) ((limit) / 8 / (sources)) /* asked for at most */
#define FLOW_PULL_BYTES_MIN(limit) ((limit) / 256) /* for less it is not worth to ask */
/* The largest message that can become a row, which takes memory several times, with room for its
 * subject and headers. Smaller than that is no limit for what a server takes: see config_finish. */
#define FLOW_MESSAGE_BYTES(limit, sources) ((limit) / 4 / (sources) + 64 * 1024)
/* The largest message at all: it is there once, from the socket to the disk. */
#define FLOW_LARGE_BYTES(limit) (limit)

/* Partitions of an epoch, and of all that are not committed: what they take when they are sealed,
 * beside their rows. While those of one epoch are committed, another one fills. Each message may be
 * of a partition of its own, so no more of them are asked for than may be opened. */
#define FLOW_PARTITIONS(limit) ((limit) / 2 / STORE_PARTITION_BYTES)
#define FLOW_PARTITIONS_MAX(limit) ((limit) / STORE_PARTITION_BYTES)
/* Fewer, while a commit will free more, are not worth to ask. */
#define FLOW_PARTITIONS_MIN(limit) (FLOW_PARTITIONS(limit) / 16)
/* Bytes of a message as long as none has come. */
enum { FLOW_MESSAGE_START = 256 };

#define FLOW_DISK_INTERVAL (2 * CLOCK_SECOND)

/* "commit", "encoder"...: the `reason` of varve_paused. A literal. */
const char *flow_pause_name(enum flow_pause pause);

struct flow_state {
    uint32_t epochs;    /* sealed, not committed */
    bool failing;       /* the newest commit attempt failed */
    bool empty;         /* the open epoch has nothing */
    uint64_t queued;    /* bytes of rows that wait for the encoder */
    uint64_t memory;    /* as flow_memory has it; of followers at most FLOW_FOLLOWERS_BYTES */
    uint64_t idle;      /* of that: what rows to come will take */
    uint64_t expansion; /* bytes of memory that a byte of rows takes until it is compressed */
    uint64_t oversize;  /* bytes of the messages that the next pulls are for, where those are known
                           to be larger than what is asked for normally */
    uint64_t large;     /* bytes of a message that is too large to become a row, and the next one of
                           a source; 0: there is none */
    uint64_t partitions; /* of all epochs that are not committed */
    uint64_t message;    /* bytes of a message, on an average */
    uint64_t on_the_way; /* bytes that were asked for */
    uint64_t memory_limit;
    uint64_t disk_free;
    uint64_t min_free;
};

/* Bits 1 << enum flow_pause of all that speaks against asking for more; 0: go on. */
uint32_t flow_pauses(const struct flow_state *s);

/* Bytes that may be on the way in all. */
uint64_t flow_pull_bytes(const struct flow_state *s);

/* The same, if each message is of a partition of its own: what to ask for. */
uint64_t flow_share(const struct flow_state *s);

/* Whether the large message fits beside all else. If not it has to be alone, and... */
bool flow_has_room(const struct flow_state *s);

/* ...whether it may be asked for now. */
bool flow_may_be_large(const struct flow_state *s);

/* Whether the open epoch has to be sealed for memory. */
bool flow_must_seal(const struct flow_state *s);

struct pipeline;

/*
 * What counts against memory_limit: all that grows with what is drained, in whatever form it is,
 * and what followers hold. Beside it the process has some MiB that don't grow: its code, stacks,
 * small buffers.
 */
uint64_t flow_memory(const struct pipeline *p);

/* Bytes that may be taken beside that, for a moment. */
uint64_t flow_room(const struct pipeline *p);

/* Take over a memory_limit: what batches, pulls and row groups may take. */
void flow_set_limit(struct pipeline *p, uint64_t limit);

/* Seal the open epoch if memory asks for it; have the sources go on, ask for less, or pause.
 * Returns when to look at the disk again. */
int64_t flow_control(struct pipeline *p, int64_t now);

#endif

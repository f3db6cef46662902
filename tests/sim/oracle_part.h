/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_ORACLE_PART_H
#define VARVE_TESTS_SIM_ORACLE_PART_H

#include "base/array.h"
#include "event.h"
#include "oracle.h"
#include "parquet/codec.h"

/* What the files of the oracle share. */

/* And stream_seq, stream_time, nats_subject, event_time, headers. */
enum { ORACLE_COLUMNS = SIM_EVENT_COLUMNS + 5 };

struct accepted {
    const char *stream; /* of the caller, a literal of the history */
    uint64_t seq;
    uint32_t number;
    int64_t base, time;
    const char *subject;
    bool bad, excused;
    bool past;           /* the stream has others under its number */
    bool published;      /* it is among the dead letters, of which no commit need tell */
    bool was_durable;    /* in a store that another one is in the place of */
    uint32_t rows, dead; /* durable ones */
};

struct other {
    const char *stream;
    uint64_t seq;
};

struct named {
    char *path;
    ARRAY(uint32_t) events; /* that are rows of it */
    bool removed;
};

struct oracle {
    struct server *server;
    struct disk *disk;
    const char *root, *dead_letters;
    ARRAY(struct accepted) list;
    ARRAY(struct other) others; /* messages of subjects that are not wanted */
    uint64_t unsure;
    ARRAY(struct named) named; /* files, by the log */
    uint64_t next_version, next_dead, rows;
    struct parquet_codec *codec;
    struct buf path, entry;
    char failure[512];
};

extern const char *const oracle_columns[ORACLE_COLUMNS];

/* The event with this number; NULL: nobody published it. */
struct accepted *oracle_find(struct oracle *o, uint32_t number);

/* A value of an int64 column. */
int64_t oracle_int64(struct slice value);

/* Read what is durable and was not read yet. */
void oracle_look(struct oracle *o);

/* Read the table as a follower does: each row that is stored comes, in the order of its stream. */
void oracle_follow(struct oracle *o);

#endif

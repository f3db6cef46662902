/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_PLAN_H
#define VARVE_TESTS_SIM_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"
#include "server.h"

/* What a seed stands for: how the world is made, and what goes wrong in it, and when. */

enum plan_kind {
    PLAN_PUBLISH,
    PLAN_SYNC,          /* the server writes its state to its disk */
    PLAN_SYNC_CONSUMER, /* the consumer's alone */
    PLAN_CUT,           /* a connection breaks */
    PLAN_HALF_OPEN,     /* and nobody is told */
    PLAN_SERVER_STOPS,
    PLAN_SERVER_KILLED,
    PLAN_SERVER_STARTS,
    PLAN_LEADER,         /* the consumer gets another one, */
    PLAN_LEADER_FORGETS, /* which knows less */
    PLAN_ERROR,          /* -ERR, and the connection stays */
    PLAN_FATAL,          /* -ERR, and it does not */
    PLAN_LAME_DUCK,
    PLAN_STATUS,      /* to all pulls */
    PLAN_API_FAILS,   /* for a while */
    PLAN_VARVE_STOPS, /* SIGTERM, and it is started again */
    PLAN_VARVE_DIES,  /* SIGKILL at one of its next calls */
    PLAN_POWER_CUT,   /* of varve's machine */
    PLAN_DISK_FULL,
    PLAN_DISK_ERRORS,
    PLAN_DISK_HEALS,
    PLAN_LOSSES, /* between the parts of a cluster */
    PLAN_LOSSES_END,
    PLAN_CONSUMER_DELETED,
    PLAN_MESSAGE_DELETED,
    PLAN_PURGE,
    PLAN_STREAM_MADE_AGAIN,
    PLAN_SERVER_POWER,       /* the server's machine loses what was not synced, */
    PLAN_SERVER_ROLLED,      /* or its streams do, and not its consumers */
    PLAN_DIRECTORY_SAVED,    /* a copy of the store is made, */
    PLAN_DIRECTORY_RESTORED, /* and takes its place */
    PLAN_DIRECTORY_DELETED,
    PLAN_CONSUMER_RENAMED,
    PLAN_OPTIMIZE,        /* another engine rewrites files of the table, */
    PLAN_VACUUM,          /* and removes those that the table has no more */
    PLAN_CHECKPOINT,      /* it makes a checkpoint, */
    PLAN_LOG_CLEANED,     /* and removes the entries in front of one */
    PLAN_TABLE_KEPT,      /* somebody wants checkpoints often, and old entries gone */
    PLAN_CONSUMER_EDITED, /* and, some time later, put back as it was */
    PLAN_CONSUMER_MENDED,
    PLAN_KINDS,
};

extern const char *const plan_kind_names[PLAN_KINDS];

struct plan_step {
    int64_t at;
    enum plan_kind kind;
    uint64_t value; /* what it may need: chance, made beforehand */
};

enum { PLAN_STEPS_MAX = 512 };

/* From this seed on histories have operators and servers' power cuts in them, too; and from that
 * one on the store is in a bucket. */
#define PLAN_ACTORS_FROM UINT64_C(1000000000)
#define PLAN_BUCKET_FROM UINT64_C(2000000000)
/* From here on files and entries are too large there for one request, and go in parts. */
#define PLAN_PARTS_FROM UINT64_C(3000000000)

struct plan {
    uint64_t seed;
    struct server_options server;
    struct link_manner manner;
    size_t instances;
    bool shared;           /* both take from one consumer, */
    bool undeclared;       /* and not all of them were told so */
    bool twins;            /* both drain one stream, by position */
    bool manages;          /* consumer.manage: update */
    const char *retention; /* of the streams */
    bool position;         /* delivery: position */
    bool dead_letters;     /* there is a subject for them, */
    bool dead_stream;      /* and a stream that takes it */
    bool filtered;         /* the stream has other subjects, too */
    bool bucket;           /* the store is one of objects, */
    size_t part;           /* which go in parts of so many bytes; 0: in one */
    uint64_t unclear;      /* permille of requests to which do not end well */
    uint64_t rivals;       /* permille of commits that another engine comes before */
    uint64_t max_rows;
    int64_t max_age;
    struct plan_step steps[PLAN_STEPS_MAX];
    int count;
    int64_t calm_at; /* from when on nothing goes wrong */
};

/* With `actors`, also what operators and a server's power cut do. */
void plan_make(struct plan *p, uint64_t seed, bool actors);

#endif

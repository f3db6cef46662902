/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_WORLD_H
#define VARVE_TESTS_SIM_WORLD_H

#include "base/clock.h"
#include "bucket.h"
#include "disk.h"
#include "link.h"
#include "oracle.h"
#include "pipeline/pipeline.h"
#include "plan.h"
#include "server.h"

/* One or two varves that write into one directory, each from a stream of its own, one server, the
 * network between them, a disk, and one time for all. */

#define ROOT "/store"
#define BUCKET "s3://bucket/store"
#define DEAD "DEAD"
enum { INSTANCES_MAX = 2 };

struct instance {
    const char *name, *stream, *subject, *consumer;
    const char *other_subject; /* of the stream, and not for varve */
    struct config config;
    struct pipeline *varve; /* NULL: it does not run */
    struct disk_process *process;
    int64_t at;         /* its deadline, or when it is started again */
    uint64_t lost;      /* messages that it said it has lost */
    bool outrun;        /* it has ended because of the other one */
    bool made_anew;     /* by somebody who wanted another ack policy */
    bool unheard;       /* its consumer was deleted, and an interest stream had no other since */
    struct buf as_made; /* the configuration of its consumer before somebody edited it */
};

struct world {
    struct plan plan;
    struct sim_random random;
    int64_t now;
    struct clock clock;
    struct server *server;
    struct links *links;
    struct disk *disk;
    struct sim_bucket *bucket; /* NULL: the store is a directory */
    struct oracle *oracle;
    struct instance list[INSTANCES_MAX];
    size_t count;
    struct instance *turning; /* NULL: nobody is */
    bool interposed, stopping, trace, losing, has_lost, saved;
    uint64_t loss, checkpoint; /* the newest of another engine */
    uint32_t published;
    int next_step;
    uint64_t turns, checksum;
};

int64_t world_wall(const struct world *w);

/* For who follows a replay. */
void world_tell(const struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Varve begins; its process is dead, and comes back by itself a little later. */
void world_start_varve(struct world *w, struct instance *i);
void world_bury(struct world *w, struct instance *i);

/* Time passes, with all that the plan and what follows from it bring; until something is wrong. */
void world_go_on(struct world *w, int64_t until);

void world_do(struct world *w, const struct plan_step *step);
void world_make_stream(struct world *w, const struct instance *i);
/* A request to the API about a stream, or about a consumer in it. */
void world_ask(struct world *w, const char *call, const char *stream, const char *consumer,
               const char *body);
/* Somebody deletes its consumer. An interest stream drops what nobody has got yet; and what comes
 * before varve makes it again it keeps at most as long as a consumer is there that passes, such as
 * one that fetches again. */
void world_delete_consumer(struct world *w, struct instance *i);
/* The configuration that the instance starts with next time. */
void world_configure(struct world *w, struct instance *i);
/* The disk, or the bucket, has no trouble that was not there from the start; or none at all. */
void world_heal(struct world *w, bool all);
/* In front of a request to the bucket: one of those who are at no request themselves has a turn. */
void world_interpose(struct world *w);

/* What operators do: the rest of the steps; but for what another engine does. */
void world_operate(struct world *w, struct instance *i, const struct plan_step *step);
void world_engine(struct world *w, const struct plan_step *step);
/* The consumer is again what it was before it was edited. */
void world_mend_consumer(struct world *w, struct instance *i);

#endif

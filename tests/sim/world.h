/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_WORLD_H
#define VARVE_TESTS_SIM_WORLD_H

#include "base/clock.h"
#include "disk.h"
#include "link.h"
#include "oracle.h"
#include "pipeline/pipeline.h"
#include "plan.h"
#include "server.h"

/* One varve, one server, the network between them, a disk, and one time for all. */

#define ROOT "/store"
#define STREAM "EVENTS"
#define DEAD "DEAD"
#define CONSUMER "varve"
#define SUBJECT "events.raw"
#define OTHER_SUBJECT "events.other"

struct world {
    struct plan plan;
    struct sim_random random;
    int64_t now;
    struct clock clock;
    struct server *server;
    struct links *links;
    struct disk *disk;
    struct oracle *oracle;
    struct config config;
    struct pipeline *varve; /* NULL: it does not run */
    struct disk_process *process;
    int64_t varve_at; /* its deadline, or when it is started again */
    bool stopping, trace, losing;
    uint64_t loss;
    uint32_t published;
    int next_step;
    uint64_t turns, checksum;
};

int64_t world_wall(const struct world *w);

/* For who follows a replay. */
void world_tell(const struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Varve begins; its process is dead, and comes back by itself a little later. */
void world_start_varve(struct world *w);
void world_bury(struct world *w);

/* Time passes, with all that the plan and what follows from it bring; until something is wrong. */
void world_go_on(struct world *w, int64_t until);

void world_do(struct world *w, const struct plan_step *step);
/* The disk has room, and no faults. */
void world_heal(struct world *w);

#endif

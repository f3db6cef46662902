/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/assert.h"
#include "random.h"

const char *const plan_kind_names[PLAN_KINDS] = {
    [PLAN_PUBLISH] = "publish",
    [PLAN_SYNC] = "sync",
    [PLAN_SYNC_CONSUMER] = "sync-consumer",
    [PLAN_CUT] = "cut",
    [PLAN_HALF_OPEN] = "half-open",
    [PLAN_SERVER_STOPS] = "server-stops",
    [PLAN_SERVER_KILLED] = "server-killed",
    [PLAN_SERVER_STARTS] = "server-starts",
    [PLAN_LEADER] = "leader",
    [PLAN_LEADER_FORGETS] = "leader-forgets",
    [PLAN_ERROR] = "error",
    [PLAN_FATAL] = "fatal",
    [PLAN_LAME_DUCK] = "lame-duck",
    [PLAN_STATUS] = "status",
    [PLAN_API_FAILS] = "api-fails",
    [PLAN_VARVE_STOPS] = "varve-stops",
    [PLAN_VARVE_DIES] = "varve-dies",
    [PLAN_POWER_CUT] = "power-cut",
    [PLAN_DISK_FULL] = "disk-full",
    [PLAN_DISK_ERRORS] = "disk-errors",
    [PLAN_DISK_HEALS] = "disk-heals",
    [PLAN_LOSSES] = "losses",
    [PLAN_LOSSES_END] = "losses-end",
    [PLAN_CONSUMER_DELETED] = "consumer-deleted",
    [PLAN_MESSAGE_DELETED] = "message-deleted",
    [PLAN_PURGE] = "purge",
    [PLAN_STREAM_MADE_AGAIN] = "stream-made-again",
    [PLAN_SERVER_POWER] = "server-power",
    [PLAN_SERVER_ROLLED] = "server-rolled",
    [PLAN_DIRECTORY_SAVED] = "directory-saved",
    [PLAN_DIRECTORY_RESTORED] = "directory-restored",
    [PLAN_DIRECTORY_DELETED] = "directory-deleted",
    [PLAN_CONSUMER_RENAMED] = "consumer-renamed",
    [PLAN_OPTIMIZE] = "optimize",
    [PLAN_VACUUM] = "vacuum",
    [PLAN_CHECKPOINT] = "checkpoint",
    [PLAN_LOG_CLEANED] = "log-cleaned",
    [PLAN_TABLE_KEPT] = "table-kept",
    [PLAN_CONSUMER_EDITED] = "consumer-edited",
    [PLAN_CONSUMER_MENDED] = "consumer-mended",
};

/* Releases at which something changed that varve may notice. */
static const struct {
    uint32_t minor, patch;
} releases[] = {{9, 10}, {10, 4}, {10, 26}, {11, 0}, {12, 2}, {14, 1}, {15, 1}};

/* Of what may go wrong, how often it does in a history where it may at all. */
struct trouble {
    enum plan_kind kind;
    uint64_t permille; /* of histories */
    int most;
};

static const struct trouble troubles[] = {
    {PLAN_CUT, 400, 6},
    {PLAN_HALF_OPEN, 150, 2},
    {PLAN_SERVER_STOPS, 150, 2},
    {PLAN_SERVER_KILLED, 250, 3},
    {PLAN_LEADER, 150, 3},
    {PLAN_LEADER_FORGETS, 150, 3},
    {PLAN_ERROR, 100, 3},
    {PLAN_FATAL, 150, 3},
    {PLAN_LAME_DUCK, 50, 2},
    {PLAN_VARVE_STOPS, 200, 3},
    {PLAN_VARVE_DIES, 400, 6},
    {PLAN_POWER_CUT, 350, 4},
    {PLAN_DISK_FULL, 150, 2},
    {PLAN_DISK_ERRORS, 250, 3},
    {PLAN_LOSSES, 200, 2},
    {PLAN_CONSUMER_DELETED, 100, 2},
    {PLAN_MESSAGE_DELETED, 100, 5},
    {PLAN_PURGE, 50, 1},
    {PLAN_STATUS, 300, 8},
    {PLAN_API_FAILS, 150, 3},
};

/* What is done to a store, a stream or a consumer from outside: a history has one kind of it, so
 * that what fails can be told apart. */
static const struct trouble actors[][2] = {
    {{PLAN_STREAM_MADE_AGAIN, 1000, 2}, {PLAN_CUT, 500, 2}},
    {{PLAN_SERVER_POWER, 1000, 2}, {PLAN_SYNC, 1000, 3}},
    {{PLAN_SERVER_ROLLED, 1000, 2}, {PLAN_SYNC, 1000, 3}},
    {{PLAN_DIRECTORY_SAVED, 1000, 3}, {PLAN_DIRECTORY_RESTORED, 1000, 2}},
    {{PLAN_DIRECTORY_DELETED, 1000, 2}, {PLAN_CUT, 500, 2}},
    {{PLAN_CONSUMER_RENAMED, 1000, 2}, {PLAN_CUT, 500, 2}},
    {{PLAN_OPTIMIZE, 1000, 6}, {PLAN_VACUUM, 700, 3}},
    {{PLAN_CHECKPOINT, 1000, 4}, {PLAN_LOG_CLEANED, 900, 3}},
    {{PLAN_TABLE_KEPT, 1000, 1}, {PLAN_VARVE_DIES, 1000, 4}}, /* around midnight */
    {{PLAN_CONSUMER_EDITED, 1000, 3}, {PLAN_CUT, 500, 2}},
    {{PLAN_CUT, 500, 2}, {PLAN_VARVE_DIES, 1000, 3}}, /* and the consumer is shared */
};

enum {
    ACTORS = sizeof(actors) / sizeof(actors[0]),
    ACTORS_SHARE = ACTORS - 1,
    ACTORS_KEEP = ACTORS - 3,
};
/* Of a file of a few rows, some thousand bytes. */
enum { PART_LEAST = 100, PART_MOST = 1000 };
/* One of the table of the keeper: entries of one day are old on the next. */
#define BEFORE_MIDNIGHT (INT64_C(1700006355) * CLOCK_SECOND)

static void add(struct plan *p, struct sim_random *r, int64_t at, enum plan_kind kind)
{
    if (p->count < PLAN_STEPS_MAX)
        p->steps[p->count++] = (struct plan_step){at, kind, sim_random_next(r)};
}

/* What ends a trouble by itself. */
static void add_end(struct plan *p, struct sim_random *r, int64_t at, enum plan_kind kind)
{
    int64_t later = at + sim_random_between(r, CLOCK_SECOND / 10, 25 * CLOCK_SECOND);
    if (kind == PLAN_SERVER_STOPS || kind == PLAN_SERVER_KILLED || kind == PLAN_SERVER_POWER ||
        kind == PLAN_SERVER_ROLLED)
        add(p, r, later, PLAN_SERVER_STARTS);
    if (kind == PLAN_DISK_FULL || kind == PLAN_DISK_ERRORS)
        add(p, r, later, PLAN_DISK_HEALS);
    if (kind == PLAN_LOSSES)
        add(p, r, later, PLAN_LOSSES_END);
    if (kind == PLAN_CONSUMER_EDITED)
        add(p, r, later + (sim_random_chance(r, 500) ? 60 * CLOCK_SECOND : 0),
            PLAN_CONSUMER_MENDED);
}

static int compare(const void *a, const void *b)
{
    const struct plan_step *x = a;
    const struct plan_step *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static void choose_world(struct plan *p, struct sim_random *r)
{
    static const char *const retentions[] = {"limits", "limits", "interest", "workqueue"};
    size_t release = (size_t)sim_random_below(r, sizeof(releases) / sizeof(releases[0]));
    p->server = (struct server_options){.minor = releases[release].minor,
                                        .patch = releases[release].patch,
                                        .wall = INT64_C(1700000000) * CLOCK_SECOND,
                                        .max_payload = 1024 * 1024,
                                        .max_pending = 64 * 1024 * 1024,
                                        .replicas = sim_random_chance(r, 300) ? 3 : 1,
                                        .name = "model"};
    p->instances = sim_random_chance(r, 250) ? 2 : 1;
    p->retention = retentions[sim_random_below(r, 4)];
    p->position = p->retention[0] == 'l' && sim_random_chance(r, 400);
    p->dead_letters = sim_random_chance(r, 500);
    p->dead_stream = sim_random_chance(r, 700);
    p->filtered = sim_random_chance(r, 300);
    p->rivals = sim_random_chance(r, 200) ? 300 : 0;
    p->max_rows = 1 + sim_random_below(r, sim_random_chance(r, 500) ? 10 : 100);
    p->max_age = sim_random_between(r, CLOCK_SECOND / 5, 20 * CLOCK_SECOND);
    p->manner.latency_min = sim_random_between(r, 10 * 1000, 5 * CLOCK_MILLISECOND);
    p->manner.latency_max = p->manner.latency_min * sim_random_between(r, 1, 20);
    p->manner.split = sim_random_chance(r, 300) ? sim_random_below(r, 300) : 0;
    p->manner.refuses = sim_random_chance(r, 200) ? 300 : 0;
    p->manner.hangs = sim_random_chance(r, 100) ? 100 : 0;
}

static void add_troubles(struct plan *p, struct sim_random *r, int64_t length,
                         const struct trouble *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t most =
            sim_random_chance(r, list[i].permille) ? sim_random_between(r, 1, list[i].most) : 0;
        for (int64_t k = 0; k < most; k++) {
            int64_t at = sim_random_between(r, 0, length);
            add(p, r, at, list[i].kind);
            add_end(p, r, at, list[i].kind);
        }
    }
}

void plan_make(struct plan *p, uint64_t seed, bool with_actors)
{
    struct sim_random r = {seed * 2 + 1};
    *p = (struct plan){.seed = seed};
    choose_world(p, &r);
    int64_t length = sim_random_between(&r, 5, 120) * CLOCK_SECOND;
    p->calm_at = length + 30 * CLOCK_SECOND;
    int published = (int)sim_random_between(&r, 1, 40);
    for (int i = 0; i < published; i++)
        add(p, &r, sim_random_between(&r, 0, length), PLAN_PUBLISH);
    int synced = (int)sim_random_between(&r, 0, 8);
    for (int i = 0; i < synced; i++)
        add(p, &r, sim_random_between(&r, 0, length),
            sim_random_chance(&r, 300) ? PLAN_SYNC : PLAN_SYNC_CONSUMER);
    add_troubles(p, &r, length, troubles, sizeof(troubles) / sizeof(troubles[0]));
    if (with_actors)
        add_troubles(p, &r, length, actors[seed % ACTORS], 2);
    if (with_actors && seed % ACTORS == ACTORS_SHARE) {
        p->shared = true;
        p->undeclared = sim_random_chance(&r, 500);
        p->instances = 2;
        p->position = false;
    }
    if (with_actors && seed % ACTORS == ACTORS_KEEP)
        p->server.wall = BEFORE_MIDNIGHT;
    p->manages = with_actors && sim_random_chance(&r, 500);
    if (p->shared && p->retention[0] == 'l' && sim_random_chance(&r, 500)) {
        p->shared = false;
        p->twins = p->position = true;
    }
    p->bucket = seed >= PLAN_BUCKET_FROM;
    p->part = seed >= PLAN_PARTS_FROM ? (size_t)sim_random_between(&r, PART_LEAST, PART_MOST) : 0;
    p->unclear = sim_random_chance(&r, 600) ? sim_random_below(&r, 60) : 0;
    qsort(p->steps, (size_t)p->count, sizeof(p->steps[0]), compare);
}

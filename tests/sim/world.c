/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TURNS_AT_ONCE = 20000 };

int64_t world_wall(const struct world *w)
{
    return w->now + w->plan.server.wall;
}

void world_tell(const struct world *w, const char *format, ...)
{
    va_list args;
    if (!w->trace)
        return;
    (void)fprintf(stderr, "%10.6f ", (double)w->now / 1e9);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

/* Part of what makes two runs of a history the same. */
static void note(struct world *w, uint64_t value)
{
    w->checksum = (w->checksum ^ value ^ (uint64_t)w->now) * UINT64_C(0x100000001b3);
}

/* It is this one that uses disk and network from now on. */
static void switch_to(struct world *w, struct instance *i)
{
    disk_switch(w->disk, i->process);
    links_switch(w->links, &i->process->dead);
    if (w->bucket != NULL)
        sim_bucket_switch(w->bucket, i->process);
}

void world_bury(struct world *w, struct instance *i)
{
    struct err err = {0};
    i->process->dead = true;
    if (w->bucket != NULL)
        sim_bucket_break_all(w->bucket, i->process);
    switch_to(w, i);
    if (i->varve != NULL)
        (void)!pipeline_free(i->varve, &err);
    i->varve = NULL;
    links_drop(w->links, &i->process->dead);
    disk_close_all(w->disk, i->process);
    if (w->turning != NULL)
        switch_to(w, w->turning);
    i->at = w->now + sim_random_between(&w->random, 0, 5 * CLOCK_SECOND);
}

void world_start_varve(struct world *w, struct instance *i)
{
    struct err err = {0};
    struct system system = disk_system(w->disk);
    struct pipeline_options options = {.stepped = true, .stand_by = i->outrun, .system = &system};
    i->outrun = false;
    /* Never freed: who has died may still be asked about. */
    i->process = calloc(1, sizeof(*i->process));
    if (i->process == NULL)
        abort();
    world_tell(w, "%s starts", i->name);
    switch_to(w, i);
    struct instance *before = w->turning;
    w->turning = i;
    i->varve = pipeline_new(&i->config, &options, &err);
    w->turning = before;
    i->at = w->now;
    i->lost = 0;
    if (i->varve != NULL)
        return;
    world_tell(w, "%s does not start: %s", i->name, err.text);
    world_bury(w, i);
    i->at = w->now + CLOCK_SECOND; /* as systemd would */
}

/* Not one false alarm. */
static void hear_alarm(struct world *w, struct instance *i)
{
    const struct source_counters *c = &i->varve->sources[0].counters;
    /* What a cluster lost on its way is told "at most". */
    if (c->lost > i->lost && !w->has_lost)
        oracle_alarmed(w->oracle, i->stream, c->lost_first, c->lost_last, c->lost - i->lost,
                       w->plan.shared);
    i->lost = c->lost;
}

static void turn_varve(struct world *w, struct instance *i)
{
    w->turns++;
    i->at = pipeline_turn(i->varve);
    note(w, (uint64_t)i->at);
    hear_alarm(w, i);
    oracle_look_at_log(w->oracle); /* before its keeper takes old entries away */
    if (i->process->dead) {
        world_tell(w, "%s has died", i->name);
        world_bury(w, i);
    } else if (pipeline_is_done(i->varve)) {
        struct err err = {0};
        i->outrun = pipeline_was_outrun(i->varve);
        int result = pipeline_free(i->varve, &err);
        world_tell(w, "%s has ended: %s", i->name, result == 0 ? "in good order" : err.text);
        i->varve = NULL;
        links_drop(w->links, &i->process->dead);
        disk_close_all(w->disk, i->process);
        i->at = w->now + CLOCK_SECOND;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* False if it has nothing to do now. */
static bool turn_instance(struct world *w, struct instance *i)
{
    if (i->varve == NULL) {
        if (i->at > w->now || w->stopping)
            return false;
        world_start_varve(w, i);
        return true;
    }
    switch_to(w, i);
    size_t count = pipeline_waits(i->varve);
    net_wait(i->varve->waits, count, w->now);
    bool ready = false;
    for (size_t k = 0; k < count; k++)
        ready = ready || i->varve->waits[k].ready != 0;
    if (!ready && i->at > w->now)
        return false;
    turn_varve(w, i);
    return true;
}

static bool run_instance(struct world *w, struct instance *i)
{
    struct instance *before = w->turning;
    w->turning = i;
    bool busy = i != before && turn_instance(w, i);
    w->turning = before;
    return busy;
}

void world_interpose(struct world *w)
{
    struct instance *before = w->turning;
    if (before == NULL || w->count < 2 || w->interposed)
        return;
    w->interposed = true;
    (void)run_instance(w, before == &w->list[0] ? &w->list[1] : &w->list[0]);
    w->interposed = false;
    switch_to(w, before);
}

/* All that is due at this moment, and what follows from it, until nothing is; or until time has
 * passed, as it does at a bucket. */
static void settle(struct world *w)
{
    bool busy = true;
    int64_t now = w->now;
    for (int turns = 0; busy && w->now == now && turns < TURNS_AT_ONCE; turns++) {
        links_step(w->links, w->now);
        server_tick(w->server, w->now);
        links_step(w->links, w->now);
        if (w->bucket != NULL)
            sim_bucket_step(w->bucket);
        busy = false;
        for (size_t i = 0; i < w->count; i++)
            busy = run_instance(w, &w->list[i]) || busy;
        if (oracle_failure(w->oracle) != NULL)
            return;
    }
    if (busy && w->now == now)
        oracle_fail(w->oracle, "varve turns without end");
}

/* Up to `until`, or until something is wrong. */
void world_go_on(struct world *w, int64_t until)
{
    while (oracle_failure(w->oracle) == NULL) {
        while (w->next_step < w->plan.count && w->plan.steps[w->next_step].at <= w->now)
            world_do(w, &w->plan.steps[w->next_step++]);
        settle(w);
        int64_t next = earlier(until, links_deadline(w->links));
        next = earlier(next, server_deadline(w->server));
        if (w->bucket != NULL)
            next = earlier(next, sim_bucket_deadline(w->bucket));
        for (size_t i = 0; i < w->count; i++)
            if (w->list[i].varve != NULL || !w->stopping)
                next = earlier(next, w->list[i].at);
        if (w->next_step < w->plan.count)
            next = earlier(next, w->plan.steps[w->next_step].at);
        if (w->now >= until)
            return;
        w->now = next > w->now ? next : w->now + 1;
    }
}

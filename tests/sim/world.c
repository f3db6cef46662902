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

void world_bury(struct world *w)
{
    struct err err = {0};
    w->process->dead = true;
    if (w->varve != NULL)
        (void)!pipeline_free(w->varve, &err);
    w->varve = NULL;
    links_drop(w->links, &w->process->dead);
    disk_close_all(w->disk, w->process);
    w->varve_at = w->now + sim_random_between(&w->random, 0, 5 * CLOCK_SECOND);
}

void world_start_varve(struct world *w)
{
    struct err err = {0};
    struct system system = disk_system(w->disk);
    struct pipeline_options options = {.stepped = true, .system = &system};
    /* Never freed: who has died may still be asked about. */
    w->process = calloc(1, sizeof(*w->process));
    if (w->process == NULL)
        abort();
    world_tell(w, "varve starts");
    disk_switch(w->disk, w->process);
    links_switch(w->links, &w->process->dead);
    w->stopping = false;
    w->varve = pipeline_new(&w->config, &options, &err);
    w->varve_at = w->now;
    if (w->varve != NULL)
        return;
    world_tell(w, "varve does not start: %s", err.text);
    world_bury(w);
    w->varve_at = w->now + CLOCK_SECOND; /* as systemd would */
}

static void turn_varve(struct world *w)
{
    w->turns++;
    w->varve_at = pipeline_turn(w->varve);
    note(w, (uint64_t)w->varve_at);
    if (w->process->dead) {
        world_tell(w, "varve has died");
        world_bury(w);
    } else if (pipeline_is_done(w->varve)) {
        struct err err = {0};
        int result = pipeline_free(w->varve, &err);
        world_tell(w, "varve has ended: %s", result == 0 ? "in good order" : err.text);
        w->varve = NULL;
        links_drop(w->links, &w->process->dead);
        disk_close_all(w->disk, w->process);
        w->varve_at = w->now + CLOCK_SECOND;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* All that is due at this moment, and what follows from it, until nothing is. */
static void settle(struct world *w)
{
    for (int turns = 0; turns < TURNS_AT_ONCE; turns++) {
        links_step(w->links, w->now);
        server_tick(w->server, w->now);
        links_step(w->links, w->now);
        if (w->varve == NULL) {
            if (w->varve_at > w->now || w->stopping)
                return;
            world_start_varve(w);
            continue;
        }
        disk_switch(w->disk, w->process);
        size_t count = pipeline_waits(w->varve);
        net_wait(w->varve->waits, count, w->now);
        bool ready = false;
        for (size_t i = 0; i < count; i++)
            ready = ready || w->varve->waits[i].ready != 0;
        if (!ready && w->varve_at > w->now)
            return;
        turn_varve(w);
        if (oracle_failure(w->oracle) != NULL)
            return;
    }
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
        if (w->varve != NULL || !w->stopping)
            next = earlier(next, w->varve_at);
        if (w->next_step < w->plan.count)
            next = earlier(next, w->plan.steps[w->next_step].at);
        if (w->now >= until)
            return;
        w->now = next > w->now ? next : w->now + 1;
    }
}

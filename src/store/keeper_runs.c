/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/runs.h"

#define LOOK_EVERY_MIN CLOCK_SECOND

struct job {
    struct runs_options options;
    struct runs_memory memory;
};

static void log_closed(const struct runs_closed *closed)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, closed->news ? "run_closed" : "run_rewritten");
    log_text(&line, "simulation_id", closed->run);
    log_u64(&line, "edition", closed->edition);
    log_u64(&line, "rows", closed->rows);
    log_u64(&line, "files", closed->files);
    log_end(&line);
}

/* Rows that come meanwhile only put it off, and a run of which nothing is known yet is not over
 * before such a time has passed. */
static int64_t pause_of(const struct job *job, const struct runs_closed *closed, int64_t now)
{
    int64_t pause = job->options.close_after;
    if (closed->next - now < pause)
        pause = closed->next - now;
    return pause > LOOK_EVERY_MIN ? pause : LOOK_EVERY_MIN;
}

static int work(void *state, const struct keeper_turn *turn, struct keeper_due *next,
                struct err *err)
{
    struct job *job = state;
    struct runs_closed closed;
    int64_t now = clock_wall();
    if (runs_close(turn->store, &job->options, now, &job->memory, &closed, err) != 0)
        return -1;
    if (closed.found)
        log_closed(&closed);
    next->at = turn->now + (closed.more ? 0 : pause_of(job, &closed, now));
    return 0;
}

static void free_job(void *state)
{
    struct job *job = state;
    runs_memory_free(&job->memory);
    free(job);
}

void keeper_add_runs(struct keeper *keeper, const struct runs_options *options)
{
    struct job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        out_of_memory(sizeof(*job));
    job->options = *options;
    const struct keeper_due due = {.at = INT64_MIN};
    keeper_add(keeper, &(struct keeper_job){"runs", work, free_job, job, due});
}

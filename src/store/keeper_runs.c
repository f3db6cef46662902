/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/runs.h"

#define LOOK_EVERY_MIN CLOCK_SECOND
/* Where nothing but a row ends a run: other processes may have stored one. */
#define LOOK_EVERY_MAX (3600 * CLOCK_SECOND)
/* A look reads the log, so that after each commit it may take as long as the commit: so many times
 * as long as it took, the next one waits. */
enum { PAUSE_TIMES = 20 };

struct job {
    struct runs_options options;
    struct compact_options compaction; /* options.compaction is this one */
    struct runs_memory memory;
    int64_t not_before; /* clock_monotonic */
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
 * before such a time has passed, unless a row ends it. */
static int64_t pause_of(const struct job *job, const struct runs_closed *closed, int64_t now)
{
    int64_t pause = job->options.close_after > 0 ? job->options.close_after : LOOK_EVERY_MAX;
    if (closed->next - now < pause)
        pause = closed->next - now;
    return pause > LOOK_EVERY_MIN ? pause : LOOK_EVERY_MIN;
}

/* The next commit may have the end of a run. */
static void wait_for_news(const struct job *job, const struct keeper_turn *turn,
                          struct keeper_due *next)
{
    next->either = job->options.end_kind != NULL;
    next->version = next->either ? turn->version + 1 : 0;
}

static int work(void *state, const struct keeper_turn *turn, struct keeper_due *next,
                struct err *err)
{
    struct job *job = state;
    struct runs_closed closed;
    int64_t now = clock_wall();
    if (turn->now < job->not_before) {
        *next = (struct keeper_due){.at = job->not_before};
        return 0;
    }
    if (runs_close(turn->store, &job->options, now, turn->stop, &job->memory, &closed, err) != 0)
        return -1;
    if (closed.found)
        log_closed(&closed);
    if (closed.found && closed.news && job->options.told != NULL)
        job->options.told(job->options.context, &closed);
    int64_t ended = clock_monotonic();
    job->not_before = closed.more ? ended : ended + PAUSE_TIMES * (ended - turn->now);
    next->at = closed.more ? KEEPER_AT_ONCE : ended + pause_of(job, &closed, now);
    wait_for_news(job, turn, next);
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
    if (options->compaction != NULL) {
        job->compaction = *options->compaction;
        job->options.compaction = &job->compaction;
    }
    const struct keeper_due due = {.at = INT64_MIN};
    keeper_add(keeper, &(struct keeper_job){"runs", work, free_job, job, due});
}

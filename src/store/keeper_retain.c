/* SPDX-License-Identifier: MIT */
#include "store/retain.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"

/* Reading what the table is takes a second where it has a million files. */
#define LOOK_EVERY (600 * CLOCK_SECOND)
#define LOOK_EVERY_MIN CLOCK_SECOND

struct job {
    struct retain_options options;
    struct retain_counters *counters;
    char told[sizeof(((struct retain_done *)NULL)->why)]; /* what is held, as it was told */
};

static void log_done(struct job *job, const struct retain_done *done)
{
    struct log_line line;
    if (done->held > 0 && strcmp(job->told, done->why) != 0) {
        log_begin(&line, LOG_WARNING, "retention_held");
        log_u64(&line, "partitions", done->held);
        log_text(&line, "because", done->why);
        log_end(&line);
    }
    memcpy(job->told, done->why, sizeof(job->told));
    if (done->files + done->finished == 0)
        return;
    log_begin(&line, LOG_INFO, "expired");
    log_u64(&line, "partitions", done->partitions);
    log_u64(&line, "files", done->files);
    log_u64(&line, "bytes", done->bytes);
    if (done->finished > 0)
        log_u64(&line, "finished", done->finished);
    log_end(&line);
}

static int64_t pause_of(const struct retain_options *o)
{
    int64_t pause = LOOK_EVERY;
    if (o->max_age > 0 && o->max_age / 16 < pause)
        pause = o->max_age / 16; /* so short only for who tries it out */
    return pause > LOOK_EVERY_MIN ? pause : LOOK_EVERY_MIN;
}

static int work(void *state, const struct keeper_turn *turn, struct keeper_due *next,
                struct err *err)
{
    struct job *job = state;
    struct retain_done done;
    if (retain(turn->store, &job->options, clock_wall(), turn->stop, &done, err) != 0)
        return -1;
    (void)atomic_fetch_add(&job->counters->files, done.files);
    (void)atomic_fetch_add(&job->counters->bytes, done.bytes);
    log_done(job, &done);
    next->at = done.more ? KEEPER_AT_ONCE : turn->now + pause_of(&job->options);
    return 0;
}

void keeper_add_retention(struct keeper *keeper, const struct retain_options *options,
                          struct retain_counters *counters)
{
    struct job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        out_of_memory(sizeof(*job));
    job->options = *options;
    job->counters = counters;
    const struct keeper_due due = {.at = INT64_MIN};
    keeper_add(keeper, &(struct keeper_job){"retention", work, free, job, due});
}

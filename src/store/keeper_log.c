/* SPDX-License-Identifier: MIT */
#include "store/keeper.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "delta/checkpoint_make.h"
#include "delta/clean.h"

/* What is old enough to go is decided by the day. */
#define CLEAN_EVERY (24 * 3600 * CLOCK_SECOND)

static void log_checkpoint(const struct delta_checkpoint_made *made, int64_t since)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "checkpoint");
    log_u64(&line, "version", made->version);
    log_u64(&line, "files", made->files);
    log_u64(&line, "bytes", made->bytes);
    log_seconds(&line, "took", clock_monotonic() - since);
    log_end(&line);
}

static int checkpoint(void *state, const struct keeper_turn *turn, struct keeper_due *next,
                      struct err *err)
{
    uint64_t *interval = state;
    struct delta_checkpoint_made made;
    if (delta_checkpoint_make(turn->store, *interval, clock_wall(), turn->stop, &made, err) != 0)
        return -1;
    if (made.count > 0)
        log_checkpoint(&made, turn->now);
    *interval = made.interval;
    /* A table without a checkpoint begins at entry 0. */
    next->version = (made.has_checkpoint ? made.version : 0) + made.interval;
    return 0;
}

static int clean(void *state, const struct keeper_turn *turn, struct keeper_due *next,
                 struct err *err)
{
    const uint64_t *interval = state;
    struct delta_cleaned cleaned;
    if (delta_log_clean(turn->store, clock_wall(), &cleaned, err) != 0)
        return -1;
    if (cleaned.removed > 0) {
        struct log_line line;
        log_begin(&line, LOG_INFO, "log_cleaned");
        log_u64(&line, "removed", cleaned.removed);
        log_end(&line);
    }
    if (cleaned.held)
        log_message(LOG_WARNING, "log_kept",
                    "entry %llu of the log and those behind it are kept: an instance that does not "
                    "run has nothing else that says what it has stored",
                    (unsigned long long)cleaned.at);
    next->at = turn->now + CLEAN_EVERY;
    next->version = turn->version + *interval; /* no more can go before there is a checkpoint */
    return 0;
}

void keeper_add_log_jobs(struct keeper *keeper, uint64_t interval)
{
    uint64_t *shared = malloc(sizeof(*shared));
    if (shared == NULL)
        out_of_memory(sizeof(*shared));
    *shared = interval;
    /* The table may have its checkpoint already; the first look tells. */
    const struct keeper_due due = {.at = INT64_MIN, .version = interval};
    keeper_add(keeper, &(struct keeper_job){"checkpoint", checkpoint, free, shared, due});
    keeper_add(keeper, &(struct keeper_job){"log clean-up", clean, NULL, shared, due});
}

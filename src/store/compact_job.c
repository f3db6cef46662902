/* SPDX-License-Identifier: MIT */
#include "store/compact.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"

/* When the last swaps were: for all instances on the store, and across starts. */
#define LAST_NAME "_delta_log/_varve/%compaction.json"
enum { LAST_MAX = 4096 };

/* A crash of another process may have left a swap half done: readers of the log miss files then. */
#define SETTLE_EVERY (60 * CLOCK_SECOND)

struct job {
    struct compact_options options;
    int64_t interval;
    struct compact_counters *counters;
    struct map said; /* folders that were said to be left alone */
};

static void say(void *context, const struct compact_folder_report *folder)
{
    struct job *job = context;
    struct buf text = {0};
    bool added;
    buf_printf(&text, "%s is not compacted: %s", folder->folder, folder->why);
    (void)map_put(&job->said, buf_slice(&text), &added);
    if (added)
        log_message(LOG_WARNING, "left_alone", "%s", buf_text(&text));
    buf_free(&text);
}

static void log_done(const struct compact_done *done, int64_t since)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "compacted");
    log_u64(&line, "folders", done->swaps);
    log_u64(&line, "files", done->from);
    log_u64(&line, "into", done->into);
    log_u64(&line, "rows", done->rows);
    log_u64(&line, "bytes", done->before);
    log_u64(&line, "bytes_now", done->after);
    log_seconds(&line, "took", clock_monotonic() - since);
    log_end(&line);
}

static void note_done(const struct compact_done *done, struct compact_counters *counters,
                      int64_t since)
{
    if (counters != NULL) {
        atomic_fetch_add(&counters->swaps, done->swaps);
        if (done->live != COMPACT_UNKNOWN)
            atomic_store(&counters->live, done->live);
    }
    if (done->swaps > 0)
        log_done(done, since);
}

/* Milliseconds since 1970; 0: never, as far as anybody knows. */
static int read_last(struct object_store *store, int64_t *last, struct err *err)
{
    struct arena arena = {0};
    struct buf text = {0};
    struct err ignored = {0};
    bool found;
    *last = 0;
    int result = object_get_all(store, LAST_NAME, LAST_MAX, &text, &found, err);
    if (result == 0 && found)
        (void)json_get_i64(json_parse(&arena, buf_slice(&text), &ignored), "at", last);
    if (*last < 0 || *last > INT64_MAX / CLOCK_MILLISECOND)
        *last = 0; /* no time that there is */
    arena_free(&arena);
    buf_free(&text);
    return result;
}

static int write_last(struct object_store *store, struct err *err)
{
    struct buf text = {0};
    buf_printf(&text, "{\"at\":%" PRId64 "}\n", clock_wall() / CLOCK_MILLISECOND);
    int result = object_put(store, LAST_NAME, buf_slice(&text), err);
    buf_free(&text);
    return result;
}

/* Once, so that it is known though nothing is merged for a day. */
static int count_live(struct job *job, struct object_store *store, struct err *err)
{
    uint64_t live;
    if (atomic_load(&job->counters->live) != COMPACT_UNKNOWN)
        return 0;
    if (compact_count(store, &live, err) != 0)
        return -1;
    atomic_store(&job->counters->live, live);
    return 0;
}

static int work(void *state, const struct keeper_turn *turn, struct keeper_due *next,
                struct err *err)
{
    struct job *job = state;
    struct compact_done done;
    int64_t last, wall = clock_wall();
    if (read_last(turn->store, &last, err) != 0)
        return -1;
    int64_t passed = wall - last * CLOCK_MILLISECOND;
    if (last == 0 && write_last(turn->store, err) != 0)
        return -1;
    if (last == 0 || (passed >= 0 && passed < job->interval)) {
        next->at = turn->now + job->interval - (last == 0 ? 0 : passed);
        return count_live(job, turn->store, err);
    }
    struct err failure = {0};
    int result = compact(turn->store, &job->options, wall, turn->stop, say, job, &done, &failure);
    note_done(&done, job->counters, turn->now);
    next->at = done.more ? KEEPER_AT_ONCE : turn->now + job->interval;
    if (failure.code == ERR_UNSUPPORTED) { /* nor will it be in a minute */
        log_message(LOG_WARNING, "upkeep_failed", "compaction: %s", failure.text);
        return 0;
    }
    if (result == 0)
        return done.more ? 0 : write_last(turn->store, err);
    *err = failure;
    return -1;
}

int compact_folders(struct object_store *store, const struct compact_options *options,
                    const struct map *folders, const atomic_bool *stop,
                    struct compact_counters *counters, struct err *err)
{
    struct compact_options these = *options;
    struct compact_done done = {.more = true};
    int result = 0;
    these.only = folders;
    while (result == 0 && done.more) {
        int64_t since = clock_monotonic();
        result = compact(store, &these, clock_wall(), stop, NULL, NULL, &done, err);
        note_done(&done, counters, since);
    }
    return result;
}

/* The keeper that opens the store settles what is to be settled. */
static int settle(void *state, const struct keeper_turn *turn, struct keeper_due *next,
                  struct err *err)
{
    (void)state, (void)err;
    next->at = turn->now + SETTLE_EVERY;
    return 0;
}

static void free_job(void *state)
{
    struct job *job = state;
    map_free(&job->said);
    free(job);
}

void keeper_add_compaction(struct keeper *keeper, const struct compact_options *options,
                           int64_t interval, struct compact_counters *counters)
{
    struct job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        out_of_memory(sizeof(*job));
    if (options->keep > 0)
        log_message(LOG_INFO, "compaction",
                    "replaced files are kept for a while (compaction.keep_replaced): whoever reads "
                    "the directory and not its log finds their rows twice meanwhile");
    job->options = *options;
    job->interval = interval;
    job->counters = counters;
    const struct keeper_due later = {.at = clock_monotonic() +
                                           clock_earliest(interval, SETTLE_EVERY)};
    keeper_add(keeper, &(struct keeper_job){"unfinished swaps", settle, NULL, NULL, later});
    keeper_add(keeper, &(struct keeper_job){"compaction", work, free_job, job, later});
}

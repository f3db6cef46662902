/* SPDX-License-Identifier: MIT */
#include "store/keeper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "delta/checkpoint_make.h"
#include "delta/clean.h"
#include "delta/log.h"
#include "object/posix.h"

/* After a failure, and where another process is at it. */
#define KEEPER_RETRY (60 * CLOCK_SECOND)
/* What is old enough to go is decided by the day. */
#define KEEPER_CLEAN_EVERY (24 * 3600 * CLOCK_SECOND)

enum { LOWEST_PRIORITY = 19 };

/* No instance has this name: escaped names have hexadecimal digits behind a '%'. */
static const char keeper_name[] = "%keeper";

struct keeper {
    char *root;
    struct system system;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t version; /* of the table, as last heard */
    bool ending;
    atomic_bool stop; /* give up what is under way */

    /* Of the thread: */
    uint64_t next; /* version at which a checkpoint may be due */
    uint64_t interval;
    int64_t clean_at; /* clock_wall */
    int64_t retry_at; /* clock_wall; 0: nothing has failed */
};

struct object_store *keeper_open(const char *root, const struct system *system, struct err *err)
{
    struct object_posix_config config = {.root = root,
                                         .entries = DELTA_LOG_FOLDER,
                                         .writer = "keeper of the store",
                                         .writer_name = keeper_name,
                                         .system = *system};
    uint32_t removed;
    struct object_store *store = object_posix_open(&config, err);
    if (store != NULL && object_clean(store, &removed, err) != 0) {
        object_store_close(store);
        store = NULL;
    }
    return store;
}

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

static int checkpoint(struct keeper *k, struct object_store *store, bool *done, struct err *err)
{
    struct delta_checkpoint_made made;
    int64_t since = clock_monotonic();
    if (delta_checkpoint_make(store, k->interval, clock_wall(), &k->stop, &made, err) != 0)
        return -1;
    if (made.count > 0)
        log_checkpoint(&made, since);
    k->interval = made.interval;
    /* A table without a checkpoint begins at entry 0. */
    k->next = (made.has_checkpoint ? made.version : 0) + made.interval;
    *done = made.count > 0;
    return 0;
}

static int clean(struct keeper *k, struct object_store *store, struct err *err)
{
    struct delta_cleaned cleaned;
    if (delta_log_clean(store, clock_wall(), &cleaned, err) != 0)
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
    k->clean_at = clock_wall() + KEEPER_CLEAN_EVERY;
    return 0;
}

static void work(struct keeper *k)
{
    bool done = false;
    struct err err = {0};
    struct object_store *store = keeper_open(k->root, &k->system, &err);
    int result = store == NULL ? -1 : 0;
    if (result == 0)
        result = checkpoint(k, store, &done, &err);
    /* Nothing more can go before there is a new one. */
    if (result == 0 && done && clock_wall() >= k->clean_at)
        result = clean(k, store, &err);
    object_store_close(store);
    if (result != 0 && err.code != ERR_REFUSED)
        log_message(LOG_WARNING, "upkeep_failed", "%s", err.text);
    k->retry_at = result != 0 ? clock_wall() + KEEPER_RETRY : 0;
}

static bool is_due(const struct keeper *k, int64_t now)
{
    return now >= k->retry_at && k->version >= k->next;
}

/* For news, or until it is time to try again. */
static void wait_for_work(struct keeper *k)
{
    int64_t wall = k->retry_at;
    if (wall == 0) {
        ASSERT(pthread_cond_wait(&k->changed, &k->lock) == 0);
        return;
    }
    const struct timespec deadline = {(time_t)(wall / CLOCK_SECOND), (long)(wall % CLOCK_SECOND)};
    (void)pthread_cond_timedwait(&k->changed, &k->lock, &deadline); /* or it is time */
}

static void *run(void *argument)
{
    struct keeper *k = argument;
    (void)setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY); /* of this thread; it helps, no more */
    ASSERT(pthread_mutex_lock(&k->lock) == 0);
    for (;;) {
        bool due = is_due(k, clock_wall());
        if (due) {
            ASSERT(pthread_mutex_unlock(&k->lock) == 0);
            work(k);
            ASSERT(pthread_mutex_lock(&k->lock) == 0);
        } else if (k->ending) {
            break;
        } else {
            wait_for_work(k);
        }
        if (atomic_load(&k->stop))
            break;
    }
    ASSERT(pthread_mutex_unlock(&k->lock) == 0);
    return NULL;
}

struct keeper *keeper_new(const struct keeper_options *options, struct err *err)
{
    struct keeper *k = calloc(1, sizeof(*k));
    if (k == NULL)
        out_of_memory(sizeof(*k));
    k->root = text_copy(options->root);
    k->system = options->system;
    k->version = options->version;
    k->interval = options->interval;
    k->next = options->interval; /* or later: the first look tells */
    ASSERT(pthread_mutex_init(&k->lock, NULL) == 0);
    ASSERT(pthread_cond_init(&k->changed, NULL) == 0);
    int error = pthread_create(&k->thread, NULL, run, k);
    if (error == 0)
        return k;
    (void)err_set_system(err, error, "the thread that keeps the store can't be started");
    free(k->root);
    free(k);
    return NULL;
}

void keeper_note(struct keeper *k, uint64_t version)
{
    ASSERT(pthread_mutex_lock(&k->lock) == 0);
    if (version > k->version)
        k->version = version;
    ASSERT(pthread_cond_signal(&k->changed) == 0);
    ASSERT(pthread_mutex_unlock(&k->lock) == 0);
}

void keeper_free(struct keeper *k, bool finish)
{
    if (k == NULL)
        return;
    ASSERT(pthread_mutex_lock(&k->lock) == 0);
    k->ending = true;
    atomic_store(&k->stop, !finish);
    ASSERT(pthread_cond_signal(&k->changed) == 0);
    ASSERT(pthread_mutex_unlock(&k->lock) == 0);
    ASSERT(pthread_join(k->thread, NULL) == 0);
    ASSERT(pthread_cond_destroy(&k->changed) == 0);
    ASSERT(pthread_mutex_destroy(&k->lock) == 0);
    free(k->root);
    free(k);
}

/* SPDX-License-Identifier: MIT */
#include "store/keeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/text.h"
#include "delta/entry.h"
#include "delta/log.h"
#include "object/open.h"
#include "object/posix.h"
#include "store/recover.h"

#define PATIENCE (60 * CLOCK_SECOND)
#define PATIENCE_PAUSE (50 * CLOCK_MILLISECOND)

enum {
    LOWEST_PRIORITY = 19,
    /* ioprio_set(2): of this thread; only when nobody else uses the disk. */
    IOPRIO_PROCESS = 1,
    IOPRIO_IDLE = 3 << 13,
};

/* No instance has this name: escaped names have hexadecimal digits behind a '%'. */
#define KEEPER_NAME "%keeper"

struct keeper {
    char *root;
    struct system system;
    struct waker waker;
    struct keeper_job jobs[KEEPER_JOBS_MAX]; /* of the thread, or of keeper_step, once it runs */
    uint32_t job_count;
    atomic_bool stop;         /* give up what is under way */
    const atomic_bool *asked; /* the same of who steps it; NULL: nobody */

    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    uint64_t version; /* of the table, as last heard */
    int64_t last;     /* clock_monotonic: what is due later is left; INT64_MAX: nothing is */
    bool done;
};

static int instead_text(void *context, const char *const *names, struct buf *out, struct err *err)
{
    (void)context;
    (void)names;
    (void)err; /* nothing can fail here */
    delta_pending_write_instead(out, "varve", clock_wall());
    return 0;
}

static int instead_name(void *context, bool taken, struct buf *out, struct err *err)
{
    struct delta_listing listing = {0};
    (void)taken; /* the log says so, too */
    int result = delta_log_list_newest(context, &listing, err);
    if (result == 0 && listing.entries.count == 0)
        result = err_set(err, ERR_FORMAT, "its log is empty");
    if (result == 0)
        delta_entry_name(out, listing.entries.list[listing.entries.count - 1] + 1);
    delta_listing_free(&listing);
    return result;
}

struct object_store *keeper_open(const char *root, const struct system *system, struct err *err)
{
    struct object_config config = {.root = root,
                                   .entries = DELTA_LOG_FOLDER,
                                   .writer = "keeper of the store",
                                   .writer_name = KEEPER_NAME,
                                   .system = *system};
    uint32_t removed = 0;
    struct object_store *store = object_open(&config, err);
    const struct object_group instead = {NULL, 0, instead_text, instead_name, store};
    if (store != NULL && (object_settle(store, &instead, err) != 0 ||
                          store_sweep(store, NULL, NULL, &removed, err) != 0 ||
                          object_clean(store, &removed, err) != 0)) {
        object_store_close(store);
        store = NULL;
    }
    return store;
}

struct object_store *keeper_open_patiently(const char *root, struct err *err)
{
    const struct system plain = {0};
    int64_t deadline = clock_monotonic() + PATIENCE;
    for (;;) {
        err_clear(err);
        struct object_store *store = keeper_open(root, &plain, err);
        if (store != NULL || err->code != ERR_REFUSED || clock_monotonic() >= deadline)
            return store;
        clock_sleep(PATIENCE_PAUSE);
    }
}

int keeper_settle(struct object_store *objects, const char *root, const struct system *system,
                  struct err *err)
{
    struct object_info info;
    bool found;
    if (object_head(objects, OBJECT_POSIX_SWAP(KEEPER_NAME), &info, &found, err) != 0 || !found)
        return err_is_set(err) ? -1 : 0;
    struct err failure = {0};
    struct object_store *keeper = keeper_open(root, system, &failure);
    object_store_close(keeper);
    if (keeper == NULL && failure.code != ERR_REFUSED)
        *err = failure;
    return err_is_set(err) ? -1 : 0;
}

static bool is_due(const struct keeper_job *job, uint64_t version, int64_t now)
{
    bool late = now >= job->due.at, far = version >= job->due.version;
    return job->due.either ? late || far : late && far;
}

static void do_job(struct keeper_job *job, const struct keeper_turn *turn, struct err *failure)
{
    struct err err = *failure;
    struct keeper_due next = job->due;
    if (!err_is_set(&err) && job->work(job->state, turn, &next, &err) == 0) {
        job->due = next;
        return;
    }
    if (err.code != ERR_REFUSED)
        log_message(LOG_WARNING, "upkeep_failed", "%s: %s", job->name, err.text);
    job->due.at = clock_monotonic() + KEEPER_RETRY;
    job->due.either = false;
}

/* When the first of the jobs is due that wait for a time only. */
static int64_t next_time(const struct keeper *k, uint64_t version)
{
    int64_t at = INT64_MAX;
    for (uint32_t i = 0; i < k->job_count; i++) {
        const struct keeper_due *due = &k->jobs[i].due;
        bool far = version >= due->version;
        if (far || due->either)
            at = clock_earliest(at, far && due->either ? INT64_MIN : due->at);
    }
    return at;
}

static uint64_t heard(struct keeper *k)
{
    ASSERT(pthread_mutex_lock(&k->lock) == 0);
    uint64_t version = k->version;
    ASSERT(pthread_mutex_unlock(&k->lock) == 0);
    return version;
}

int64_t keeper_step(struct keeper *k, int64_t now)
{
    struct keeper_turn turn = {.version = heard(k), .stop = k->asked != NULL ? k->asked : &k->stop};
    struct err err = {0};
    for (uint32_t i = 0; i < k->job_count; i++) {
        if (!is_due(&k->jobs[i], turn.version, now) || atomic_load(turn.stop))
            continue;
        /* Open only for the work: any process on this store may be its keeper. */
        if (turn.store == NULL && !err_is_set(&err))
            turn.store = keeper_open(k->root, &k->system, &err);
        turn.now = clock_monotonic();
        do_job(&k->jobs[i], &turn, &err);
    }
    object_store_close(turn.store);
    return next_time(k, turn.version);
}

static void *run(void *argument)
{
    struct keeper *k = argument;
    (void)setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY); /* of this thread; it helps, no more */
    (void)syscall(SYS_ioprio_set, IOPRIO_PROCESS, 0, IOPRIO_IDLE);
    ASSERT(pthread_mutex_lock(&k->lock) == 0);
    while (!atomic_load(&k->stop)) {
        int64_t at = next_time(k, k->version), now = clock_earliest(clock_monotonic(), k->last);
        if (at <= now) {
            ASSERT(pthread_mutex_unlock(&k->lock) == 0);
            (void)keeper_step(k, now);
            ASSERT(pthread_mutex_lock(&k->lock) == 0);
        } else if (k->last != INT64_MAX) {
            break;
        } else {
            (void)clock_wait_until(&k->changed, &k->lock, at); /* or until there is news */
        }
    }
    k->done = true;
    ASSERT(pthread_mutex_unlock(&k->lock) == 0);
    waker_wake(k->waker);
    return NULL;
}

struct keeper *keeper_new(const struct keeper_options *options)
{
    struct keeper *k = calloc(1, sizeof(*k));
    if (k == NULL)
        out_of_memory(sizeof(*k));
    k->root = text_copy(options->root);
    k->system = options->system;
    k->waker = options->waker;
    k->last = INT64_MAX;
    k->version = options->version;
    k->asked = options->stop;
    ASSERT(pthread_mutex_init(&k->lock, NULL) == 0);
    clock_condition_init(&k->changed);
    return k;
}

void keeper_add(struct keeper *k, const struct keeper_job *job)
{
    ASSERT(k->job_count < KEEPER_JOBS_MAX && !k->threaded);
    k->jobs[k->job_count++] = *job;
}

int keeper_start(struct keeper *k, struct err *err)
{
    int error = pthread_create(&k->thread, NULL, run, k);
    if (error != 0)
        return err_set_system(err, error, "the thread that keeps the store can't be started");
    k->threaded = true;
    return 0;
}

void keeper_note(struct keeper *k, uint64_t version)
{
    ASSERT(pthread_mutex_lock(&k->lock) == 0);
    if (version > k->version)
        k->version = version;
    ASSERT(pthread_cond_signal(&k->changed) == 0);
    ASSERT(pthread_mutex_unlock(&k->lock) == 0);
}

void keeper_finish(struct keeper *k)
{
    ASSERT(pthread_mutex_lock(&k->lock) == 0);
    k->last = clock_earliest(k->last, clock_monotonic());
    ASSERT(pthread_cond_signal(&k->changed) == 0);
    ASSERT(pthread_mutex_unlock(&k->lock) == 0);
}

bool keeper_is_done(struct keeper *k)
{
    ASSERT(pthread_mutex_lock(&k->lock) == 0);
    bool done = k->done || !k->threaded;
    ASSERT(pthread_mutex_unlock(&k->lock) == 0);
    return done;
}

void keeper_free(struct keeper *k)
{
    if (k == NULL)
        return;
    ASSERT(pthread_mutex_lock(&k->lock) == 0);
    atomic_store(&k->stop, true);
    ASSERT(pthread_cond_signal(&k->changed) == 0);
    ASSERT(pthread_mutex_unlock(&k->lock) == 0);
    if (k->threaded)
        ASSERT(pthread_join(k->thread, NULL) == 0);
    for (uint32_t i = 0; i < k->job_count; i++)
        if (k->jobs[i].free != NULL)
            k->jobs[i].free(k->jobs[i].state);
    ASSERT(pthread_cond_destroy(&k->changed) == 0);
    ASSERT(pthread_mutex_destroy(&k->lock) == 0);
    free(k->root);
    free(k);
}

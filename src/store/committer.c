/* SPDX-License-Identifier: MIT */
#include "store/committer.h"

#include "base/assert.h"
#include "base/log.h"
#include "object/object.h"
#include "store/commit.h"
#include "store/known.h"

static void abandon(struct group_file *file)
{
    object_abandon(file->stored);
    file->stored = NULL;
}

/* One file from its image. On failure nothing of it is left. */
static int write_file(struct committer *c, struct group_file *file, struct err *err)
{
    file->stored = object_stage(c->store->objects, err);
    if (file->stored == NULL)
        return -1;
    size_t count = group_file_piece_count(file);
    struct slice *pieces = account_alloc(c->group->account, count, sizeof(*pieces));
    for (size_t i = 0; i < count; i++)
        pieces[i] = group_file_piece(file, i);
    int result = object_lend(file->stored, pieces, count, err);
    account_free(c->group->account, pieces, count * sizeof(*pieces));
    if (result != 0)
        abandon(file);
    return result;
}

static int finish_files(struct committer *c, struct store_group *group, struct err *err)
{
    size_t count = group->files.count;
    struct object_staged **staged =
        account_alloc(group->account, count + 1, sizeof(struct object_staged *));
    for (size_t i = 0; i < count; i++)
        staged[i] = group->files.list[i]->stored;
    int result = object_finish(c->store->objects, staged, count, err);
    for (size_t i = 0; i < count && result != 0; i++) {
        if (!object_is_finished(staged[i]))
            abandon(group->files.list[i]);
    }
    account_free(group->account, staged, (count + 1) * sizeof(struct object_staged *));
    return result;
}

/* What earlier attempts left to do. Files that are written stay so if another one fails. */
static int write_files(struct committer *c, struct store_group *group, struct err *err)
{
    int result = 0;
    for (size_t i = 0; i < group->files.count && result == 0; i++) {
        if (group->files.list[i]->stored == NULL)
            result = write_file(c, group->files.list[i], err);
    }
    if (result == 0)
        result = finish_files(c, group, err);
    return result == 0 ? 0 : err_prefix(err, "epoch %llu", (unsigned long long)group->seal.number);
}

/* The group as the store wants it. */
struct committer_view {
    struct store_epoch epoch;
    struct store_epoch_file *files;
    size_t file_count;
};

static void view_fill(struct committer *c, const struct store_group *group)
{
    struct committer_view *v = account_alloc(group->account, 1, sizeof(*v));
    c->view = v;
    v->file_count = group->files.count;
    if (v->file_count > 0)
        v->files = account_alloc(group->account, v->file_count, sizeof(*v->files));
    for (size_t i = 0; i < v->file_count; i++) {
        const struct group_file *file = group->files.list[i];
        v->files[i] = (struct store_epoch_file){
            .file = file->stored,
            .quarantine = file->part->kind->path == NULL,
            .key = file->part->key,
            .stream = file->part->origin->stream,
            .created = file->part->origin->created,
            .sequences = &file->sequences,
            .rows = file->rows,
            .sha256 = file->sha256,
            .columns = file->stats,
            .column_count = file->stats_count,
        };
    }
    v->epoch = (struct store_epoch){.files = v->files,
                                    .file_count = v->file_count,
                                    .positions = group->seal.positions,
                                    .position_count = group->seal.position_count,
                                    .rows_of = group->seal.rows_of,
                                    .dead_letters = group->seal.dead_letters,
                                    .number = group->seal.number,
                                    .heard = group->seal.heard};
}

static void view_free(struct committer *c)
{
    struct committer_view *v = c->view;
    if (v == NULL)
        return;
    account_free(c->group->account, v->files, v->file_count * sizeof(*v->files));
    account_free(c->group->account, v, sizeof(*v));
    c->view = NULL;
}

static void report(struct committer *c, const struct err *failure)
{
    ASSERT(pthread_mutex_lock(&c->lock) == 0);
    if (failure == NULL) {
        c->trouble = (struct store_trouble){0};
    } else {
        if (!c->trouble.failing)
            c->trouble.since = clock_monotonic();
        c->trouble.failing = true;
        c->trouble.failed++;
        c->trouble.err = *failure;
        c->trouble.outdated = store_is_outdated(c->store);
        c->trouble.outrun = store_is_outrun(c->store);
    }
    ASSERT(pthread_mutex_unlock(&c->lock) == 0);
    waker_wake(c->waker);
}

struct store_trouble committer_trouble(struct committer *c)
{
    ASSERT(pthread_mutex_lock(&c->lock) == 0);
    struct store_trouble trouble = c->trouble;
    ASSERT(pthread_mutex_unlock(&c->lock) == 0);
    return trouble;
}

static void log_failure(const struct store_group *group, const struct err *err, uint64_t attempt,
                        bool outdated)
{
    struct log_line line;
    log_begin(&line, outdated ? LOG_WARNING : LOG_ERROR, "commit_failed");
    log_u64(&line, "epoch", group->seal.number);
    log_u64(&line, "rows", group->seal.rows);
    log_u64(&line, "attempt", attempt);
    log_text(&line, "error", err->text);
    log_end(&line);
}

/* If directories were removed under us, make them again. */
static void repair(struct committer *c, struct err *failure)
{
    struct err err = {0};
    bool reopened;
    if (store_reopen(c->store, &reopened, &err) != 0) {
        if (store_is_outdated(c->store))
            *failure = err; /* the cause of what failed */
        if (err.code != ERR_REFUSED)
            log_message(LOG_ERROR, "store_removed", "%s", err.text);
        return;
    }
    if (!reopened)
        return;
    log_message(LOG_WARNING, "store_reopened",
                "the directory of unfinished files was removed; varve makes it again");
    for (size_t i = 0; i < c->group->files.count; i++) {
        object_abandon(c->group->files.list[i]->stored);
        c->group->files.list[i]->stored = NULL;
    }
    view_free(c);
}

static void begin(struct committer *c, struct store_group *group)
{
    c->group = group;
    c->attempts = 0;
    c->pause = COMMITTER_RETRY_MIN;
    c->retry_at = INT64_MIN;
}

static int try_commit(struct committer *c, struct err *err)
{
    if (write_files(c, c->group, err) != 0)
        return -1;
    if (c->view == NULL)
        view_fill(c, c->group);
    return store_commit(c->store, &c->view->epoch, err);
}

static void finish(struct committer *c, int64_t now)
{
    struct store_group *group = c->group;
    view_free(c);
    c->group = NULL;
    group->version = c->store->table.version;
    group->commit_ns = now - group->seal.time;
    group->conflicts = c->store->conflicts;
    c->store->conflicts = 0;
    store_take_others(c->store, group->seal.number, &group->others);
    for (size_t i = 0; i < group->files.count; i++)
        group->bytes_written += object_staged_size(group->files.list[i]->stored);
    queue_push(&c->done, &group->item);
    report(c, NULL);
}

/* Behind a group that was given up nothing may be committed: order is a promise. */
static void give_up(struct committer *c)
{
    view_free(c);
    group_free(c->group);
    c->group = NULL;
    c->broken = true;
}

/* Once more. c->group is NULL afterwards if it is committed, or never will be; else retry_at says
 * when to go on. */
static void attempt(struct committer *c)
{
    struct err err = {0};
    if (try_commit(c, &err) == 0) {
        finish(c, clock_monotonic());
        return;
    }
    log_failure(c->group, &err, ++c->attempts, store_is_outdated(c->store));
    repair(c, &err);
    report(c, &err);
    if (store_is_outdated(c->store)) {
        give_up(c);
        return;
    }
    c->retry_at = clock_monotonic() + c->pause;
    c->pause = c->pause * 2 > COMMITTER_RETRY_MAX ? COMMITTER_RETRY_MAX : c->pause * 2;
}

static void *run(void *argument)
{
    struct committer *c = argument;
    struct queue_item *item;
    while (!c->broken && (item = queue_take(&c->sealed)) != NULL) {
        begin(c, (struct store_group *)item);
        for (attempt(c); c->group != NULL; attempt(c)) {
            if (!queue_wait_closed(&c->sealed, c->retry_at - clock_monotonic()))
                continue;
            give_up(c);
            break;
        }
    }
    return NULL;
}

void committer_init(struct committer *c, struct store *store, struct waker waker)
{
    *c = (struct committer){.store = store, .waker = waker};
    queue_init(&c->sealed);
    queue_init(&c->done);
    ASSERT(pthread_mutex_init(&c->lock, NULL) == 0);
}

int committer_start(struct committer *c, struct err *err)
{
    int result = pthread_create(&c->thread, NULL, run, c);
    if (result != 0)
        return err_set_system(err, result, "the committer thread can't be started");
    c->threaded = true;
    return 0;
}

int64_t committer_step(struct committer *c, int64_t now)
{
    if (c->broken)
        return INT64_MAX;
    struct queue_item *item = c->group == NULL ? queue_poll(&c->sealed) : NULL;
    if (item != NULL)
        begin(c, (struct store_group *)item);
    if (c->group != NULL && now >= c->retry_at)
        attempt(c);
    if (c->group != NULL)
        return c->retry_at;
    return queue_is_empty(&c->sealed) ? INT64_MAX : now;
}

void committer_end(struct committer *c)
{
    struct queue_item *item;
    if (c->threaded)
        ASSERT(pthread_join(c->thread, NULL) == 0);
    if (c->group != NULL)
        give_up(c);
    while ((item = queue_poll(&c->sealed)) != NULL)
        group_free((struct store_group *)item);
}

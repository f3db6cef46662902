/* SPDX-License-Identifier: MIT */
#include "store/committer.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/commit.h"
#include "object/file.h"

enum {
    /*
     * Files that are written before the first of them is made durable. For a new file that waits
     * for a commit of the file system's journal, which covers all that were written before: most
     * others then wait for their own bytes only. Each has a descriptor open meanwhile.
     */
    GROUP_FILES = 64,
};

static void abandon(struct epoch_file *file)
{
    store_file_abandon(file->stored);
    file->stored = NULL;
}

/* One file from its image. On failure nothing of it is left. */
static int write_file(struct committer *c, struct epoch_file *file, struct err *err)
{
    file->stored = store_file_create(c->store, err);
    if (file->stored == NULL)
        return -1;
    if (store_file_write(file->stored, file->image.data, file->image.len, err) != 0) {
        abandon(file);
        return -1;
    }
    store_file_begin_sync(file->stored);
    return 0;
}

/* What earlier attempts left to do for these files. Those that are written stay so if another one
 * fails. */
static int write_group(struct committer *c, struct epoch_file **files, uint32_t count,
                       struct err *err)
{
    for (uint32_t i = 0; i < count; i++)
        if (files[i]->stored == NULL && write_file(c, files[i], err) != 0)
            return -1;
    for (uint32_t i = 0; i < count; i++) {
        if (!files[i]->stored->finished && store_file_finish(files[i]->stored, err) != 0) {
            abandon(files[i]);
            return -1;
        }
    }
    return 0;
}

static int write_files(struct committer *c, struct epoch *epoch, struct err *err)
{
    for (uint32_t i = 0; i < epoch->file_count; i += GROUP_FILES) {
        uint32_t rest = epoch->file_count - i;
        if (write_group(c, epoch->files + i, rest < GROUP_FILES ? rest : GROUP_FILES, err) != 0)
            return err_prefix(err, "epoch %llu", (unsigned long long)epoch->number);
    }
    return 0;
}

/* The epoch as the store wants it. */
struct committer_view {
    struct store_epoch epoch;
    struct store_epoch_file *files;
    struct position *positions;
    struct seqset *dead_letters;
};

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    if (memory == NULL)
        out_of_memory(count * size);
    return memory;
}

static void view_fill(struct committer *c, const struct epoch *epoch)
{
    struct committer_view *v = zeroed(1, sizeof(*v));
    c->view = v;
    v->files = zeroed(epoch->file_count, sizeof(*v->files));
    v->positions = zeroed(epoch->source_count, sizeof(*v->positions));
    v->dead_letters = zeroed(epoch->source_count, sizeof(*v->dead_letters));
    for (uint32_t i = 0; i < epoch->file_count; i++) {
        const struct epoch_file *file = epoch->files[i];
        const struct epoch_source *source = &epoch->sources[file->source];
        v->files[i] = (struct store_epoch_file){
            .file = file->stored,
            .quarantine = file->quarantine,
            .key = file->key,
            .stream = source->stream,
            .created = source->created,
            .sequences = &file->sequences,
            .rows = file->rows,
            .columns = file->stats.list,
            .column_count = file->stats.count,
        };
    }
    size_t positions = 0;
    for (uint32_t i = 0; i < epoch->source_count; i++) {
        if (epoch->sources[i].rows.count == 0)
            continue;
        v->dead_letters[positions] = epoch->sources[i].dead_letters;
        v->positions[positions++] = epoch->sources[i].position;
    }
    v->epoch = (struct store_epoch){.files = v->files,
                                    .file_count = epoch->file_count,
                                    .positions = v->positions,
                                    .position_count = positions,
                                    .dead_letters = v->dead_letters};
}

static void view_free(struct committer *c)
{
    if (c->view == NULL)
        return;
    free(c->view->files);
    free(c->view->positions);
    free(c->view->dead_letters);
    free(c->view);
    c->view = NULL;
}

static void report(struct committer *c, const struct err *failure)
{
    ASSERT(pthread_mutex_lock(&c->lock) == 0);
    if (failure == NULL) {
        c->trouble = (struct committer_trouble){0};
    } else {
        if (!c->trouble.failing)
            c->trouble.since = clock_monotonic();
        c->trouble.failing = true;
        c->trouble.failed++;
        c->trouble.err = *failure;
    }
    ASSERT(pthread_mutex_unlock(&c->lock) == 0);
    waker_wake(c->waker);
}

struct committer_trouble committer_trouble(struct committer *c)
{
    ASSERT(pthread_mutex_lock(&c->lock) == 0);
    struct committer_trouble trouble = c->trouble;
    ASSERT(pthread_mutex_unlock(&c->lock) == 0);
    return trouble;
}

static void log_failure(const struct epoch *epoch, const struct err *err, uint64_t attempt)
{
    struct log_line line;
    log_begin(&line, LOG_ERROR, "commit_failed");
    log_u64(&line, "epoch", epoch->number);
    log_u64(&line, "rows", epoch->rows);
    log_u64(&line, "attempt", attempt);
    log_text(&line, "error", err->text);
    log_end(&line);
}

/* If the directory was removed under us, begin again in a new one. */
static void repair(struct committer *c)
{
    struct err err = {0};
    bool reopened;
    if (store_reopen(c->store, &reopened, &err) != 0) {
        log_message(LOG_ERROR, "store_removed", "%s", err.text);
        return;
    }
    if (!reopened)
        return;
    log_message(LOG_WARNING, "store_reopened",
                "directories of the output were removed; they are made again, what was in them is "
                "not");
    for (uint32_t i = 0; i < c->epoch->file_count; i++) {
        store_file_abandon(c->epoch->files[i]->stored);
        c->epoch->files[i]->stored = NULL;
    }
    view_free(c);
}

static void begin(struct committer *c, struct epoch *epoch)
{
    c->epoch = epoch;
    c->attempts = 0;
    c->pause = COMMITTER_RETRY_MIN;
    c->retry_at = INT64_MIN;
}

static int try_commit(struct committer *c, struct err *err)
{
    if (write_files(c, c->epoch, err) != 0)
        return -1;
    if (c->view == NULL)
        view_fill(c, c->epoch);
    return store_commit(c->store, &c->view->epoch, err);
}

static void finish(struct committer *c, int64_t now)
{
    struct epoch *epoch = c->epoch;
    view_free(c);
    c->epoch = NULL;
    epoch->commit_ns = now - epoch->sealed_at;
    for (uint32_t i = 0; i < epoch->file_count; i++)
        epoch->bytes_written += epoch->files[i]->image.len;
    queue_push(&c->done, &epoch->item);
    report(c, NULL);
}

/* Once more. c->epoch is NULL afterwards if it is committed; else retry_at says when to go on. */
static void attempt(struct committer *c)
{
    struct err err = {0};
    if (try_commit(c, &err) == 0) {
        finish(c, clock_monotonic());
        return;
    }
    log_failure(c->epoch, &err, ++c->attempts);
    report(c, &err);
    repair(c);
    c->retry_at = clock_monotonic() + c->pause;
    c->pause = c->pause * 2 > COMMITTER_RETRY_MAX ? COMMITTER_RETRY_MAX : c->pause * 2;
}

/* Behind an epoch that was given up nothing may be committed: order is a promise. */
static void give_up(struct committer *c)
{
    view_free(c);
    epoch_free(c->epoch);
    c->epoch = NULL;
    c->broken = true;
}

static void *run(void *argument)
{
    struct committer *c = argument;
    struct queue_item *item;
    while (!c->broken && (item = queue_take(&c->sealed)) != NULL) {
        begin(c, (struct epoch *)item);
        for (attempt(c); c->epoch != NULL; attempt(c)) {
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
    struct queue_item *item = c->epoch == NULL ? queue_poll(&c->sealed) : NULL;
    if (item != NULL)
        begin(c, (struct epoch *)item);
    if (c->epoch != NULL && now >= c->retry_at)
        attempt(c);
    if (c->epoch != NULL)
        return c->retry_at;
    return queue_is_empty(&c->sealed) ? INT64_MAX : now;
}

void committer_end(struct committer *c)
{
    struct queue_item *item;
    if (c->threaded)
        ASSERT(pthread_join(c->thread, NULL) == 0);
    if (c->epoch != NULL)
        give_up(c);
    while ((item = queue_poll(&c->sealed)) != NULL)
        epoch_free((struct epoch *)item);
}

/* SPDX-License-Identifier: MIT */
#include "follow/feed.h"

#include <pthread.h>
#include <string.h>

#include "base/account.h"
#include "base/assert.h"

struct commit {
    uint64_t version;
    uint64_t bytes;
    struct store_group *group;
    uint32_t readers; /* that copy from it now */
    bool dropped;     /* the last of them frees it */
};

struct feed {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct commit *commits[FEED_COMMITS_MAX + 1]; /* the oldest first */
    uint32_t count, in_use;                       /* in_use: taken out, and not free yet */
    uint64_t bytes;                               /* of `commits` */
    bool closed;
    struct {
        bool keeps_up;
        uint64_t version;
    } readers[FEED_READERS_MAX];
};

struct feed *feed_new(void)
{
    struct feed *f = account_alloc(NULL, 1, sizeof(*f));
    ASSERT(pthread_mutex_init(&f->lock, NULL) == 0 && pthread_cond_init(&f->freed, NULL) == 0);
    return f;
}

static void lock(struct feed *f)
{
    ASSERT(pthread_mutex_lock(&f->lock) == 0);
}

static void unlock(struct feed *f)
{
    ASSERT(pthread_mutex_unlock(&f->lock) == 0);
}

static void commit_free(struct commit *c)
{
    group_free(c->group);
    account_free(NULL, c, sizeof(*c));
}

/* Take the `count` oldest out: what nobody copies from is the caller's to free, by free_all and
 * without the lock. `out` has room for as many. */
static uint32_t take_out(struct feed *f, uint32_t count, struct commit **out)
{
    uint32_t freed = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct commit *c = f->commits[i];
        f->bytes -= c->bytes;
        c->dropped = true;
        if (c->readers == 0)
            out[freed++] = c;
    }
    f->in_use += count;
    f->count -= count;
    memmove(f->commits, f->commits + count, f->count * sizeof(struct commit *));
    return freed;
}

static void free_all(struct feed *f, struct commit **commits, uint32_t count)
{
    if (count == 0)
        return;
    for (uint32_t i = 0; i < count; i++)
        commit_free(commits[i]);
    lock(f);
    f->in_use -= count;
    ASSERT(pthread_cond_signal(&f->freed) == 0);
    unlock(f);
}

/* How many of the oldest are of no more use. */
static uint32_t taken_by_all(const struct feed *f)
{
    uint64_t version = UINT64_MAX;
    bool wanted = false;
    uint32_t count = 0;
    for (uint32_t i = 0; i < FEED_READERS_MAX; i++) {
        if (!f->readers[i].keeps_up)
            continue;
        wanted = true;
        if (f->readers[i].version < version)
            version = f->readers[i].version;
    }
    while (count < f->count && (!wanted || f->commits[count]->version <= version))
        count++;
    return count;
}

/* How many of the oldest have to go. */
static uint32_t too_many(const struct feed *f, uint64_t most)
{
    uint32_t count = f->closed ? f->count : taken_by_all(f);
    uint64_t left = f->bytes;
    if (f->count > 0 && f->commits[f->count - 1]->group->files.count > FEED_FILES_MAX)
        count = f->count; /* what comes before would be taken first, and be no help then */
    for (uint32_t i = 0; i < count; i++)
        left -= f->commits[i]->bytes;
    while (count < f->count && (left > most || f->count - count > FEED_COMMITS_MAX))
        left -= f->commits[count++]->bytes;
    return count;
}

void feed_put(struct feed *f, uint64_t version, struct store_group *group, uint64_t most)
{
    struct commit *c = account_alloc(NULL, 1, sizeof(*c)), *out[FEED_COMMITS_MAX + 1];
    group_keep_files(group);
    *c = (struct commit){.version = version, .bytes = group_memory(group), .group = group};
    lock(f);
    f->commits[f->count++] = c;
    f->bytes += c->bytes;
    uint32_t count = take_out(f, too_many(f, most), out);
    unlock(f);
    free_all(f, out, count);
}

uint64_t feed_bytes(struct feed *f)
{
    lock(f);
    uint64_t bytes = f->bytes;
    unlock(f);
    return bytes;
}

void feed_drop(struct feed *f)
{
    struct commit *out[FEED_COMMITS_MAX + 1];
    lock(f);
    uint32_t count = take_out(f, f->count, out);
    unlock(f);
    free_all(f, out, count);
}

static void note_reader(struct feed *f, uint32_t reader, bool keeps_up, uint64_t version)
{
    struct commit *out[FEED_COMMITS_MAX + 1];
    ASSERT(reader < FEED_READERS_MAX);
    lock(f);
    f->readers[reader].keeps_up = keeps_up;
    f->readers[reader].version = version;
    uint32_t count = take_out(f, taken_by_all(f), out);
    unlock(f);
    free_all(f, out, count);
}

void feed_taken(struct feed *f, uint32_t reader, uint64_t version)
{
    note_reader(f, reader, true, version);
}

void feed_leave(struct feed *f, uint32_t reader)
{
    note_reader(f, reader, false, 0);
}

bool feed_find(struct feed *f, struct slice sha256, struct feed_place *place, uint64_t *size)
{
    bool found = false;
    lock(f);
    for (uint32_t i = f->count; i-- > 0 && !found;) { /* the newest is asked for most often */
        const struct store_group *g = f->commits[i]->group;
        for (size_t j = 0; j < g->files.count && !found; j++) {
            found = slice_is(sha256, g->files.list[j]->sha256);
            if (!found)
                continue;
            *place = (struct feed_place){f->commits[i]->version, (uint32_t)j};
            *size = group_file_size(g->files.list[j]);
        }
    }
    unlock(f);
    return found;
}

static struct commit *pin(struct feed *f, uint64_t version)
{
    struct commit *found = NULL;
    lock(f);
    for (uint32_t i = f->count; i-- > 0 && found == NULL;)
        if (f->commits[i]->version == version)
            found = f->commits[i];
    if (found != NULL)
        found->readers++;
    unlock(f);
    return found;
}

static void unpin(struct feed *f, struct commit *c)
{
    lock(f);
    bool last = --c->readers == 0 && c->dropped;
    unlock(f);
    if (last)
        free_all(f, &c, 1);
}

bool feed_read(struct feed *f, const struct feed_place *place, uint64_t offset, void *data,
               size_t len)
{
    struct commit *c = pin(f, place->version);
    if (c == NULL)
        return false;
    ASSERT(place->file < c->group->files.count);
    /* Without the lock: who commits does not wait for this. */
    bool copied = group_file_copy(c->group->files.list[place->file], offset, data, len);
    unpin(f, c);
    return copied;
}

void feed_close(struct feed *f)
{
    struct commit *out[FEED_COMMITS_MAX + 1];
    lock(f);
    f->closed = true;
    uint32_t count = take_out(f, f->count, out);
    unlock(f);
    free_all(f, out, count);
    lock(f);
    while (f->in_use > 0)
        ASSERT(pthread_cond_wait(&f->freed, &f->lock) == 0);
    unlock(f);
}

void feed_free(struct feed *f)
{
    if (f == NULL)
        return;
    feed_close(f);
    ASSERT(pthread_cond_destroy(&f->freed) == 0 && pthread_mutex_destroy(&f->lock) == 0);
    account_free(NULL, f, sizeof(*f));
}

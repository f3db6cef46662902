/* SPDX-License-Identifier: MIT */
#include "store/writer.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "store/writer_part.h"

static int start_threads(struct store_writer *w, struct err *err)
{
    if (w->options.stepped)
        return 0;
    return committer_start(&w->committer, err) != 0 || encoder_start(&w->encoder, err) != 0 ? -1
                                                                                            : 0;
}

struct store_writer *store_writer_new(const struct store_writer_options *options, struct err *err)
{
    struct store_writer *w = account_alloc(NULL, 1, sizeof(*w));
    w->options = *options;
    w->account.parent = options->account;
    w->keys.account = &w->account;
    w->partitions.account = &w->account;
    w->expansion = STORE_EXPANSION_START;
    staging_init(&w->staging, &w->account);
    w->group = group_new(&w->account, &w->staging);
    committer_init(&w->committer, options->store, options->waker);
    encoder_init(&w->encoder, &options->parquet, options->instance, &w->account,
                 &w->committer.sealed, options->waker);
    /* Without a store nothing can be committed, but rows can be counted. */
    w->encoder.whole_images = options->store != NULL && object_is_remote(options->store->objects);
    if (start_threads(w, err) == 0)
        return w;
    store_writer_free(w);
    return NULL;
}

void store_writer_set_limits(struct store_writer *w, const struct store_writer_limits *limits)
{
    w->limits = *limits;
}

/* Keep an empty batch for reuse, or free it. */
static void recycle_batch(struct store_writer *w, struct batch *batch)
{
    if (w->spare_count == STORE_SPARE_BATCHES || batch_memory(batch) > 2 * w->limits.batch_bytes)
        batch_free(batch);
    else
        w->spares[w->spare_count++] = batch;
}

/* Take back what the encoder is done with. */
static void collect(struct store_writer *w)
{
    struct queue_item *item;
    while ((item = queue_poll(&w->encoder.returned)) != NULL) {
        struct encode_job *job = (struct encode_job *)item;
        w->queued_bytes -= job->batch_bytes;
        if (job->batch != NULL)
            recycle_batch(w, job->batch);
        job->item.next = (struct queue_item *)w->idle_jobs;
        w->idle_jobs = job;
    }
}

void store_writer_end(struct store_writer *w)
{
    if (w->ended)
        return;
    encoder_end(&w->encoder);
    committer_end(&w->committer);
    w->ended = true;
}

void store_writer_free(struct store_writer *w)
{
    struct store_committed ignored;
    if (w == NULL)
        return;
    store_writer_end(w);
    collect(w);
    while (store_writer_committed(w, &ignored)) {
        positions_free(&ignored.others);
        group_free(ignored.group);
    }
    for (size_t i = 0; i < w->partitions.count; i++)
        batch_free(w->partitions.list[i].batch);
    for (uint32_t i = 0; i < w->spare_count; i++)
        batch_free(w->spares[i]);
    routes_free(&w->routes);
    while (w->idle_jobs != NULL) {
        struct encode_job *job = w->idle_jobs;
        w->idle_jobs = (struct encode_job *)job->item.next;
        account_free(&w->account, job, sizeof(*job));
    }
    group_free(w->group);
    staging_free(&w->staging);
    array_free(&w->partitions);
    for (size_t i = 0; i < w->kinds.count; i++)
        batch_free(w->kinds.list[i].row);
    array_free(&w->kinds);
    map_free(&w->keys);
    buf_free(&w->key);
    buf_free(&w->packed);
    account_free(NULL, w, sizeof(*w));
}

/* Batches of many open partitions fill slowly, and take memory that they would not compressed. */
static void relieve(struct store_writer *w)
{
    if (w->open_memory < w->limits.open_memory)
        return;
    uint64_t largest = 2 * (uint64_t)STORE_RELIEF_BYTES;
    for (size_t i = 0; i < w->partitions.count; i++)
        if (w->partitions.list[i].batch_memory > largest)
            largest = w->partitions.list[i].batch_memory;
    for (size_t i = 0; i < w->partitions.count; i++)
        if (w->partitions.list[i].batch_memory >= largest / 2)
            writer_push_batch(w, &w->partitions.list[i]);
}

void store_writer_seal(struct store_writer *w, const struct store_seal *seal)
{
    w->group->seal = *seal;
    for (size_t i = 0; i < w->partitions.count; i++)
        writer_push_batch(w, &w->partitions.list[i]);
    encoder_push(&w->encoder, writer_new_job(w));
    w->partitions.count = 0;
    map_reset(&w->keys);
    routes_reset(&w->routes);
    w->open_bytes = 0;
    w->group = group_new(&w->account, &w->staging);
    staging_trim(&w->staging);
}

bool store_writer_committed(struct store_writer *w, struct store_committed *out)
{
    struct store_group *group = (struct store_group *)queue_poll(&w->committer.done);
    if (group == NULL)
        return false;
    *out = group_take_committed(group);
    if (w->options.hand_on)
        out->group = group;
    else
        group_free(group);
    return true;
}

struct store_trouble store_writer_trouble(struct store_writer *w)
{
    return committer_trouble(&w->committer);
}

int64_t store_writer_turn(struct store_writer *w, int64_t now)
{
    int64_t deadline = INT64_MAX;
    if (w->options.stepped) {
        int64_t encode = encoder_step(&w->encoder, now);
        deadline = clock_earliest(encode, committer_step(&w->committer, now));
        if (!queue_is_empty(&w->committer.done))
            deadline = now; /* the caller wants to know */
    }
    collect(w);
    relieve(w);
    return deadline;
}

uint32_t store_writer_partitions(const struct store_writer *w)
{
    return (uint32_t)w->partitions.count;
}

uint64_t store_writer_queued(const struct store_writer *w)
{
    return w->queued_bytes;
}

uint64_t store_writer_idle(struct store_writer *w)
{
    return staging_idle(&w->staging);
}

void store_writer_free_idle(struct store_writer *w)
{
    staging_free_idle(&w->staging);
}

uint64_t store_writer_expansion(struct store_writer *w)
{
    if (w->open_bytes < STORE_EXPANSION_SAMPLE)
        return w->expansion;
    uint64_t memory = w->open_memory + arena_memory(&w->group->arena) +
                      arena_memory(&w->group->staged) + w->group->parts_memory +
                      w->staging.taken * STAGING_CHUNK;
    uint64_t times = num_least_u64(memory / w->open_bytes + 1, STORE_EXPANSION_MAX);
    w->expansion = times < STORE_EXPANSION_MIN ? STORE_EXPANSION_MIN : times;
    return w->expansion;
}

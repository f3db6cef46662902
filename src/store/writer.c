/* SPDX-License-Identifier: MIT */
#include "store/writer.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/num.h"
#include "store/committer.h"
#include "store/encoder.h"
#include "store/group.h"
#include "store/route.h"

struct partition {
    struct group_part *part;
    bool has_batches;       /* else its rows are kept row by row */
    uint32_t staged_rows;   /* that many, */
    uint64_t staged_bytes;  /* with this content */
    struct batch *batch;    /* rows that are not with the encoder yet; NULL: none */
    uint64_t batch_memory;  /* of it, as counted in open_memory */
    bool unsorted;          /* the batch is not in stream order */
    bool next_file;         /* the batch is older than what the encoder has */
    uint64_t clock_suspect; /* rows of the batch */
    uint64_t newest;        /* greatest sequence in the partition's newest file */
    uint64_t encoded;       /* greatest sequence of it that the encoder has */
};

/* A kind that has come by. */
struct known_kind {
    const struct store_kind *kind;
    struct batch *row; /* where a row is put that will be kept as such */
};

struct store_writer {
    struct account account;
    struct store_writer_options options;
    struct store_writer_limits limits;
    struct encoder encoder;
    struct committer committer;
    bool ended;

    struct store_group *group; /* the open one, never NULL */
    struct map keys;           /* kind, source and path key -> index of its partition */
    ARRAY(struct partition) partitions;
    struct routes routes;
    struct buf key, packed; /* scratch */
    ARRAY(struct known_kind) kinds;

    /* The row between begin and end. */
    uint32_t row_partition;
    struct batch *row_batch;
    uint64_t row_sequence, row_before;
    bool row_clock_suspect;

    struct encode_job *idle_jobs; /* linked by item.next */
    struct batch *spares[STORE_SPARE_BATCHES];
    uint32_t spare_count;
    uint64_t open_bytes;   /* content of the rows that were not sealed */
    uint64_t open_memory;  /* of the partitions' batches */
    uint64_t queued_bytes; /* content of the batches that the encoder has not returned */
    uint64_t expansion;    /* as last known */
};

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
    w->group = group_new(&w->account);
    committer_init(&w->committer, options->store, options->waker);
    encoder_init(&w->encoder, &options->parquet, options->instance, &w->account,
                 &w->committer.sealed, options->waker);
    /* Without a store nothing can be committed, but rows can be counted. */
    w->encoder.whole_images = options->store != NULL && object_lend_whole(options->store->objects);
    if (start_threads(w, err) == 0)
        return w;
    store_writer_free(w);
    return NULL;
}

void store_writer_set_limits(struct store_writer *w, const struct store_writer_limits *limits)
{
    w->limits = *limits;
}

static struct encode_job *new_job(struct store_writer *w)
{
    struct encode_job *job = w->idle_jobs;
    if (job != NULL)
        w->idle_jobs = (struct encode_job *)job->item.next;
    else
        job = account_alloc(&w->account, 1, sizeof(*job));
    *job = (struct encode_job){.group = w->group};
    return job;
}

/* Keep an empty batch for reuse, or free it. */
static void recycle_batch(struct store_writer *w, struct batch *batch)
{
    if (w->spare_count == STORE_SPARE_BATCHES || batch_memory(batch) > 2 * w->limits.batch_bytes)
        batch_free(batch);
    else
        w->spares[w->spare_count++] = batch;
}

/* Begin a partition's batch. */
static void take_batch(struct store_writer *w, struct partition *p)
{
    const struct schema *schema = p->part->kind->schema;
    for (uint32_t i = w->spare_count; i-- > 0;) {
        if (w->spares[i]->schema != schema)
            continue;
        p->batch = w->spares[i];
        w->spares[i] = w->spares[--w->spare_count];
        return;
    }
    p->batch = batch_new(schema, &w->account);
}

/* Take back what the encoder is done with. */
static void collect(struct store_writer *w)
{
    struct queue_item *item;
    while ((item = queue_poll(&w->encoder.returned)) != NULL) {
        struct encode_job *job = (struct encode_job *)item;
        if (job->batch != NULL) {
            w->queued_bytes -= job->batch_bytes;
            recycle_batch(w, job->batch);
        }
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
    array_free(&w->partitions);
    for (size_t i = 0; i < w->kinds.count; i++)
        batch_free(w->kinds.list[i].row);
    array_free(&w->kinds);
    map_free(&w->keys);
    buf_free(&w->key);
    buf_free(&w->packed);
    account_free(NULL, w, sizeof(*w));
}

/* The kind as a number of this writer. */
static uint32_t kind_number(struct store_writer *w, const struct store_kind *kind)
{
    for (uint32_t i = 0; i < w->kinds.count; i++)
        if (w->kinds.list[i].kind == kind)
            return i;
    *array_add(&w->kinds) = (struct known_kind){kind, batch_new(kind->schema, &w->account)};
    return (uint32_t)w->kinds.count - 1;
}

/* The index of the partition with a path key. */
static uint32_t find_partition(struct store_writer *w, const struct store_row *row,
                               const struct store_path_values *values)
{
    enum { PREFIX = 8 };
    bool added;
    buf_reset(&w->key);
    buf_append_u32le(&w->key, kind_number(w, row->kind));
    buf_append_u32le(&w->key, row->source);
    if (row->kind->path != NULL)
        store_path_key(&w->key, row->kind->path, values);
    else
        store_path_quarantine_key(&w->key, values->stream);
    uint32_t index = map_put(&w->keys, buf_slice(&w->key), &added);
    if (!added)
        return index;
    ASSERT(index == w->partitions.count);
    struct slice key = {w->key.data + PREFIX, w->key.len - PREFIX};
    *array_add(&w->partitions) =
        (struct partition){.part = group_add_part(w->group, row->kind, row->origin, key)};
    return index;
}

/* The partition that a row belongs to. */
static uint32_t route(struct store_writer *w, const struct store_row *row)
{
    bool routed = row->kind->path != NULL;
    struct store_path_values values = row->values, whole = row->values;
    values.stream = values.instance = (struct slice){0}; /* the same for each row of a source */
    int64_t known = routed ? routes_find(&w->routes, row->kind, row->source, &values) : -1;
    if (known >= 0)
        return (uint32_t)known;
    whole.stream = slice_of(row->origin->stream);
    whole.instance = slice_of(w->options.instance);
    uint32_t index = find_partition(w, row, &whole);
    if (routed)
        routes_add(&w->routes, row->kind, row->source, &values, index);
    return index;
}

/* Hand the rows of a partition to the encoder. */
static void push_batch(struct store_writer *w, struct partition *p)
{
    if (p->batch == NULL)
        return;
    struct encode_job *job = new_job(w);
    job->part = p->part;
    job->batch = p->batch;
    job->unsorted = p->unsorted;
    job->next_file = p->next_file;
    job->clock_suspect = p->clock_suspect;
    job->row_group_bytes = w->limits.row_group_bytes;
    job->batch_bytes = p->batch->bytes;
    w->queued_bytes += job->batch_bytes;
    w->open_memory -= p->batch_memory;
    *p = (struct partition){
        .part = p->part, .has_batches = true, .newest = p->newest, .encoded = p->newest};
    encoder_push(&w->encoder, job);
}

/* Make room for a row with this sequence: the batch to append it to. Rows in front of what the
 * encoder has go to another file. */
static struct batch *open_batch(struct store_writer *w, struct partition *p, uint64_t sequence)
{
    if (p->batch != NULL && sequence < p->encoded)
        push_batch(w, p);
    if (p->batch == NULL) {
        take_batch(w, p);
        p->next_file = sequence < p->encoded;
        if (p->next_file)
            p->newest = p->encoded = 0;
    }
    return p->batch;
}

struct batch *store_writer_begin_row(struct store_writer *w, const struct store_row *row)
{
    w->row_partition = route(w, row);
    struct partition *p = &w->partitions.list[w->row_partition];
    ASSERT(p->part->origin == row->origin);
    w->row_batch = p->has_batches ? open_batch(w, p, row->sequence)
                                  : w->kinds.list[kind_number(w, row->kind)].row;
    w->row_sequence = row->sequence;
    w->row_before = w->row_batch->bytes;
    w->row_clock_suspect = row->clock_suspect;
    return w->row_batch;
}

static uint32_t rows_max(const struct store_writer *w)
{
    uint32_t group = w->options.parquet.row_group_rows;
    return group < BATCH_ROWS_MAX ? group : BATCH_ROWS_MAX;
}

/* The partition has enough rows for a batch of its own: give it those that were kept, and `last`.
 */
static void begin_batches(struct store_writer *w, struct partition *p, const struct batch *last)
{
    static const uint32_t only[] = {0};
    take_batch(w, p);
    group_unstage(p->part, p->batch);
    batch_copy_ordered(p->batch, last, only);
    p->has_batches = true;
    p->unsorted = p->part->unsorted;
    p->clock_suspect += p->part->clock_suspect;
    p->part->unsorted = false;
    p->part->clock_suspect = 0;
}

/* Keep the row that was put into the kind's batch. */
static void stage_row(struct store_writer *w, struct partition *p, uint64_t bytes)
{
    struct batch *row = w->row_batch;
    p->part->unsorted |= w->row_sequence < p->newest;
    if (++p->staged_rows >= rows_max(w) || p->staged_bytes + bytes >= STORE_STAGED_BYTES) {
        begin_batches(w, p, row);
    } else {
        buf_reset(&w->packed);
        batch_pack(row, &w->packed);
        group_stage(w->group, p->part, buf_slice(&w->packed));
        p->part->clock_suspect += w->row_clock_suspect;
        w->row_clock_suspect = false;
    }
    p->staged_bytes += bytes;
    batch_reset(row);
    if (batch_memory(row) > 2 * (uint64_t)STORE_STAGED_BYTES) { /* one was large */
        struct known_kind *kind = &w->kinds.list[kind_number(w, p->part->kind)];
        batch_free(row);
        kind->row = batch_new(p->part->kind->schema, &w->account);
    }
}

/* A row is in the partition's batch. */
static void batch_row_added(struct store_writer *w, struct partition *p)
{
    uint64_t memory = batch_memory(p->batch);
    w->open_memory += memory - p->batch_memory;
    p->batch_memory = memory;
    p->clock_suspect += w->row_clock_suspect;
    if (p->batch->rows >= rows_max(w) || p->batch->bytes >= w->limits.batch_bytes)
        push_batch(w, p);
}

uint64_t store_writer_end_row(struct store_writer *w)
{
    struct partition *p = &w->partitions.list[w->row_partition];
    uint64_t bytes = w->row_batch->bytes - w->row_before;
    w->open_bytes += bytes;
    if (!p->has_batches)
        stage_row(w, p, bytes);
    else
        p->unsorted |= w->row_sequence < p->newest;
    if (w->row_sequence > p->newest)
        p->newest = w->row_sequence;
    if (p->has_batches)
        batch_row_added(w, p);
    return bytes;
}

void store_writer_add_outside(struct store_writer *w, const struct store_row *row,
                              struct batch *batch, const struct store_outside *outside)
{
    uint32_t partition = route(w, row);
    struct encode_job *job = new_job(w);
    job->part = w->partitions.list[partition].part;
    job->batch = batch;
    job->outside = *outside;
    job->clock_suspect = row->clock_suspect;
    job->batch_bytes = batch->bytes;
    w->queued_bytes += job->batch_bytes;
    encoder_push(&w->encoder, job);
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
            push_batch(w, &w->partitions.list[i]);
}

void store_writer_seal(struct store_writer *w, const struct store_seal *seal)
{
    w->group->seal = *seal;
    for (size_t i = 0; i < w->partitions.count; i++)
        push_batch(w, &w->partitions.list[i]);
    encoder_push(&w->encoder, new_job(w));
    w->partitions.count = 0;
    map_reset(&w->keys);
    routes_reset(&w->routes);
    w->open_bytes = 0;
    w->group = group_new(&w->account);
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

uint64_t store_writer_expansion(struct store_writer *w)
{
    if (w->open_bytes < STORE_EXPANSION_SAMPLE)
        return w->expansion;
    uint64_t memory = w->open_memory + arena_memory(&w->group->arena) +
                      arena_memory(&w->group->staged) + w->group->parts_memory;
    uint64_t times = num_least_u64(memory / w->open_bytes + 1, STORE_EXPANSION_MAX);
    w->expansion = times < STORE_EXPANSION_MIN ? STORE_EXPANSION_MIN : times;
    return w->expansion;
}

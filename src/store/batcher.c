/* SPDX-License-Identifier: MIT */
#include "store/batcher.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/assert.h"
#include "parquet/format.h"

void batcher_init(struct batcher *b, struct encoder *encoder, const struct store_path *path,
                  struct slice instance, struct batcher_limits limits, uint32_t source_count)
{
    *b = (struct batcher){.encoder = encoder,
                          .path = path,
                          .instance = instance,
                          .limits = limits,
                          .source_count = source_count,
                          .last_number = 1,
                          .expansion = BATCHER_EXPANSION_START};
    b->epoch = epoch_new(1, source_count);
}

void batcher_free(struct batcher *b)
{
    batcher_collect(b);
    for (uint32_t i = 0; i < b->partition_count; i++)
        batch_free(b->partitions[i].batch);
    for (uint32_t i = 0; i < b->spare_count; i++)
        batch_free(b->spares[i]);
    for (uint32_t i = 0; i < BATCHER_ROUTES; i++)
        buf_free(&b->routes[i].text);
    while (b->idle_jobs != NULL) {
        struct encode_job *job = b->idle_jobs;
        b->idle_jobs = (struct encode_job *)job->item.next;
        free(job);
    }
    /* A file whose pages were being made has a writer still. */
    for (uint32_t i = 0; i < b->epoch->file_count; i++) {
        parquet_writer_free(b->epoch->files[i]->writer);
        b->epoch->files[i]->writer = NULL;
    }
    epoch_free(b->epoch);
    free(b->partitions);
    map_free(&b->keys);
    buf_free(&b->key);
}

static struct encode_job *new_job(struct batcher *b)
{
    struct encode_job *job = b->idle_jobs;
    if (job != NULL) {
        b->idle_jobs = (struct encode_job *)job->item.next;
    } else {
        job = malloc(sizeof(*job));
        if (job == NULL)
            out_of_memory(sizeof(*job));
    }
    *job = (struct encode_job){.epoch = b->epoch};
    b->jobs_under_way++;
    return job;
}

/* Keep an empty batch for reuse, or free it. */
static void recycle_batch(struct batcher *b, struct batch *batch)
{
    uint64_t memory = batch_memory(batch);
    if (batch->schema != &event_schema || b->spare_count == BATCHER_SPARES ||
        memory > 2 * b->limits.batch_bytes) {
        batch_free(batch);
        return;
    }
    b->spares[b->spare_count++] = batch;
    b->batch_memory += memory;
}

/* Begin a partition's batch. */
static void take_batch(struct batcher *b, struct batcher_partition *p)
{
    if (p->file->schema == &event_schema && b->spare_count > 0) {
        p->batch = b->spares[--b->spare_count];
        p->batch_memory = batch_memory(p->batch); /* counted already */
        return;
    }
    p->batch = batch_new(p->file->schema);
    p->batch_memory = 0;
}

void batcher_collect(struct batcher *b)
{
    struct queue_item *item;
    while ((item = queue_poll(&b->encoder->returned)) != NULL) {
        struct encode_job *job = (struct encode_job *)item;
        if (job->batch != NULL) {
            b->batch_memory -= job->batch_memory;
            b->queued_bytes -= job->batch_bytes;
            b->queued_memory -= job->batch_memory;
            recycle_batch(b, job->batch);
        }
        b->jobs_under_way--;
        job->item.next = (struct queue_item *)b->idle_jobs;
        b->idle_jobs = job;
    }
}

/* Hand the rows of a partition to the encoder; with `last` the file is complete. */
static void push_batch(struct batcher *b, struct batcher_partition *p, bool last)
{
    if (p->batch == NULL && !last)
        return;
    struct encode_job *job = new_job(b);
    job->file = p->file;
    job->last = last;
    job->batch = p->batch;
    job->row_group_bytes = b->limits.row_group_bytes;
    job->unsorted = p->unsorted;
    if (p->batch != NULL) {
        const struct parquet_options *options = &b->encoder->options;
        job->batch_bytes = p->batch->bytes;
        job->batch_memory = p->batch_memory;
        p->pages_so_far +=
            p->batch->schema->count + 2 * (p->batch->bytes / options->page_bytes + 1);
        p->row_groups_so_far += p->batch->rows / options->row_group_rows + 1;
    }
    p->encoded = p->newest;
    b->queued_bytes += job->batch_bytes;
    b->queued_memory += job->batch_memory;
    p->batch = NULL;
    p->batch_memory = 0;
    p->unsorted = false;
    encoder_push(b->encoder, job);
}

/* The epoch's part for a source, begun if this is the first that it gets. */
static struct epoch_source *epoch_source_of(struct batcher *b, const struct batcher_source *source,
                                            int64_t now)
{
    struct epoch_source *s = &b->epoch->sources[source->index];
    if (s->stream == NULL)
        epoch_source_begin(s, source->stream, source->created, source->consumer);
    ASSERT(strcmp(s->created, source->created) == 0); /* another generation is another epoch */
    if (b->epoch->opened == 0)
        b->epoch->opened = now;
    return s;
}

/* What every message leaves in the epoch, whatever became of it. */
static void count_message(struct batcher *b, struct epoch_source *s, uint64_t sequence,
                          int64_t stream_time, uint64_t bytes)
{
    ASSERT(seqset_add(&s->rows, sequence)); /* the ledger said that it is new */
    if (sequence > s->last_seq) {
        s->last_seq = sequence;
        s->last_time = stream_time;
    }
    b->epoch->rows++;
    b->epoch->bytes += bytes;
}

static struct batcher_partition *new_partition(struct batcher *b)
{
    b->partitions = array_grow(b->partitions, &b->partition_cap, b->partition_count, 1,
                               sizeof(*b->partitions), NULL);
    struct batcher_partition *p = &b->partitions[b->partition_count++];
    *p = (struct batcher_partition){0};
    return p;
}

/* The index of the partition with the key in b->key behind KEY_PREFIX bytes. */
enum { KEY_PREFIX = 5 };

static void begin_key(struct batcher *b, uint32_t source, bool quarantine)
{
    buf_reset(&b->key);
    buf_append_u32le(&b->key, source);
    buf_append_byte(&b->key, quarantine);
}

static uint32_t find_partition(struct batcher *b, uint32_t source, const struct schema *schema,
                               bool quarantine)
{
    bool added;
    uint32_t index = map_put(&b->keys, buf_slice(&b->key), &added);
    if (!added)
        return index;
    ASSERT(index == b->partition_count);
    struct slice key = {b->key.data + KEY_PREFIX, b->key.len - KEY_PREFIX};
    new_partition(b)->file = epoch_add_file(b->epoch, source, schema, quarantine, key);
    return index;
}

static void remember_route(struct batcher_route *route, uint32_t source,
                           const struct store_path_values *values, uint32_t partition)
{
    buf_reset(&route->text);
    buf_append_slice(&route->text, values->simulation_id);
    buf_append_slice(&route->text, values->event_type_key);
    buf_append_slice(&route->text, values->worker_id);
    const uint8_t *at = route->text.data;
    *route = (struct batcher_route){
        .used = true,
        .source = source,
        .partition = partition,
        .values = *values,
        .text = route->text,
    };
    route->values.simulation_id.data = at;
    route->values.event_type_key.data = at + values->simulation_id.len;
    route->values.worker_id.data = at + values->simulation_id.len + values->event_type_key.len;
}

/* The partition that a row belongs to. */
static uint32_t route(struct batcher *b, const struct batcher_source *source,
                      const struct event *event, int64_t time)
{
    struct store_path_values values = {
        .simulation_id = event->simulation_id,
        .event_type_key = event->event_type_key,
        .worker_id = event->worker_id,
        .stream = slice_of(source->stream),
        .instance = b->instance,
        .time = time,
    };
    uint64_t hash = map_hash(event->simulation_id) + source->index;
    struct batcher_route *known = &b->routes[hash & (BATCHER_ROUTES - 1)];
    if (known->used && known->source == source->index &&
        store_path_same(b->path, &known->values, &values))
        return known->partition;
    begin_key(b, source->index, false);
    store_path_key(&b->key, b->path, &values);
    uint32_t index = find_partition(b, source->index, &event_schema, false);
    /* The texts of stream and instance outlive the epoch; the routes do not. */
    remember_route(known, source->index, &values, index);
    return index;
}

/* True if a row can't go into the partition's file any more: it would stand behind later ones that
 * the encoder has already, or the file nears a limit of the format. */
static bool needs_new_file(const struct batcher_partition *p, uint64_t sequence)
{
    return p->batch == NULL && (sequence < p->encoded || p->pages_so_far > PARQUET_PAGES_MAX / 2 ||
                                p->row_groups_so_far > PARQUET_ROW_GROUPS_MAX / 2);
}

/* Make room for a row with this sequence: the batch to append it to. */
static struct batch *open_batch(struct batcher *b, uint32_t index, uint64_t sequence)
{
    struct batcher_partition *p = &b->partitions[index];
    if (p->batch != NULL && sequence < p->encoded)
        push_batch(b, p, false);
    if (needs_new_file(p, sequence)) {
        struct epoch_file *file = p->file;
        push_batch(b, p, true);
        *p = (struct batcher_partition){0};
        p->file = epoch_add_file(b->epoch, file->source, file->schema, file->quarantine,
                                 slice_of(file->key));
    }
    if (p->batch == NULL)
        take_batch(b, p);
    return p->batch;
}

/* A row was appended to the partition's batch. */
static void row_added(struct batcher *b, uint32_t index, uint64_t sequence)
{
    struct batcher_partition *p = &b->partitions[index];
    if (sequence < p->newest)
        p->unsorted = true;
    else
        p->newest = sequence;
    p->file->rows++;
    epoch_add_sequence(b->epoch, p->file, sequence); /* new, as count_message has checked */
    if (p->batch->rows == BATCH_ROWS_MAX || p->batch->bytes >= b->limits.batch_bytes) {
        push_batch(b, p, false);
        return;
    }
    uint64_t memory = batch_memory(p->batch);
    b->batch_memory += memory - p->batch_memory;
    p->batch_memory = memory;
}

void batcher_add(struct batcher *b, const struct batcher_source *source, const struct event *event,
                 const struct event_origin *origin, int64_t partition_time, bool suspect,
                 int64_t now)
{
    struct epoch_source *s = epoch_source_of(b, source, now);
    uint32_t index = route(b, source, event, partition_time);
    struct batch *batch = open_batch(b, index, origin->stream_seq);
    uint64_t before = batch->bytes;
    event_append(batch, event, origin);
    count_message(b, s, origin->stream_seq, origin->stream_time_ns, batch->bytes - before);
    s->table_rows++;
    s->clock_suspect += suspect;
    b->partitions[index].file->clock_suspect += suspect;
    row_added(b, index, origin->stream_seq);
}

void batcher_quarantine(struct batcher *b, const struct batcher_source *source,
                        const struct quarantined *message, int64_t now)
{
    struct epoch_source *s = epoch_source_of(b, source, now);
    begin_key(b, source->index, true);
    store_path_quarantine_key(&b->key, slice_of(source->stream));
    uint32_t index = find_partition(b, source->index, &quarantine_schema, true);
    struct batch *batch = open_batch(b, index, message->origin.stream_seq);
    uint64_t before = batch->bytes;
    quarantine_append(batch, message);
    count_message(b, s, message->origin.stream_seq, message->origin.stream_time_ns,
                  batch->bytes - before);
    s->dead[message->result]++;
    row_added(b, index, message->origin.stream_seq);
}

void batcher_dead_letter(struct batcher *b, const struct batcher_source *source,
                         enum event_result reason, uint64_t stream_seq, int64_t stream_time_ns,
                         int64_t now)
{
    struct epoch_source *s = epoch_source_of(b, source, now);
    count_message(b, s, stream_seq, stream_time_ns, 0);
    seqset_add(&s->dead_letters, stream_seq);
    s->dead[reason]++;
}

bool batcher_is_empty(const struct batcher *b)
{
    return b->epoch->opened == 0;
}

bool batcher_is_due(const struct batcher *b, int64_t now, enum epoch_reason *reason)
{
    if (batcher_is_empty(b))
        return false;
    if (b->epoch->rows >= b->limits.rows)
        *reason = EPOCH_ROWS;
    else if (b->epoch->bytes >= b->limits.bytes)
        *reason = EPOCH_BYTES;
    else if (b->partition_count >= BATCHER_PARTITIONS_MAX)
        *reason = EPOCH_PARTITIONS;
    else if (now >= batcher_deadline(b))
        *reason = EPOCH_AGE;
    else
        return false;
    return true;
}

int64_t batcher_deadline(const struct batcher *b)
{
    return batcher_is_empty(b) ? INT64_MAX : b->epoch->opened + b->limits.age;
}

struct epoch *batcher_seal(struct batcher *b, enum epoch_reason reason, int64_t now)
{
    struct epoch *sealed = b->epoch;
    sealed->reason = reason;
    sealed->sealed_at = now;
    for (uint32_t i = 0; i < b->partition_count; i++)
        push_batch(b, &b->partitions[i], true);
    b->partition_count = 0;
    map_reset(&b->keys);
    for (uint32_t i = 0; i < BATCHER_ROUTES; i++)
        b->routes[i].used = false;
    b->epoch = epoch_new(++b->last_number, b->source_count);
    return sealed;
}

void batcher_send(struct batcher *b, struct epoch *sealed)
{
    struct encode_job *job = new_job(b);
    job->epoch = sealed;
    encoder_push(b->encoder, job);
}

void batcher_committed(struct batcher *b, struct epoch *epoch)
{
    for (uint32_t i = 0; i < epoch->file_count; i++)
        atomic_fetch_sub(&b->encoder->memory, epoch->files[i]->accounted);
    epoch_drop_images(epoch);
}

void batcher_relieve(struct batcher *b)
{
    if (b->batch_memory - b->queued_memory < b->limits.open_memory)
        return;
    uint64_t largest = 2 * (uint64_t)BATCHER_RELIEF_BYTES;
    for (uint32_t i = 0; i < b->partition_count; i++)
        if (b->partitions[i].batch_memory > largest)
            largest = b->partitions[i].batch_memory;
    for (uint32_t i = 0; i < b->partition_count; i++)
        if (b->partitions[i].batch_memory >= largest / 2)
            push_batch(b, &b->partitions[i], false);
}

uint64_t batcher_expansion(struct batcher *b)
{
    if (b->epoch->bytes < BATCHER_EXPANSION_SAMPLE)
        return b->expansion;
    uint64_t memory = b->batch_memory - b->queued_memory + epoch_memory(b->epoch);
    b->expansion = memory / b->epoch->bytes + 1;
    if (b->expansion < BATCHER_EXPANSION_MIN)
        b->expansion = BATCHER_EXPANSION_MIN;
    if (b->expansion > BATCHER_EXPANSION_MAX)
        b->expansion = BATCHER_EXPANSION_MAX;
    return b->expansion;
}

uint64_t batcher_memory(const struct batcher *b)
{
    return b->batch_memory + atomic_load(&b->encoder->memory) + epoch_memory(b->epoch) +
           map_memory(&b->keys) + b->partition_cap * sizeof(*b->partitions);
}

/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/assert.h"
#include "store/writer_part.h"

struct encode_job *writer_new_job(struct store_writer *w)
{
    struct encode_job *job = w->idle_jobs;
    if (job != NULL)
        w->idle_jobs = (struct encode_job *)job->item.next;
    else
        job = account_alloc(&w->account, 1, sizeof(*job));
    *job = (struct encode_job){.group = w->group};
    return job;
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

void writer_push_batch(struct store_writer *w, struct partition *p)
{
    if (p->batch == NULL)
        return;
    struct encode_job *job = writer_new_job(w);
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
        writer_push_batch(w, p);
    if (p->batch == NULL) {
        take_batch(w, p);
        p->next_file = sequence < p->encoded;
        if (p->next_file)
            p->newest = p->encoded = 0;
    }
    return p->batch;
}

static uint32_t rows_max(const struct store_writer *w)
{
    uint32_t group = w->options.parquet.row_group_rows;
    return group < BATCH_ROWS_MAX ? group : BATCH_ROWS_MAX;
}

/* Whether a row with this content may be kept as such: in front of what the encoder has there is
 * another file. */
static bool may_stage(const struct store_writer *w, const struct partition *p, uint64_t bytes)
{
    return !p->has_batches && bytes < STORE_STAGED_BYTES && w->row_sequence >= p->encoded;
}

/* Whether the partition has too few rows for a batch, with this one. */
static bool is_few(const struct store_writer *w, const struct partition *p, uint64_t bytes)
{
    uint64_t most = STORE_STAGED_BYTES;
    if (p->part->kind->unpack != NULL && w->limits.batch_bytes / 2 > most)
        most = w->limits.batch_bytes / 2;
    return p->staged_rows + 1 < rows_max(w) && p->staged_bytes + bytes < most;
}

/* Hand the rows that were kept to the encoder, and keep those that follow. */
static void push_staged(struct store_writer *w, struct partition *p)
{
    struct group_part *part = p->part;
    struct encode_job *job = writer_new_job(w);
    job->part = part;
    job->staged = part->staged;
    job->unsorted = part->unsorted;
    job->clock_suspect = part->clock_suspect;
    job->row_group_bytes = w->limits.row_group_bytes;
    job->batch_bytes = p->staged_bytes;
    w->queued_bytes += job->batch_bytes;
    part->staged = (struct staged_rows){0};
    part->unsorted = false;
    part->clock_suspect = 0;
    p->staged_rows = 0;
    p->staged_bytes = 0;
    p->encoded = p->newest;
    encoder_push(&w->encoder, job);
}

/* The partition has enough rows for a batch of its own: give it those that were kept. */
static void begin_batches(struct store_writer *w, struct partition *p)
{
    p->has_batches = true;
    if (p->part->staged.first == NULL)
        return;
    take_batch(w, p);
    group_unstage(w->group, p->part, &p->part->staged, p->batch);
    p->unsorted = p->part->unsorted;
    p->clock_suspect += p->part->clock_suspect;
    p->part->unsorted = false;
    p->part->clock_suspect = 0;
}

struct batch *store_writer_begin_row(struct store_writer *w, const struct store_row *row)
{
    w->row_partition = route(w, row);
    struct partition *p = &w->partitions.list[w->row_partition];
    ASSERT(p->part->origin == row->origin);
    w->row_sequence = row->sequence;
    w->row_clock_suspect = row->clock_suspect;
    w->row_batch = NULL;
    w->row_packed = row->packed;
    w->row_bytes = row->bytes;
    bool packed = row->bytes > 0, many = w->partitions.count > STORE_PARTITIONS_FEW;
    if (packed && many && p->staged_rows > 0 && may_stage(w, p, row->bytes) &&
        !is_few(w, p, row->bytes))
        push_staged(w, p);
    if (packed && may_stage(w, p, row->bytes) && is_few(w, p, row->bytes))
        return NULL; /* perhaps not any more, if the encoder has newer ones now */
    if (packed && !p->has_batches)
        begin_batches(w, p);
    w->row_batch = p->has_batches ? open_batch(w, p, row->sequence)
                                  : w->kinds.list[kind_number(w, row->kind)].row;
    w->row_bytes = w->row_batch->bytes;
    return w->row_batch;
}

uint8_t *store_writer_room(struct store_writer *w)
{
    ASSERT(w->row_batch == NULL);
    return group_stage(w->group, w->partitions.list[w->row_partition].part, w->row_packed);
}

/* Keep the row that was put into the kind's batch, or the partition's batch begins with it. */
static void stage_from_batch(struct store_writer *w, struct partition *p, uint64_t bytes)
{
    static const uint32_t only[] = {0};
    struct batch *row = w->row_batch;
    if (may_stage(w, p, bytes) && is_few(w, p, bytes)) {
        buf_reset(&w->packed);
        batch_pack(row, &w->packed);
        memcpy(group_stage(w->group, p->part, w->packed.len), w->packed.data, w->packed.len);
    } else {
        begin_batches(w, p);
        batch_copy_ordered(open_batch(w, p, w->row_sequence), row, only);
    }
    batch_reset(row);
    if (batch_memory(row) > 2 * (uint64_t)STORE_STAGED_BYTES) { /* one was large */
        struct known_kind *kind = &w->kinds.list[kind_number(w, p->part->kind)];
        batch_free(row);
        kind->row = batch_new(p->part->kind->schema, &w->account);
    }
}

static void stage_row(struct store_writer *w, struct partition *p, uint64_t bytes)
{
    p->part->unsorted |= w->row_sequence < p->newest;
    if (w->row_batch != NULL)
        stage_from_batch(w, p, bytes);
    p->staged_rows++;
    p->staged_bytes += bytes;
    if (!p->has_batches)
        p->part->clock_suspect += w->row_clock_suspect;
}

/* A row is in the partition's batch. */
static void batch_row_added(struct store_writer *w, struct partition *p)
{
    uint64_t memory = batch_memory(p->batch);
    w->open_memory += memory - p->batch_memory;
    p->batch_memory = memory;
    p->clock_suspect += w->row_clock_suspect;
    if (p->batch->rows >= rows_max(w) || p->batch->bytes >= w->limits.batch_bytes)
        writer_push_batch(w, p);
}

uint64_t store_writer_end_row(struct store_writer *w)
{
    struct partition *p = &w->partitions.list[w->row_partition];
    uint64_t bytes = w->row_batch != NULL ? w->row_batch->bytes - w->row_bytes : w->row_bytes;
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
    struct encode_job *job = writer_new_job(w);
    job->part = w->partitions.list[partition].part;
    job->batch = batch;
    job->outside = *outside;
    job->clock_suspect = row->clock_suspect;
    job->batch_bytes = batch->bytes;
    w->queued_bytes += job->batch_bytes;
    encoder_push(&w->encoder, job);
}

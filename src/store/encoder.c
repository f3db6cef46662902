/* SPDX-License-Identifier: MIT */
#include "store/encoder.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/version.h"

static int image_write(void *context, const void *data, size_t len, struct err *err)
{
    (void)err; /* memory either is there or ends the process */
    group_file_append(context, (struct slice){data, len});
    return 0;
}

static void image_take(void *context, struct buf *memory)
{
    group_file_take(context, memory);
}

/* What comes into an image beside the pages: headers, most footers. It grows as usual for more. */
enum { IMAGE_REST = 16 * 1024 };

static struct parquet_sink image_sink(const struct encoder *e, struct group_file *file)
{
    return (struct parquet_sink){
        .write = image_write, .take = e->whole_images ? NULL : image_take, .context = file};
}

/* The sequences of the rows of a batch. */
static const uint8_t *sequences_of(const struct batch *b)
{
    uint32_t column = 0;
    while (!b->schema->columns[column].ordered)
        column++;
    return b->columns[column].values.data;
}

struct keyed_row {
    uint64_t key;
    uint32_t row;
};

static int compare_rows(const void *a, const void *b)
{
    const struct keyed_row *x = a;
    const struct keyed_row *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->row < y->row ? -1 : 1;
}

/* The rows by their sequence: redeliveries come late. Rare, so the copy and the
 * allocations are of no concern. */
static struct batch *sort_rows(const struct batch *b)
{
    const uint8_t *sequences = sequences_of(b);
    struct keyed_row *keyed = calloc(b->rows + (size_t)1, sizeof(*keyed));
    uint32_t *order = calloc(b->rows + (size_t)1, sizeof(*order));
    if (keyed == NULL || order == NULL)
        out_of_memory(b->rows * (sizeof(*keyed) + sizeof(*order)));
    for (uint32_t row = 0; row < b->rows; row++)
        keyed[row] = (struct keyed_row){load_u64le(sequences + (size_t)8 * row), row};
    qsort(keyed, b->rows, sizeof(*keyed), compare_rows);
    for (uint32_t row = 0; row < b->rows; row++)
        order[row] = keyed[row].row;
    struct batch *sorted = batch_new(b->schema, b->account.parent);
    batch_copy_ordered(sorted, b, order);
    free(keyed);
    free(order);
    return sorted;
}

static struct group_file *begin_file(struct encoder *e, struct store_group *group,
                                     struct group_part *part)
{
    struct group_file *file = group_add_file(group, part);
    file->whole = e->whole_images;
    if (e->spare != NULL && e->spare_schema == part->kind->schema) {
        file->writer = e->spare;
        e->spare = NULL;
    } else {
        file->writer = parquet_writer_new(part->kind->schema, &e->options, e->codec);
    }
    return file;
}

static void put_number(struct encoder *e, struct group_file *file, const char *key, uint64_t value)
{
    buf_reset(&e->text);
    buf_append_decimal(&e->text, value);
    parquet_writer_metadata(file->writer, key, buf_slice(&e->text));
}

/* Who wrote the file, from where, and which messages are in it: enough to know without a log. */
static void put_footer(struct encoder *e, struct group_file *file)
{
    const struct store_origin *origin = file->part->origin;
    const struct store_path *path = file->part->kind->path;
    const struct seqset *rows = &file->sequences;
    parquet_writer_metadata(file->writer, "varve.version", slice_of(varve_version));
    parquet_writer_metadata(file->writer, "varve.instance", slice_of(e->instance));
    parquet_writer_metadata(file->writer, "varve.stream", slice_of(origin->stream));
    parquet_writer_metadata(file->writer, "varve.stream_created", slice_of(origin->created));
    parquet_writer_metadata(file->writer, "varve.consumer", slice_of(origin->consumer));
    if (path != NULL)
        parquet_writer_metadata(file->writer, "varve.path_template", slice_of(path->text));
    if (file->part->kind->types != NULL)
        parquet_writer_metadata(file->writer, "varve.payload_types",
                                slice_of(file->part->kind->types));
    put_number(e, file, "varve.rows", file->rows);
    put_number(e, file, "varve.first_seq", rows->list[0].first);
    put_number(e, file, "varve.last_seq", rows->list[rows->count - 1].last);
    put_number(e, file, "varve.clock_suspect", file->clock_suspect);
    if (rows->count > DELTA_ADD_RANGES_MAX)
        return; /* the ordered column has them */
    buf_reset(&e->text);
    seqset_write_text(&e->text, rows);
    parquet_writer_metadata(file->writer, "varve.sequences", buf_slice(&e->text));
}

static struct slice keep_text(struct group_file *file, struct slice text)
{
    /* Room for all bounds was made before, so nothing moves. */
    size_t at = file->stats_text.len;
    buf_append_slice(&file->stats_text, text);
    return (struct slice){file->stats_text.data + at, text.len};
}

/* Of every column, but for groups and what is in them: some readers take a column without a count
 * of nulls in the log for one that is nothing but nulls (PROTOCOL.md, "Per-file Statistics"). */
static void collect_stats(struct encoder *e, struct group_file *file)
{
    const struct schema *schema = file->part->kind->schema;
    struct parquet_bounds bounds;
    size_t text = 0;
    for (uint32_t i = 0; i < schema->count; i = schema_end(schema, i)) {
        if (!column_is_leaf(&schema->columns[i]))
            continue;
        parquet_writer_bounds(file->writer, i, &bounds);
        text += bounds.bytes.has ? 2 * BOUND_BYTES_CAP : 0;
    }
    buf_reserve_exact(&file->stats_text, text);
    file->stats = account_alloc(e->account, schema->count, sizeof(*file->stats));
    file->stats_cap = schema->count;
    for (uint32_t i = 0; i < schema->count; i = schema_end(schema, i)) {
        if (!column_is_leaf(&schema->columns[i]))
            continue;
        parquet_writer_bounds(file->writer, i, &bounds);
        struct store_column_stats *stats = &file->stats[file->stats_count++];
        *stats = (struct store_column_stats){.column = i, .nulls = bounds.nulls};
        if (bounds.int64.has) {
            stats->bounded = true;
            stats->min = bounds.int64.min;
            stats->max = bounds.int64.max;
        } else if (bounds.bytes.has && bounds.bytes.has_max) {
            stats->bounded = true;
            stats->text_min = keep_text(file, bounds_min(&bounds.bytes));
            stats->text_max = keep_text(file, bounds_max(&bounds.bytes));
        }
    }
}

/* Keep the writer for the next file, or free it. */
static void recycle_writer(struct encoder *e, struct group_file *file)
{
    if (file->part->kind->path != NULL && e->spare == NULL &&
        parquet_writer_memory(file->writer) <= ENCODER_SPARE_BYTES) {
        parquet_writer_reset(file->writer);
        e->spare = file->writer;
        e->spare_schema = file->part->kind->schema;
    } else {
        parquet_writer_free(file->writer);
    }
    file->writer = NULL;
}

static void hash_file(struct group_file *file)
{
    struct sha256 sum;
    uint8_t hash[SHA256_BYTES];
    sha256_begin(&sum);
    for (size_t i = 0; i < group_file_piece_count(file); i++) {
        struct slice piece = group_file_piece(file, i);
        sha256_add(&sum, piece.data, piece.len);
    }
    sha256_end(&sum, hash);
    sha256_format(hash, file->sha256);
}

/* Complete the image. A small one is made where the others were, and copied to its group's arena
 * once its size is known: memory of its own for each would cost more than the file. */
static void finish_image(struct encoder *e, struct store_group *group, struct group_file *file)
{
    struct err err = {0};
    size_t most = (size_t)parquet_writer_buffered(file->writer) + IMAGE_REST;
    bool small =
        file->pieces.count == 0 && file->outside.memory == NULL && most <= ENCODER_IMAGE_BYTES;
    if (small) {
        file->image = e->image;
        file->whole = true;
    }
    if (e->whole_images)
        buf_reserve_exact(&file->image, most);
    ASSERT(parquet_writer_finish(file->writer, image_sink(e, file), &err) == 0);
    if (small) {
        e->image = file->image;
        file->image = (struct buf){.account = e->account};
        group_keep_image(group, file, buf_slice(&e->image));
        buf_reset(&e->image);
    }
    /* Most of an image is written at once, so half of its memory may be room for growth. */
    buf_shrink(&file->image);
}

static void finish_file(struct encoder *e, struct store_group *group, struct group_file *file)
{
    put_footer(e, file);
    finish_image(e, group, file);
    ASSERT(parquet_writer_rows(file->writer) == file->rows);
    if (file->part->kind->path != NULL)
        collect_stats(e, file);
    hash_file(file);
    recycle_writer(e, file);
}

/* Append rows to the part's file. One that has as much as the format takes is complete, and they
 * begin the next one of the same part. */
static struct group_file *append(struct encoder *e, const struct encode_job *job,
                                 const struct batch *rows)
{
    struct err err = {0};
    struct group_file *file = job->part->file;
    if (file != NULL && (job->next_file || parquet_writer_full(file->writer))) {
        finish_file(e, job->group, file);
        file = NULL;
    }
    if (file == NULL)
        file = begin_file(e, job->group, job->part);
    if (parquet_writer_append(file->writer, rows, image_sink(e, file), &err) == 0)
        return file;
    /* It did not take them after all, and is as it was. An empty one takes any batch. */
    ASSERT(err.code == ERR_LIMIT && file->rows > 0);
    finish_file(e, job->group, file);
    err = (struct err){0};
    file = begin_file(e, job->group, job->part);
    ASSERT(parquet_writer_append(file->writer, rows, image_sink(e, file), &err) == 0);
    return file;
}

/* Make the value what PLAIN wants. */
static void put_length(struct store_outside *o)
{
    size_t at = (size_t)(o->value.data - (const uint8_t *)o->memory);
    ASSERT(at >= STORE_OUTSIDE_ROOM && at + o->value.len <= o->size);
    uint8_t *plain = (uint8_t *)o->memory + at - STORE_OUTSIDE_ROOM;
    store_u32le(plain, (uint32_t)o->value.len);
    o->value = (struct slice){plain, o->value.len + STORE_OUTSIDE_ROOM};
}

/* One row with a value that is not copied: a file, while others of the part may be open. */
static void encode_outside(struct encoder *e, struct encode_job *job)
{
    struct err err = {0};
    struct group_file *open = job->part->file;
    struct group_file *file = begin_file(e, job->group, job->part);
    file->outside = job->outside;
    put_length(&file->outside);
    ASSERT(parquet_writer_append_outside(file->writer, job->batch, file->outside.column,
                                         file->outside.value, image_sink(e, file), &err) == 0);
    group_file_add(job->group, file, load_u64le(sequences_of(job->batch)));
    file->clock_suspect += job->clock_suspect;
    finish_file(e, job->group, file);
    batch_reset(job->batch);
    job->part->file = open;
}

static void encode(struct encoder *e, struct encode_job *job)
{
    struct err err = {0};
    struct batch *sorted = job->unsorted ? sort_rows(job->batch) : NULL;
    const struct batch *rows = sorted != NULL ? sorted : job->batch;
    struct group_file *file = append(e, job, rows);
    const uint8_t *sequences = sequences_of(rows);
    for (uint32_t row = 0; row < rows->rows; row++)
        group_file_add(job->group, file, load_u64le(sequences + (size_t)8 * row));
    file->clock_suspect += job->clock_suspect;
    batch_free(sorted);
    batch_reset(job->batch);
    uint64_t buffered = parquet_writer_buffered(file->writer);
    if (job->row_group_bytes > 0 && buffered >= job->row_group_bytes) {
        if (e->whole_images)
            buf_reserve_exact(&file->image, (size_t)buffered + IMAGE_REST);
        ASSERT(parquet_writer_flush(file->writer, image_sink(e, file), &err) == 0);
    }
}

/* Rows that were kept packed until now. */
static void encode_staged(struct encoder *e, const struct encode_job *staged)
{
    const struct schema *schema = staged->part->kind->schema;
    struct encode_job job = *staged;
    if (e->rows == NULL || e->rows->schema != schema) {
        batch_free(e->rows);
        e->rows = batch_new(schema, e->account);
    }
    group_unstage(job.group, job.part, &job.staged, e->rows);
    job.batch = e->rows;
    encode(e, &job);
}

/* The last ones of a part, after which its file is complete. */
static void finish_part(struct encoder *e, struct store_group *group, struct group_part *part)
{
    struct encode_job job = {.group = group,
                             .part = part,
                             .staged = part->staged,
                             .unsorted = part->unsorted,
                             .clock_suspect = part->clock_suspect};
    part->staged = (struct staged_rows){0};
    encode_staged(e, &job);
    finish_file(e, group, part->file);
}

/* Complete the files that take rows still. */
static void finish_group(struct encoder *e, struct store_group *group)
{
    for (size_t i = 0; i < group->parts.count; i++)
        if (group->parts.list[i]->staged.first != NULL)
            finish_part(e, group, group->parts.list[i]);
    arena_free(&group->staged);
    for (size_t i = 0; i < group->files.count; i++)
        if (group->files.list[i]->writer != NULL)
            finish_file(e, group, group->files.list[i]);
}

static void do_job(struct encoder *e, struct encode_job *job)
{
    int64_t start = clock_monotonic();
    if (job->outside.memory != NULL)
        encode_outside(e, job);
    else if (job->batch != NULL)
        encode(e, job);
    else if (job->part != NULL)
        encode_staged(e, job);
    else
        finish_group(e, job->group);
    e->busy_ns += clock_monotonic() - start;
    if (job->part != NULL)
        return;
    job->group->encode_ns = e->busy_ns;
    e->busy_ns = 0;
    queue_push(e->sealed, &job->group->item);
}

/* Not for each of the many small batches that an group may end with. */
static void tell(struct encoder *e, uint64_t bytes)
{
    e->returned_bytes += bytes;
    if (e->returned_bytes < ENCODER_WAKE_BYTES && !queue_is_empty(&e->jobs))
        return;
    e->returned_bytes = 0;
    waker_wake(e->waker);
}

static void do_and_return(struct encoder *e, struct queue_item *item)
{
    do_job(e, (struct encode_job *)item);
    queue_push(&e->returned, item);
}

static void *run(void *argument)
{
    struct encoder *e = argument;
    struct queue_item *item;
    while ((item = queue_take(&e->jobs)) != NULL) {
        uint64_t bytes = ((struct encode_job *)item)->batch_bytes;
        do_and_return(e, item);
        tell(e, bytes);
    }
    return NULL;
}

void encoder_init(struct encoder *e, const struct parquet_options *options, const char *instance,
                  struct account *account, struct queue *sealed, struct waker waker)
{
    *e = (struct encoder){.sealed = sealed,
                          .options = *options,
                          .instance = instance,
                          .account = account,
                          .waker = waker};
    queue_init(&e->jobs);
    queue_init(&e->returned);
    e->options.account = account;
    e->text.account = account;
    e->image.account = account;
    e->codec = parquet_codec_new(account);
}

int encoder_start(struct encoder *e, struct err *err)
{
    int result = pthread_create(&e->thread, NULL, run, e);
    if (result != 0)
        return err_set_system(err, result, "the encoder thread can't be started");
    e->threaded = true;
    return 0;
}

int64_t encoder_step(struct encoder *e, int64_t now)
{
    struct queue_item *item = queue_poll(&e->jobs);
    if (item != NULL)
        do_and_return(e, item);
    return queue_is_empty(&e->jobs) ? INT64_MAX : now;
}

void encoder_push(struct encoder *e, struct encode_job *job)
{
    queue_push(&e->jobs, &job->item);
}

void encoder_end(struct encoder *e)
{
    queue_close(&e->jobs);
    if (e->threaded)
        ASSERT(pthread_join(e->thread, NULL) == 0);
    while (encoder_step(e, 0) != INT64_MAX)
        continue;
    queue_close(e->sealed);
    parquet_writer_free(e->spare);
    batch_free(e->rows);
    parquet_codec_free(e->codec);
    buf_free(&e->text);
    buf_free(&e->image);
}

/* SPDX-License-Identifier: MIT */
#include "store/compact_merge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "base/text.h"
#include "base/version.h"
#include "batch/batch.h"
#include "delta/entry.h"
#include "parquet/write/statistics.h"
#include "parquet/write/writer.h"
#include "store/compact_read.h"
#include "store/path.h"

enum {
    /* Rows of a batch, in bytes, unless one row has more. */
    BATCH_BYTES = 4 * 1024 * 1024,
    /* Before compression: bounds what the writer holds. */
    ROW_GROUP_BYTES = 32 * 1024 * 1024,
};

struct merging {
    const struct compact_merge *m;
    struct compact_output *out;
    struct compact_readings readings;
    struct compact_reading *open[COMPACT_OVERLAP_MAX];
    uint32_t open_count;
    size_t next; /* input to be opened */
    struct batch *batch;
    struct parquet_writer *writer;
    struct sha256 sum;
    uint64_t expected; /* rows */
    uint64_t clock_suspect;
    struct buf keys[3]; /* footer entries that are the same in all files */
};

static const char *const kept_keys[] = {"varve.instance", "varve.consumer", "varve.path_template"};
enum { KEPT_KEYS = sizeof(kept_keys) / sizeof(kept_keys[0]) };

static int sink_write(void *context, const void *data, size_t len, struct err *err)
{
    struct merging *g = context;
    sha256_add(&g->sum, data, len);
    return object_write(g->out->staged, data, len, err);
}

static struct parquet_sink sink(struct merging *g)
{
    return (struct parquet_sink){.write = sink_write, .context = g};
}

/* An entry of the footer is carried over where all files have the same. */
static void note_keys(struct merging *g, const struct compact_reading *r, bool first)
{
    uint64_t suspect;
    struct slice value = parquet_file_value(&r->file, "varve.clock_suspect");
    if (value.data != NULL && num_parse_u64(value, &suspect))
        g->clock_suspect += suspect;
    for (size_t i = 0; i < KEPT_KEYS; i++) {
        value = parquet_file_value(&r->file, kept_keys[i]);
        if (first && value.data != NULL)
            buf_append_slice(&g->keys[i], value);
        else if (!first && (value.data == NULL || !slice_equal(value, buf_slice(&g->keys[i]))))
            buf_reset(&g->keys[i]);
    }
}

/* The plan tells files apart by what stands beside the sequences in their names, and a number
 * behind them keeps names apart: it could be a value of the template as well. */
static int check_template(const struct compact_reading *r, struct err *err)
{
    struct store_path path;
    struct slice text = parquet_file_value(&r->file, "varve.path_template");
    if (text.data == NULL)
        return 0; /* of a merged file whose parts had several */
    char *template = text_copy_slice(text);
    int result = store_path_parse(&path, template, err);
    free(template);
    if (result != 0)
        return -1; /* what is right has two tokens at least: a sequence and the ending */
    enum store_path_field last = path.tokens[path.count - 2].field;
    if (last != STORE_PATH_FIRST_SEQ && last != STORE_PATH_LAST_SEQ)
        return err_set(err, ERR_UNSUPPORTED, "its path_template does not end with a sequence");
    return 0;
}

/* A reading of the input at hand more. */
static struct compact_reading *add_reading(struct merging *g, struct err *err)
{
    if (g->open_count == COMPACT_OVERLAP_MAX) {
        (void)err_set(err, ERR_UNSUPPORTED,
                      "more than %d files overlap there, or its rows are as much out of order",
                      (int)COMPACT_OVERLAP_MAX);
        return NULL;
    }
    struct compact_reading *r = compact_reading_new(&g->readings, &g->m->inputs[g->next]);
    g->open[g->open_count++] = r;
    return compact_reading_open(&g->readings, r, err) == 0 ? r : NULL;
}

static int begin_run(struct merging *g, struct compact_reading *r, const struct compact_run *run,
                     struct err *err)
{
    bool more;
    return compact_reading_begin(r, run, err) != 0 ||
                   compact_reading_next(&g->readings, r, &more, err) != 0
               ? -1
               : 0;
}

static int open_runs(struct merging *g, struct compact_runs *runs, struct err *err)
{
    struct compact_reading *r = add_reading(g, err);
    if (r == NULL || check_template(r, err) != 0 ||
        compact_reading_find_runs(&g->readings, r, runs, err) != 0)
        return -1;
    note_keys(g, r, g->next == 0);
    g->expected += (uint64_t)r->file.metadata.num_rows;
    if (runs->count == 0) /* a file without rows */
        compact_reading_close(&g->readings, g->open[--g->open_count]);
    for (size_t i = 0; i < runs->count; i++) {
        if (i > 0 && (r = add_reading(g, err)) == NULL)
            return -1;
        if (begin_run(g, r, &runs->list[i], err) != 0)
            return -1;
    }
    return 0;
}

static int open_next(struct merging *g, struct err *err)
{
    struct compact_runs runs = {0};
    int result = open_runs(g, &runs, err);
    array_free(&runs);
    if (result != 0)
        return err_prefix(err, "%s", g->m->inputs[g->next].name);
    g->next++;
    return 0;
}

static int put_row(struct merging *g, const struct compact_reading *r, struct err *err)
{
    if (compact_put_row(g->batch, r, err) != 0)
        return -1;
    (void)seqset_add(&g->out->sequences, r->sequence);
    g->out->rows++;
    return 0;
}

static int flush(struct merging *g, struct err *err)
{
    if (atomic_load(g->m->stop))
        return err_set(err, ERR_REFUSED, "it is time to end");
    int result = parquet_writer_append(g->writer, g->batch, sink(g), err);
    batch_reset(g->batch);
    return result;
}

/* Of the open files the one whose row comes first, once all are open that may have an earlier one.
 */
static int find_first(struct merging *g, uint32_t *at, struct err *err)
{
    for (;;) {
        *at = 0;
        for (uint32_t i = 1; i < g->open_count; i++)
            if (g->open[i]->sequence < g->open[*at]->sequence)
                *at = i;
        if (g->next == g->m->count ||
            (g->open_count > 0 && g->m->inputs[g->next].first > g->open[*at]->sequence))
            return 0;
        if (open_next(g, err) != 0)
            return -1;
    }
}

/* No other row comes before the last one of the row group. */
static bool is_alone(const struct merging *g, uint32_t at)
{
    uint64_t end = g->open[at]->group_end;
    for (uint32_t i = 0; i < g->open_count; i++)
        if (i != at && g->open[i]->sequence <= end)
            return false;
    return g->next == g->m->count || g->m->inputs[g->next].first > end;
}

static int copy_group(struct merging *g, struct compact_reading *r, struct err *err)
{
    if (compact_reading_add_group(&g->readings, r, &g->out->sequences, err) != 0 ||
        flush(g, err) != 0 ||
        parquet_writer_copy(g->writer, &r->file, r->row_group - 1, sink(g), err) != 0)
        return -1;
    g->out->rows += r->group_left;
    return compact_reading_pass(r, err);
}

/* Take what comes next from the file that has it, and go on in it; *more: there is more. */
static int take_next(struct merging *g, struct compact_reading *r, bool alone, bool *more,
                     struct err *err)
{
    *more = true;
    if (r->at_group && !alone)
        return compact_reading_enter(&g->readings, r, err);
    if ((r->at_group ? copy_group(g, r, err) : put_row(g, r, err)) != 0)
        return -1;
    return compact_reading_next(&g->readings, r, more, err);
}

static int merge_rows(struct merging *g, struct err *err)
{
    uint32_t at;
    bool more;
    for (;;) {
        if (find_first(g, &at, err) != 0)
            return -1;
        if (g->open_count == 0)
            break;
        struct compact_reading *r = g->open[at];
        if (take_next(g, r, r->at_group && is_alone(g, at), &more, err) != 0)
            return err_prefix(err, "%s", r->input->name);
        bool full = g->batch->rows == BATCH_ROWS_MAX || g->batch->bytes >= BATCH_BYTES;
        if (full && flush(g, err) != 0)
            return -1;
        if (!more) {
            compact_reading_close(&g->readings, r);
            g->open[at] = g->open[--g->open_count];
        }
    }
    if (g->out->rows != g->expected || g->out->rows == 0)
        return err_set(err, ERR_FORMAT, "%" PRIu64 " of %" PRIu64 " rows were found", g->out->rows,
                       g->expected);
    return flush(g, err);
}

static void put_number(struct merging *g, const char *key, uint64_t value)
{
    struct buf text = {0};
    buf_append_decimal(&text, value);
    parquet_writer_metadata(g->writer, key, buf_slice(&text));
    buf_free(&text);
}

/* As the encoder writes it, so that the file can be understood without a log. */
static void put_footer(struct merging *g)
{
    const struct delta_map *tags = &g->m->inputs[0].file->tags;
    const struct seqset *rows = &g->out->sequences;
    struct buf text = {0};
    parquet_writer_metadata(g->writer, "varve.version", slice_of(varve_version));
    for (size_t i = 0; i < KEPT_KEYS; i++)
        if (g->keys[i].len > 0)
            parquet_writer_metadata(g->writer, kept_keys[i], buf_slice(&g->keys[i]));
    parquet_writer_metadata(g->writer, "varve.stream", delta_map_get(tags, "varve.stream"));
    parquet_writer_metadata(g->writer, "varve.stream_created",
                            delta_map_get(tags, "varve.created"));
    put_number(g, "varve.rows", g->out->rows);
    put_number(g, "varve.first_seq", rows->list[0].first);
    put_number(g, "varve.last_seq", rows->list[rows->count - 1].last);
    put_number(g, "varve.clock_suspect", g->clock_suspect);
    if (rows->count <= DELTA_ADD_RANGES_MAX) {
        seqset_write_text(&text, rows);
        parquet_writer_metadata(g->writer, "varve.sequences", buf_slice(&text));
    }
    buf_free(&text);
}

static struct slice keep_text(struct compact_output *out, struct slice text)
{
    size_t at = out->text.len; /* room for all of them was made before, so nothing moves */
    buf_append_slice(&out->text, text);
    return (struct slice){out->text.data + at, text.len};
}

static void collect_stats(struct merging *g)
{
    const struct schema *schema = g->m->schema;
    struct compact_output *out = g->out;
    struct parquet_bounds bounds;
    buf_reserve_exact(&out->text, (size_t)schema->count * 2 * BOUND_BYTES_CAP);
    out->stats = calloc(schema->count, sizeof(*out->stats));
    if (out->stats == NULL)
        out_of_memory(schema->count * sizeof(*out->stats));
    for (uint32_t i = 0; i < schema->count; i = schema_end(schema, i)) {
        if (!column_is_leaf(&schema->columns[i]))
            continue;
        struct store_column_stats *stats = &out->stats[out->stats_count++];
        parquet_writer_bounds(g->writer, i, &bounds);
        *stats = (struct store_column_stats){.column = i, .nulls = bounds.nulls};
        stats->bounded = bounds.int64.has || (bounds.bytes.has && bounds.bytes.has_max);
        if (bounds.int64.has) {
            stats->min = bounds.int64.min;
            stats->max = bounds.int64.max;
        } else if (stats->bounded) {
            stats->text_min = keep_text(out, bounds_min(&bounds.bytes));
            stats->text_max = keep_text(out, bounds_max(&bounds.bytes));
        }
    }
}

static struct object_store *store_of(const struct compact_merge *m)
{
    return m->into != NULL ? m->into : m->store;
}

static int finish(struct merging *g, struct err *err)
{
    uint8_t hash[SHA256_BYTES];
    put_footer(g);
    if (parquet_writer_finish(g->writer, sink(g), err) != 0)
        return -1;
    collect_stats(g);
    sha256_end(&g->sum, hash);
    sha256_format(hash, g->out->sha256);
    return object_finish(store_of(g->m), &g->out->staged, 1, err);
}

static struct parquet_options writer_options(const struct compact_merge *m)
{
    struct parquet_options options = parquet_options_default();
    options.compression_level = m->level;
    options.row_group_bytes = ROW_GROUP_BYTES;
    options.account = m->account;
    return options;
}

int compact_merge(const struct compact_merge *m, struct compact_output *out, struct err *err)
{
    const struct parquet_options options = writer_options(m);
    struct merging g = {.m = m, .out = out, .readings = {.merge = m}};
    ASSERT(m->schema->count <= SCHEMA_COLUMNS_MAX && m->count > 0);
    *out = (struct compact_output){.staged = object_stage(store_of(m), err)};
    if (out->staged == NULL)
        return -1;
    object_expect(out->staged, m->name);
    while (!m->schema->columns[g.readings.order].ordered)
        g.readings.order++;
    g.batch = batch_new(m->schema, m->account);
    g.writer = parquet_writer_new(m->schema, &options, m->codec);
    g.readings.writer = g.writer;
    sha256_begin(&g.sum);
    int result = merge_rows(&g, err);
    result = result == 0 ? finish(&g, err) : -1;
    while (g.open_count > 0)
        compact_reading_close(&g.readings, g.open[--g.open_count]);
    compact_readings_free(&g.readings);
    for (size_t i = 0; i < KEPT_KEYS; i++)
        buf_free(&g.keys[i]);
    parquet_writer_free(g.writer);
    batch_free(g.batch);
    if (result != 0) {
        object_abandon(out->staged);
        compact_output_free(out);
    }
    return result;
}

void compact_output_free(struct compact_output *out)
{
    seqset_free(&out->sequences);
    free(out->stats);
    buf_free(&out->text);
    *out = (struct compact_output){0};
}

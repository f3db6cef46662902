/* SPDX-License-Identifier: MIT */
#include "store/compact_merge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/num.h"
#include "base/text.h"
#include "base/version.h"
#include "batch/batch.h"
#include "delta/entry.h"
#include "parquet/read/file.h"
#include "parquet/read/rows.h"
#include "parquet/write/layout.h"
#include "parquet/write/statistics.h"
#include "parquet/write/writer.h"
#include "store/path.h"

enum {
    /* Files up to this are read at once: one look-up of the name instead of some twenty. */
    WHOLE_MAX = 2 * 1024 * 1024,
    /* Rows of a batch, in bytes, unless one row has more. */
    BATCH_BYTES = 4 * 1024 * 1024,
    /* Before compression: bounds what the writer holds. */
    ROW_GROUP_BYTES = 32 * 1024 * 1024,
};

/* Of an input while rows of it may come next. */
struct reading {
    const struct compact_input *input;
    struct object_store *store;
    struct buf bytes; /* all of a small file; else what was read last */
    bool whole;
    struct parquet_source source;
    struct parquet_file file;
    struct parquet_rows *rows;
    struct slice *values;
    uint32_t *slots; /* by column of the schema: which of the values; UINT32_MAX: not in the file */
    uint64_t sequence; /* of the row that is in `values` */
    uint64_t read;     /* rows */
};

struct merging {
    const struct compact_merge *m;
    struct compact_output *out;
    uint32_t order; /* number of the column with the sequences */
    struct reading *open[COMPACT_OVERLAP_MAX];
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

static int source_read(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    struct reading *r = context;
    bool found = true;
    if (!r->whole) {
        buf_reset(&r->bytes);
        if (object_get(r->store, r->input->name, offset, len, &r->bytes, &found, err) != 0)
            return -1;
    }
    size_t at = r->whole ? (size_t)offset : 0;
    if (!found || r->bytes.len - at < len)
        return err_set(err, ERR_FORMAT, "it ends early");
    memcpy(data, r->bytes.data + at, len);
    return 0;
}

/* Which leaf is which column. */
static int match_columns(struct reading *r, const struct compact_merge *m, struct err *err)
{
    const struct schema *schema = m->schema;
    uint32_t *leaves = calloc(schema->count, sizeof(*leaves));
    uint32_t count = 0;
    int result = 0;
    r->slots = calloc(schema->count, sizeof(*r->slots));
    r->values = calloc(schema->count, sizeof(*r->values));
    if (leaves == NULL || r->slots == NULL || r->values == NULL)
        out_of_memory(schema->count * sizeof(*r->values));
    for (uint32_t i = 0; i < schema->count && result == 0; i++) {
        const struct column_spec *spec = &schema->columns[i];
        int64_t leaf = parquet_file_leaf(&r->file, slice_of(spec->name));
        r->slots[i] = leaf < 0 ? UINT32_MAX : count;
        if (leaf >= 0 && r->file.leaves[leaf].type.type != layout_type(spec->type))
            result = err_set(err, ERR_UNSUPPORTED, "column %s is of another type", spec->name);
        else if (leaf < 0 && !spec->optional)
            result = err_set(err, ERR_UNSUPPORTED, "it has no column %s", spec->name);
        else if (leaf >= 0)
            leaves[count++] = (uint32_t)leaf;
    }
    if (result == 0 && count != r->file.leaves_count)
        result = err_set(err, ERR_UNSUPPORTED, "it has columns that this varve does not know");
    if (result == 0)
        r->rows = parquet_rows_new(&r->file, leaves, count, m->codec);
    free(leaves);
    return result;
}

static void close_reading(struct reading *r)
{
    parquet_rows_free(r->rows);
    parquet_file_close(&r->file);
    buf_free(&r->bytes);
    free(r->slots);
    free(r->values);
    free(r);
}

static int open_file(struct merging *g, struct reading *r, struct err *err)
{
    bool found = true;
    r->source = (struct parquet_source){source_read, r, r->input->file->size};
    r->whole = r->source.size <= WHOLE_MAX;
    r->bytes.account = g->m->account;
    if (r->whole &&
        object_get_all(r->store, r->input->name, WHOLE_MAX, &r->bytes, &found, err) != 0)
        return -1;
    if (!found || (r->whole && r->bytes.len != r->source.size))
        return err_set(err, ERR_FORMAT, "it is not there, or not as large as the log says");
    return parquet_file_open(&r->file, &r->source, err) != 0 || match_columns(r, g->m, err) != 0
               ? -1
               : 0;
}

/* The next row of a file; *more: there is one. */
static int next_row(struct merging *g, struct reading *r, bool *more, struct err *err)
{
    int got = parquet_rows_next(r->rows, r->values, err);
    *more = got == 1;
    if (got < 0)
        return err_prefix(err, "%s", r->input->name);
    if (got == 0)
        return r->read == (uint64_t)r->file.metadata.num_rows
                   ? 0
                   : err_set(err, ERR_FORMAT, "%s: it has not as many rows as it says",
                             r->input->name);
    struct slice sequence = r->values[r->slots[g->order]];
    if (sequence.data == NULL)
        return err_set(err, ERR_FORMAT, "%s: a row has no sequence", r->input->name);
    r->sequence = load_u64le(sequence.data);
    r->read++;
    return 0;
}

/* An entry of the footer is carried over where all files have the same. */
static void note_keys(struct merging *g, const struct reading *r, bool first)
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
static int check_template(const struct reading *r, struct err *err)
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

static int open_next(struct merging *g, struct err *err)
{
    const struct compact_input *input = &g->m->inputs[g->next];
    bool more;
    if (g->open_count == COMPACT_OVERLAP_MAX)
        return err_set(err, ERR_UNSUPPORTED, "%s: more than %d files overlap there", input->name,
                       (int)COMPACT_OVERLAP_MAX);
    struct reading *r = calloc(1, sizeof(*r));
    if (r == NULL)
        out_of_memory(sizeof(*r));
    r->input = input;
    r->store = g->m->store;
    g->open[g->open_count++] = r;
    if (open_file(g, r, err) != 0 || check_template(r, err) != 0)
        return err_prefix(err, "%s", input->name);
    note_keys(g, r, g->next == 0);
    g->expected += (uint64_t)r->file.metadata.num_rows;
    g->next++;
    if (next_row(g, r, &more, err) != 0)
        return -1;
    if (!more)
        close_reading(g->open[--g->open_count]);
    return 0;
}

static void put_value(struct batch *b, uint32_t column, enum column_type type, struct slice value)
{
    uint32_t bits = type == COLUMN_INT32 || type == COLUMN_FLOAT ? load_u32le(value.data) : 0;
    uint64_t wide = type == COLUMN_INT64 || type == COLUMN_DOUBLE ? load_u64le(value.data) : 0;
    float real;
    double twice;
    switch (type) {
    case COLUMN_INT64:
        batch_put_int64(b, column, (int64_t)wide);
        break;
    case COLUMN_INT32:
        batch_put_int32(b, column, (int32_t)bits);
        break;
    case COLUMN_FLOAT:
        memcpy(&real, &bits, sizeof(real));
        batch_put_float(b, column, real);
        break;
    case COLUMN_DOUBLE:
        memcpy(&twice, &wide, sizeof(twice));
        batch_put_double(b, column, twice);
        break;
    case COLUMN_BOOLEAN:
        batch_put_boolean(b, column, value.data[0] != 0);
        break;
    case COLUMN_BYTES:
    case COLUMN_STRUCT:
    case COLUMN_LIST:
    case COLUMN_MAP:
        batch_put_bytes(b, column, value);
        break;
    }
}

static int put_row(struct merging *g, const struct reading *r, struct err *err)
{
    const struct schema *schema = g->m->schema;
    for (uint32_t i = 0; i < schema->count; i++) {
        struct slice value = r->slots[i] == UINT32_MAX ? (struct slice){0} : r->values[r->slots[i]];
        if (value.data != NULL)
            put_value(g->batch, i, schema->columns[i].type, value);
        else if (schema->columns[i].optional)
            batch_put_null(g->batch, i);
        else
            return err_set(err, ERR_FORMAT, "%s: a row has no %s", r->input->name,
                           schema->columns[i].name);
    }
    batch_end_row(g->batch);
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

static int merge_rows(struct merging *g, struct err *err)
{
    uint32_t at;
    bool more;
    for (;;) {
        if (find_first(g, &at, err) != 0)
            return -1;
        if (g->open_count == 0)
            break;
        if (put_row(g, g->open[at], err) != 0)
            return -1;
        bool full = g->batch->rows == BATCH_ROWS_MAX || g->batch->bytes >= BATCH_BYTES;
        if ((full && flush(g, err) != 0) || next_row(g, g->open[at], &more, err) != 0)
            return -1;
        if (!more) {
            close_reading(g->open[at]);
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
    out->stats_count = schema->count;
    out->stats = calloc(schema->count, sizeof(*out->stats));
    if (out->stats == NULL)
        out_of_memory(schema->count * sizeof(*out->stats));
    for (uint32_t i = 0; i < schema->count; i++) {
        struct store_column_stats *stats = &out->stats[i];
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

static int finish(struct merging *g, struct err *err)
{
    uint8_t hash[SHA256_BYTES];
    put_footer(g);
    if (parquet_writer_finish(g->writer, sink(g), err) != 0)
        return -1;
    collect_stats(g);
    sha256_end(&g->sum, hash);
    sha256_format(hash, g->out->sha256);
    return object_finish(g->m->store, &g->out->staged, 1, err);
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
    struct merging g = {.m = m, .out = out};
    ASSERT(schema_is_flat(m->schema) && m->count > 0);
    *out = (struct compact_output){.staged = object_stage(m->store, err)};
    if (out->staged == NULL)
        return -1;
    while (!m->schema->columns[g.order].ordered)
        g.order++;
    g.batch = batch_new(m->schema, m->account);
    g.writer = parquet_writer_new(m->schema, &options, m->codec);
    sha256_begin(&g.sum);
    int result = merge_rows(&g, err);
    result = result == 0 ? finish(&g, err) : -1;
    while (g.open_count > 0)
        close_reading(g.open[--g.open_count]);
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

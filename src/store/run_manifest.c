/* SPDX-License-Identifier: MIT */
#include "store/run_manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "delta/object_file.h"
#include "parquet/read/rows.h"
#include "store/known.h"

/* Where the statistics do not exclude it. */
static bool may_have(const struct json *low, const struct json *high, const char *column,
                     const char *text)
{
    struct slice bound, value = slice_of(text);
    return (!json_get_text(low, column, &bound) || slice_compare(bound, value) <= 0) &&
           (!json_get_text(high, column, &bound) || slice_compare(bound, value) >= 0);
}

bool run_of_file(const struct runs_options *o, struct arena *arena, struct slice stats,
                 struct run_brief *brief)
{
    struct err ignored = {0}; /* statistics that are no JSON are none */
    struct slice last, time;
    if (stats.data == NULL)
        return false;
    const struct json *root = json_parse(arena, stats, &ignored);
    const struct json *low = json_member(root, "minValues"), *high = json_member(root, "maxValues");
    brief->may_end = o->end_kind != NULL && may_have(low, high, o->kind, o->end_kind);
    return json_get_text(low, o->run, &brief->run) && json_get_text(high, o->run, &last) &&
           slice_equal(brief->run, last) && json_get_text(high, o->arrival, &time) &&
           time_parse(time, &brief->came);
}

static int find_kind(const struct runs_options *o, const struct parquet_file *file, bool *found,
                     struct err *err)
{
    struct slice value;
    int64_t leaf = parquet_file_leaf(file, slice_of(o->kind));
    if (leaf < 0)
        return err_set(err, ERR_FORMAT, "it has no column %s", o->kind);
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_rows *reader = parquet_rows_new(file, &(uint32_t){(uint32_t)leaf}, 1, codec);
    int got = 1;
    while (!*found && (got = parquet_rows_next(reader, &value, err)) == 1)
        *found = slice_equal(value, slice_of(o->end_kind));
    parquet_rows_free(reader);
    parquet_codec_free(codec);
    return got < 0 ? -1 : 0;
}

int run_file_ends(const struct runs_options *o, struct object_store *store, const char *name,
                  bool *ends, struct err *err)
{
    struct delta_object_file object;
    bool found;
    *ends = false;
    if (delta_object_file_open(&object, store, name, &found, err) != 0)
        return err_prefix(err, "%s", name);
    if (!found)
        return err_set(err, ERR_FORMAT, "%s is in the log, but missing", name);
    int result = find_kind(o, &object.file, ends, err);
    delta_object_file_close(&object);
    return result == 0 ? 0 : err_prefix(err, "%s", name);
}

uint64_t run_manifest_content(const struct delta_file *file)
{
    struct sha256 hash;
    uint8_t digest[SHA256_BYTES];
    uint64_t content = 0;
    sha256_begin(&hash);
    sha256_add(&hash, file->path.data, file->path.len);
    sha256_add(&hash, &(uint8_t){0}, 1);
    for (int i = 0; i < 8; i++) {
        uint8_t byte = (uint8_t)(file->size >> (8 * i));
        sha256_add(&hash, &byte, 1);
    }
    sha256_end(&hash, digest);
    for (int i = 0; i < 8; i++)
        content = content << 8 | digest[i];
    return content;
}

struct collecting {
    struct run_manifest *m;
    const struct runs_options *options;
    struct object_store *store;
    struct delta_snapshot table;
    struct parquet_codec *codec;
};

static enum delta_keep keep_run(void *context, const struct delta_add *add, struct delta_mark *mark)
{
    const struct collecting *c = context;
    struct arena arena = {0};
    struct run_brief brief;
    bool ours =
        run_of_file(c->options, &arena, add->stats, &brief) && slice_equal(brief.run, c->m->run);
    mark->value = ours ? brief.came : 0;
    arena_free(&arena);
    return ours ? DELTA_KEEP_ALL : DELTA_KEEP_NOTHING;
}

int run_file_kinds(const struct parquet_file *file, const char *kind, struct parquet_codec *codec,
                   struct run_manifest *m, uint64_t *rows, struct err *err)
{
    int64_t leaf = parquet_file_leaf(file, slice_of(kind));
    struct slice value;
    int result;
    if (leaf < 0)
        return err_set(err, ERR_FORMAT, "it has no column %s", kind);
    const uint32_t number = (uint32_t)leaf;
    struct parquet_rows *reader = parquet_rows_new(file, &number, 1, codec);
    while ((result = parquet_rows_next(reader, &value, err)) == 1) {
        bool added;
        uint32_t at = map_put(&m->kinds, value, &added);
        if (added)
            *array_add(&m->kind_rows) = 0;
        m->kind_rows.list[at]++;
        (*rows)++;
    }
    parquet_rows_free(reader);
    return result;
}

static struct run_stream *stream_of(struct run_manifest *m, const struct delta_generation *g)
{
    for (size_t i = 0; i < m->streams.count; i++) {
        struct run_stream *s = &m->streams.list[i];
        if (strcmp(s->stream, g->stream) == 0 && strcmp(s->created, g->created) == 0)
            return s;
    }
    struct run_stream *added = array_add(&m->streams);
    *added = (struct run_stream){.stream = text_copy(g->stream), .created = text_copy(g->created)};
    return added;
}

/* Of which stream its rows are, nobody may be able to tell; the run is one for all that. */
static int add_sequences(struct collecting *c, const struct delta_file *file, struct err *err)
{
    const struct delta_generation *g = store_generation_of(&c->table, file);
    struct slice text = delta_map_get(&file->tags, "varve.sequences");
    if (g == NULL)
        return 0;
    struct run_stream *s = stream_of(c->m, g);
    struct seqset set = {0};
    int result = 0;
    if (text.data == NULL || !seqset_parse_text(&set, text))
        result = store_scan_file(&set, c->store, c->options->schema, file, g, err);
    seqjoin_add_all(&s->late, &s->sequences, &set);
    seqset_free(&set);
    return result;
}

static void add_span(struct run_manifest *m, const struct runs_options *o, struct slice stats)
{
    struct arena arena = {0};
    struct err ignored = {0};
    int64_t first, last;
    const struct json *root = json_parse(&arena, stats, &ignored);
    if (json_get_i64(json_member(root, "minValues"), o->time, &first) &&
        json_get_i64(json_member(root, "maxValues"), o->time, &last)) {
        m->first = m->has_span && m->first < first ? m->first : first;
        m->last = m->has_span && m->last > last ? m->last : last;
        m->has_span = true;
    }
    arena_free(&arena);
}

static int add_object(struct collecting *c, const struct delta_file *file, struct run_file *out,
                      struct err *err)
{
    struct delta_object_file object;
    struct slice hash = delta_map_get(&file->tags, "varve.sha256");
    bool found;
    int result = delta_object_file_open(&object, c->store, out->path, &found, err);
    if (result != 0)
        return -1;
    if (!found)
        return err_set(err, ERR_FORMAT, "it is in the log, but missing");
    result = run_file_kinds(&object.file, c->options->kind, c->codec, c->m, &out->rows, err);
    delta_object_file_close(&object);
    if (sha256_is_text(hash))
        memcpy(out->sha256, hash.data, hash.len);
    else if (result == 0)
        result = object_hash(c->store, out->path, out->sha256, &found, err);
    return result;
}

static int add_file(struct collecting *c, const struct delta_file *file, struct err *err)
{
    struct buf name = {0};
    struct run_file *added = array_add(&c->m->files);
    *added = (struct run_file){.bytes = file->size};
    int result = delta_object_name(&name, file->path, err);
    added->path = text_copy_slice(buf_slice(&name));
    if (result == 0)
        result = add_object(c, file, added, err);
    if (result == 0)
        result = add_sequences(c, file, err);
    add_span(c->m, c->options, file->stats);
    c->m->content += run_manifest_content(file);
    c->m->rows += added->rows;
    c->m->bytes += file->size;
    if (result != 0)
        (void)err_prefix(err, "%s", added->path);
    buf_free(&name);
    return result;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct run_file *)a)->path, ((const struct run_file *)b)->path);
}

/* Sequences between the first and the last one that nobody has, or had. */
static void find_gaps(struct collecting *c, struct run_stream *s)
{
    const struct delta_generation *g = delta_snapshot_generation(&c->table, s->stream, s->created);
    if (s->sequences.count == 0 || g == NULL)
        return;
    uint64_t last = s->sequences.list[s->sequences.count - 1].last;
    uint64_t at = seqset_contiguous_end(&g->rows, s->sequences.list[0].first);
    while (at < last) {
        const struct seqrange *next = seqset_find(&g->rows, at + 1);
        if (next == NULL || next->first > last)
            return;
        seqset_add_range(&s->gaps, at + 1, next->first - 1);
        at = next->last;
    }
}

int run_manifest_collect(struct run_manifest *m, struct object_store *store,
                         const struct runs_options *options, struct err *err)
{
    struct collecting c = {.m = m, .options = options, .store = store};
    c.table = (struct delta_snapshot){
        .want_files = true, .want_varve = true, .keep = keep_run, .keep_context = &c};
    c.codec = parquet_codec_new(NULL);
    int result = delta_snapshot_load(&c.table, store, err);
    for (size_t i = 0; i < c.table.files.count && result == 0; i++)
        if (c.table.files.list[i] != NULL)
            result = add_file(&c, c.table.files.list[i], err);
    if (m->files.count > 0)
        qsort(m->files.list, m->files.count, sizeof(*m->files.list), by_path);
    for (size_t i = 0; i < m->streams.count; i++) {
        seqjoin_finish(&m->streams.list[i].late, &m->streams.list[i].sequences);
        find_gaps(&c, &m->streams.list[i]);
    }
    parquet_codec_free(c.codec);
    delta_snapshot_free(&c.table);
    return result;
}

bool run_manifest_has_more(const struct run_manifest *m, const struct run_manifest *former)
{
    for (size_t i = 0; i < m->streams.count; i++) {
        const struct run_stream *s = &m->streams.list[i];
        struct seqset fresh = {0}, old = {0};
        for (size_t k = 0; k < former->streams.count; k++)
            if (strcmp(former->streams.list[k].stream, s->stream) == 0 &&
                strcmp(former->streams.list[k].created, s->created) == 0)
                seqset_add_all(&old, &former->streams.list[k].sequences);
        seqset_add_new(&fresh, &s->sequences, &old, 0);
        bool more = fresh.count > 0;
        seqset_free(&fresh);
        seqset_free(&old);
        if (more)
            return true;
    }
    return false;
}

void run_manifest_free(struct run_manifest *m)
{
    for (size_t i = 0; i < m->files.count; i++)
        free(m->files.list[i].path);
    for (size_t i = 0; i < m->streams.count; i++) {
        free(m->streams.list[i].stream);
        free(m->streams.list[i].created);
        seqset_free(&m->streams.list[i].sequences);
        seqjoin_free(&m->streams.list[i].late);
        seqset_free(&m->streams.list[i].gaps);
    }
    array_free(&m->files);
    array_free(&m->streams);
    array_free(&m->kind_rows);
    map_free(&m->kinds);
}

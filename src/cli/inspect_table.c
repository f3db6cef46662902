/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/num.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/inspect.h"
#include "delta/durable.h"
#include "delta/object_file.h"
#include "delta/position.h"
#include "delta/snapshot.h"
#include "object/open.h"
#include "store/runs.h"
#include "verify/tree.h"

enum { RUNS_SHOWN = 20 }; /* to people */
/* Below this, opening a file costs readers more than its rows. */
#define SMALL_BYTES (UINT64_C(16) * 1024 * 1024)

enum { DEPTH_MAX = 63 };

struct run {
    char *id, *closed;
    uint64_t edition, rows, bytes, files;
};

/* What a log says of its table, and what lies beside that. */
struct summary {
    struct object_store *store;
    struct delta_snapshot snapshot;
    struct delta_listing log; /* all that is left of it */
    uint64_t files, small, bytes;
    uint64_t rows, uncounted; /* files that do not say how many rows they have */
    bool has_span;
    int64_t oldest, newest; /* timestamp_ns of the rows */
    struct map simulations; /* of files that have one only */
    uint64_t mixed;         /* files that have several, or do not say */
    uint64_t depths;        /* bit n: there are files below n directories, DEPTH_MAX for more */
    struct map types;       /* of events, that are known from the bounds of files */
    uint64_t types_mixed;   /* files that may have others, too */
    ARRAY(struct run) runs; /* that were closed */
    uint64_t dead_files, dead_bytes;   /* files of rows that the table does not have, or not yet */
    uint64_t quarantines;              /* files of messages that are no rows */
    struct map instances;              /* by name */
    ARRAY(struct positions) positions; /* of each */
};

static void free_summary(struct summary *s)
{
    for (size_t i = 0; i < s->positions.count; i++)
        positions_free(&s->positions.list[i]);
    array_free(&s->positions);
    map_free(&s->instances);
    for (size_t i = 0; i < s->runs.count; i++) {
        free(s->runs.list[i].id);
        free(s->runs.list[i].closed);
    }
    array_free(&s->runs);
    map_free(&s->types);
    map_free(&s->simulations);
    delta_snapshot_free(&s->snapshot);
    delta_listing_free(&s->log);
    object_store_close(s->store);
}

static void add_span(struct summary *s, int64_t oldest, int64_t newest)
{
    s->oldest = !s->has_span || oldest < s->oldest ? oldest : s->oldest;
    s->newest = !s->has_span || newest > s->newest ? newest : s->newest;
    s->has_span = true;
}

static unsigned depth_of(struct slice path)
{
    unsigned depth = 0;
    for (size_t i = 0; i < path.len && depth < DEPTH_MAX; i++)
        depth += path.data[i] == '/';
    return depth;
}

static void add_file(struct summary *s, const struct delta_file *file)
{
    struct arena arena = {0};
    struct err ignored = {0}; /* statistics that are no JSON are none */
    const struct json *stats = NULL;
    uint64_t rows;
    int64_t oldest, newest;
    struct slice first, last;
    bool added;
    s->files++;
    s->bytes += file->size;
    s->small += file->size < SMALL_BYTES;
    s->depths |= UINT64_C(1) << depth_of(file->path);
    if (file->stats.data != NULL)
        stats = json_parse(&arena, file->stats, &ignored);
    if (json_get_u64(stats, "numRecords", &rows))
        s->rows += rows;
    else
        s->uncounted++;
    const struct json *low = json_member(stats, "minValues");
    const struct json *high = json_member(stats, "maxValues");
    if (json_get_i64(low, "timestamp_ns", &oldest) && json_get_i64(high, "timestamp_ns", &newest))
        add_span(s, oldest, newest);
    if (json_get_text(low, "simulation_id", &first) &&
        json_get_text(high, "simulation_id", &last) && slice_equal(first, last))
        (void)map_put(&s->simulations, first, &added);
    else
        s->mixed++;
    bool typed = json_get_text(low, "event_type_key", &first) &&
                 json_get_text(high, "event_type_key", &last);
    s->types_mixed += !typed || !slice_equal(first, last);
    if (typed) {
        (void)map_put(&s->types, first, &added);
        (void)map_put(&s->types, last, &added);
    }
    arena_free(&arena);
}

/* What lies in the directory and is no row of the table. */
static int add_dead(struct summary *s, const char *path, struct err *err)
{
    struct file_list list = {0};
    struct buf uri = {0};
    int result = file_list_read(&list, path, err);
    for (size_t i = 0; i < list.count && result == 0; i++) {
        struct object_info info;
        bool found;
        const char *name = list.list[i].relative;
        s->quarantines += list.list[i].quarantine;
        buf_reset(&uri);
        delta_path_encode(&uri, slice_of(name));
        if (list.list[i].quarantine || delta_snapshot_file(&s->snapshot, buf_slice(&uri)) != NULL)
            continue;
        result = object_head(s->store, name, &info, &found, err);
        s->dead_files += result == 0 && found;
        s->dead_bytes += result == 0 && found ? info.size : 0;
    }
    buf_free(&uri);
    file_list_free(&list);
    return result;
}

static int add_instance(struct summary *s, struct slice name, struct err *err)
{
    bool added, complete, saved, forgotten;
    (void)map_put(&s->instances, name, &added);
    if (!added)
        return 0;
    struct positions *positions = array_add(&s->positions);
    *positions = (struct positions){0};
    char *text = text_copy_slice(name);
    int result = delta_durable_read(positions, &s->snapshot, s->store, text, &complete, &saved,
                                    &forgotten, NULL, err);
    free(text);
    return result;
}

static int add_instances(struct summary *s, struct err *err)
{
    int result = 0;
    for (size_t i = 0; i < s->snapshot.instances.count && result == 0; i++)
        result = add_instance(s, slice_of(s->snapshot.instances.list[i].name), err);
    for (uint32_t i = 0; i < s->snapshot.app_ids.count && result == 0; i++) {
        struct delta_app_name name;
        if (!delta_app_id_parse(&name, map_key(&s->snapshot.app_ids, i)))
            continue;
        result = add_instance(s, slice_of(name.instance), err);
        delta_app_name_free(&name);
    }
    return result;
}

static void add_run(void *context, const struct runs_entry *entry)
{
    struct summary *s = context;
    *array_add(&s->runs) = (struct run){.id = text_copy_slice(entry->run),
                                        .closed = text_copy_slice(entry->closed),
                                        .edition = entry->edition,
                                        .rows = entry->rows,
                                        .bytes = entry->bytes,
                                        .files = entry->files};
}

static int read_summary(struct summary *s, const char *path, struct err *err)
{
    struct object_config config = {.root = path, .entries = DELTA_LOG_FOLDER};
    s->snapshot = (struct delta_snapshot){.want_files = true, .want_varve = true};
    s->store = object_open(&config, err);
    if (s->store == NULL || delta_snapshot_load(&s->snapshot, s->store, err) != 0 ||
        delta_log_list(s->store, 0, &s->log, err) != 0)
        return -1;
    if (!s->snapshot.found)
        return err_set(err, ERR_FORMAT, "its log is empty");
    if (delta_object_names_check(&s->snapshot, err) != 0)
        return -1;
    for (size_t i = 0; i < s->snapshot.files.count; i++)
        if (s->snapshot.files.list[i] != NULL)
            add_file(s, s->snapshot.files.list[i]);
    if (runs_list(s->store, add_run, s, err) != 0 || add_dead(s, path, err) != 0)
        return -1;
    return add_instances(s, err);
}

/* The pattern of the files below so many directories, for readers of plain files. It has no `**`,
 * which would also match the checkpoints of the log. */
static void append_glob(struct buf *out, const char *path, unsigned depth)
{
    buf_append_text(out, path);
    for (unsigned i = 0; i < depth; i++)
        buf_append_text(out, i == 0 ? "/[!_]*" : "/*");
    buf_append_text(out, "/*.parquet");
}

struct page { /* rows of a name and a text */
    struct table table;
    struct buf text; /* of the next row */
};

/* Without a text there is no row. */
static void end_row(struct page *page, const char *name)
{
    if (page->text.len == 0)
        return;
    table_text(&page->table, name);
    table_cell(&page->table, buf_slice(&page->text));
    table_end_row(&page->table);
    buf_reset(&page->text);
}

static void print_files(struct page *page, const struct summary *s)
{
    struct buf *out = &page->text;
    char bytes[NUM_SIZE_TEXT_MAX], dead[NUM_SIZE_TEXT_MAX], small[NUM_SIZE_TEXT_MAX];
    num_format_size(s->bytes, bytes);
    num_format_size(s->dead_bytes, dead);
    num_format_size(SMALL_BYTES, small);
    buf_printf(out, "%" PRIu64 " with %s, %" PRIu64 " of them (%" PRIu64 " %%) below %s", s->files,
               bytes, s->small, s->files > 0 ? s->small * 100 / s->files : 0, small);
    end_row(page, "files");
    buf_printf(out, "%" PRIu64, s->rows);
    if (s->uncounted > 0)
        buf_printf(out, ", and those of %" PRIu64 " files that do not say", s->uncounted);
    end_row(page, "rows");
    if (s->has_span) {
        char oldest[TIME_TEXT_MAX], newest[TIME_TEXT_MAX];
        time_format(s->oldest, 3, oldest);
        time_format(s->newest, 3, newest);
        buf_printf(out, "%s to %s", oldest, newest);
    }
    end_row(page, "span");
    buf_printf(out, "%" PRIu32 "%s", s->simulations.count,
               s->mixed > 0 ? ", and those of files that have several" : "");
    end_row(page, "simulations");
    for (uint32_t i = 0; i < s->types.count; i++) {
        struct slice type = map_key(&s->types, i);
        buf_printf(out, "%s%.*s", i == 0 ? "" : ", ", (int)type.len, (const char *)type.data);
    }
    if (s->types.count > 0 && s->types_mixed > 0)
        buf_append_text(out, ", and perhaps others");
    end_row(page, "event types");
    if (s->dead_files > 0)
        buf_printf(out, "%" PRIu64 " files with %s: replaced, or not committed", s->dead_files,
                   dead);
    end_row(page, "not in the table");
    if (s->quarantines > 0)
        buf_printf(out, "files of messages that are no rows: %" PRIu64, s->quarantines);
    end_row(page, "quarantine");
}

static void print_positions(struct page *page, const struct summary *s)
{
    struct buf *out = &page->text;
    for (uint32_t i = 0; i < s->instances.count; i++) {
        struct slice name = map_key(&s->instances, i);
        const struct positions *all = &s->positions.list[i];
        for (size_t k = 0; k < all->count; k++) {
            const struct position *p = &all->list[k];
            buf_printf(out, "%.*s: stream %s of %s, consumer %s: %" PRIu64, (int)name.len,
                       (const char *)name.data, p->stream, p->created, p->consumer, p->through);
            if (p->above.count > 0)
                buf_printf(out, ", and %zu ranges above it", p->above.count);
            end_row(page, "position");
        }
    }
}

static void print_globs(struct page *page, const char *path, const struct summary *s)
{
    for (unsigned depth = 0; depth <= DEPTH_MAX; depth++) {
        if ((s->depths >> depth & 1) == 0)
            continue;
        append_glob(&page->text, path, depth);
        end_row(page, "glob");
    }
}

/* The newest ones are what one looks for. */
static void print_runs(struct page *page, const struct summary *s)
{
    size_t shown = s->runs.count < RUNS_SHOWN ? s->runs.count : RUNS_SHOWN;
    for (size_t i = s->runs.count - shown; i < s->runs.count; i++) {
        const struct run *run = &s->runs.list[i];
        char bytes[NUM_SIZE_TEXT_MAX];
        num_format_size(run->bytes, bytes);
        buf_printf(&page->text,
                   "%s: closed %s, %" PRIu64 " rows, %" PRIu64 " files with %s, edition %" PRIu64,
                   run->id, run->closed, run->rows, run->files, bytes, run->edition);
        end_row(page, "run");
    }
    if (shown < s->runs.count)
        buf_printf(&page->text, "%zu more; --json has all", s->runs.count - shown);
    end_row(page, "runs");
}

static int by_closing(const void *a, const void *b)
{
    return strcmp(((const struct run *)a)->closed, ((const struct run *)b)->closed);
}

static void print_summary(const char *path, const struct summary *s)
{
    struct page whole = {0};
    struct page *page = &whole;
    struct buf *out = &page->text;
    const struct delta_snapshot *snapshot = &s->snapshot;
    buf_printf(out, "%" PRIu64 " (Delta reader %" PRId64 ", writer %" PRId64 ")", snapshot->version,
               snapshot->protocol.reader, snapshot->protocol.writer);
    end_row(page, "version");
    buf_printf(out, "%zu entries", s->log.entries.count);
    end_row(page, "log");
    if (s->log.checkpoint.found)
        buf_printf(out, "of version %" PRIu64, s->log.checkpoint.version);
    end_row(page, "checkpoint");
    print_files(page, s);
    print_globs(page, path, s);
    print_runs(page, s);
    print_positions(page, s);
    printf("%s\n", path);
    table_print(&page->table, 2, stdout);
    buf_free(out);
}

static void put_runs(struct json_writer *w, const struct summary *s)
{
    json_open_array(w, "runs");
    for (size_t i = 0; i < s->runs.count; i++) {
        const struct run *run = &s->runs.list[i];
        json_open_object(w, NULL);
        json_put_text(w, "simulation_id", run->id);
        json_put_u64(w, "edition", run->edition);
        json_put_text(w, "closed", run->closed);
        json_put_u64(w, "rows", run->rows);
        json_put_u64(w, "files", run->files);
        json_put_u64(w, "bytes", run->bytes);
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_positions(struct json_writer *w, const struct summary *s)
{
    json_open_array(w, "instances");
    for (uint32_t i = 0; i < s->instances.count; i++) {
        json_open_object(w, NULL);
        json_put_slice(w, "name", map_key(&s->instances, i));
        delta_positions_put(w, "positions", &s->positions.list[i], NULL);
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_globs(struct json_writer *w, const char *path, const struct summary *s)
{
    struct buf glob = {0};
    json_open_array(w, "globs");
    for (unsigned depth = 0; depth <= DEPTH_MAX; depth++) {
        if ((s->depths >> depth & 1) == 0)
            continue;
        buf_reset(&glob);
        append_glob(&glob, path, depth);
        json_put_slice(w, NULL, buf_slice(&glob));
    }
    json_close_array(w);
    buf_free(&glob);
}

static void put_summary(struct buf *out, const char *path, const struct summary *s)
{
    struct json_writer w = {.out = out};
    json_open_object(&w, NULL);
    json_put_text(&w, "path", path);
    json_put_u64(&w, "version", s->snapshot.version);
    json_put_i64(&w, "reader", s->snapshot.protocol.reader);
    json_put_i64(&w, "writer", s->snapshot.protocol.writer);
    json_put_u64(&w, "entries", s->log.entries.count);
    if (s->log.checkpoint.found)
        json_put_u64(&w, "checkpoint", s->log.checkpoint.version);
    json_put_u64(&w, "files", s->files);
    json_put_u64(&w, "small_files", s->small);
    json_put_u64(&w, "bytes", s->bytes);
    json_put_u64(&w, "rows", s->rows);
    json_put_u64(&w, "files_without_count", s->uncounted);
    if (s->has_span) {
        json_put_i64(&w, "oldest_timestamp_ns", s->oldest);
        json_put_i64(&w, "newest_timestamp_ns", s->newest);
    }
    json_open_array(&w, "simulations");
    for (uint32_t i = 0; i < s->simulations.count; i++)
        json_put_slice(&w, NULL, map_key(&s->simulations, i));
    json_close_array(&w);
    json_put_u64(&w, "files_of_several_simulations", s->mixed);
    put_globs(&w, path, s);
    json_open_array(&w, "event_types");
    for (uint32_t i = 0; i < s->types.count; i++)
        json_put_slice(&w, NULL, map_key(&s->types, i));
    json_close_array(&w);
    json_put_u64(&w, "files_of_several_event_types", s->types_mixed);
    put_runs(&w, s);
    json_put_u64(&w, "dead_files", s->dead_files);
    json_put_u64(&w, "dead_bytes", s->dead_bytes);
    json_put_u64(&w, "quarantine_files", s->quarantines);
    put_positions(&w, s);
    json_close_object(&w);
    buf_append_byte(out, '\n');
}

int inspect_table(const char *path, bool json, struct err *err)
{
    struct summary s = {0};
    struct buf text = {0};
    int result = read_summary(&s, path, err);
    if (s.runs.count > 0)
        qsort(s.runs.list, s.runs.count, sizeof(*s.runs.list), by_closing);
    if (result != 0) {
        (void)err_prefix(err, "%s", path);
    } else if (json) {
        put_summary(&text, path, &s);
        (void)fwrite(text.data, 1, text.len, stdout); /* looked at in the end */
    } else {
        print_summary(path, &s);
    }
    buf_free(&text);
    free_summary(&s);
    return result;
}

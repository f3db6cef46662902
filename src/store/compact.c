/* SPDX-License-Identifier: MIT */
#include "store/compact.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "delta/entry.h"
#include "delta/log.h"
#include "delta/schema.h"
#include "delta/table.h"
#include "store/compact_plan.h"
#include "store/compact_replaced.h"

struct compacting {
    struct object_store *store;
    const struct compact_options *options;
    const atomic_bool *stop;
    struct compact_plan plan;
    struct arena names;   /* of the columns, where */
    struct schema by_log; /* these are what the log says */
    const struct schema *schema;
    struct compact_folder *folder; /* being swapped */
    struct compact_done *out;
};

static uint64_t live_files(const struct delta_snapshot *table)
{
    uint64_t live = 0;
    for (size_t i = 0; i < table->files.count; i++)
        live += table->files.list[i] != NULL;
    return live;
}

static int merge_folder(struct compacting *c, struct compact_folder *f, struct parquet_codec *codec,
                        struct err *err)
{
    for (size_t i = 0; i < f->bins.count; i++) {
        struct compact_bin *bin = &f->bins.list[i];
        struct compact_merge merge = {.store = c->store,
                                      .schema = c->schema,
                                      .level = c->options->level,
                                      .account = c->options->account,
                                      .codec = codec,
                                      .stop = c->stop,
                                      .inputs = bin->inputs,
                                      .count = bin->count,
                                      .name = bin->name};
        if (compact_merge(&merge, &bin->out, err) != 0)
            return -1;
    }
    return 0;
}

/* What was prepared of a folder is not used. */
static void drop_folder(struct compact_folder *f)
{
    for (size_t i = 0; i < f->bins.count; i++) {
        object_abandon(f->bins.list[i].out.staged);
        compact_output_free(&f->bins.list[i].out);
        free(f->bins.list[i].name);
    }
    f->bins.count = 0;
}

static void report_alone(const struct compact_folder *f, const char *why, compact_report *report,
                         void *context)
{
    if (report != NULL)
        report(context, &(struct compact_folder_report){.folder = f->folder, .why = why});
}

/* A folder whose files can't be merged is left alone; what is wrong with the disk ends it all. */
static int prepare(struct compacting *c, compact_report *report, void *context, struct err *err)
{
    struct parquet_codec *codec = parquet_codec_new(c->options->account);
    size_t prepared = 0;
    int result = 0;
    for (size_t i = 0; i < c->plan.folders.count && result == 0; i++) {
        struct compact_folder *f = c->plan.folders.list[i];
        struct err failure = {0};
        if (f->bins.count == 0)
            continue;
        if (prepared >= COMPACT_PREPARED_MAX) {
            c->out->more = true;
            drop_folder(f);
        } else if (merge_folder(c, f, codec, &failure) == 0) {
            prepared += f->bins.count;
        } else if (failure.code == ERR_FORMAT || failure.code == ERR_UNSUPPORTED) {
            drop_folder(f);
            c->out->left_alone++;
            report_alone(f, failure.text, report, context);
        } else {
            *err = failure;
            result = -1;
        }
    }
    parquet_codec_free(codec);
    return result;
}

/* Nobody moves anything now: are the files still those of the table? */
static int entry_name(void *context, bool taken, struct buf *out, struct err *err)
{
    struct compacting *c = context;
    struct delta_snapshot *table = &c->plan.table;
    int64_t writer = table->protocol.writer;
    struct err unfit = {0};
    bool gap;
    (void)taken; /* the log says so, too */
    if (delta_snapshot_update(table, c->store, NULL, NULL, &gap, err) != 0)
        return -1;
    if (gap || table->protocol.writer != writer ||
        delta_table_check_state(&table->protocol, &table->metadata, &unfit) != 0)
        return err_set(err, ERR_REFUSED, "the table was changed by another engine");
    for (size_t i = 0; i < c->folder->bins.count; i++) {
        const struct compact_bin *bin = &c->folder->bins.list[i];
        for (size_t k = 0; k < bin->count; k++) {
            /* A file that was removed is freed; its path is ours. One that is there again, without
             * some of its rows, may be where the other was. */
            const struct delta_file *file =
                delta_snapshot_file(table, slice_of(bin->inputs[k].path));
            if (file == NULL || file != bin->inputs[k].file || file->vector != 0)
                return err_set(err, ERR_REFUSED, "%s is not in the table any more",
                               bin->inputs[k].name);
        }
    }
    delta_entry_name(out, table->version + 1);
    return 0;
}

/* The texts are the caller's to free. */
static struct delta_commit_file commit_file(const struct compact_bin *bin, const char *name)
{
    const struct delta_map *tags = &bin->inputs[0].file->tags;
    return (struct delta_commit_file){
        .id = object_staged_id(bin->out.staged),
        .path = name,
        .stream = text_copy_slice(delta_map_get(tags, "varve.stream")),
        .created = text_copy_slice(delta_map_get(tags, "varve.created")),
        .sha256 = bin->out.sha256,
        .sequences = &bin->out.sequences,
        .rows = bin->out.rows,
        .size = object_staged_size(bin->out.staged),
        .columns = bin->out.stats,
        .column_count = bin->out.stats_count,
    };
}

static int entry_text(void *context, const char *const *names, struct buf *out, struct err *err)
{
    struct compacting *c = context;
    const struct compact_folder *f = c->folder;
    size_t removed = 0;
    (void)err; /* nothing can fail here */
    for (size_t i = 0; i < f->bins.count; i++)
        removed += f->bins.list[i].count;
    const struct delta_file **old = calloc(removed + 1, sizeof(struct delta_file *));
    struct delta_commit_file *files = calloc(f->bins.count + 1, sizeof(*files));
    if (old == NULL || files == NULL)
        out_of_memory(removed * sizeof(*files));
    removed = 0;
    for (size_t i = 0; i < f->bins.count; i++) {
        const struct compact_bin *bin = &f->bins.list[i];
        for (size_t k = 0; k < bin->count; k++)
            old[removed++] = bin->inputs[k].file;
        files[i] = commit_file(bin, names[i]);
    }
    struct buf engine = {0};
    buf_printf(&engine, "varve/%s", c->options->version);
    struct delta_rewrite rewrite = {.engine = buf_text(&engine),
                                    .schema = c->schema,
                                    .wall_time = clock_wall(),
                                    .removed = old,
                                    .removed_count = removed,
                                    .files = files,
                                    .file_count = f->bins.count};
    delta_rewrite_write(out, &rewrite);
    buf_free(&engine);
    for (size_t i = 0; i < f->bins.count; i++) {
        free((char *)files[i].stream);
        free((char *)files[i].created);
    }
    free(files);
    free(old);
    return 0;
}

/* Whether it has all columns that each table of this schema has. */
static bool has_all(const struct schema *table, const struct schema *schema)
{
    for (uint32_t i = 0; i < schema->count; i = schema_end(schema, i))
        if (!schema->columns[i].optional && schema_find(table, schema->columns[i].name) < 0)
            return false;
    return true;
}

static bool has_order(const struct schema *schema)
{
    for (uint32_t i = 0; i < schema->count; i = schema_end(schema, i))
        if (schema->columns[i].ordered)
            return true;
    return false;
}

/* A table with all columns of the schema is one of it, whatever else it has. */
static int find_schema(struct compacting *c, struct err *err)
{
    struct slice text = c->plan.table.metadata.schema_string;
    struct err none = {0};
    bool missing = false;
    c->schema = c->options->schema;
    if (!c->options->any_columns || !c->plan.table.found ||
        (delta_schema_check(text, c->schema, &missing, &none) == 0 && !missing))
        return 0;
    if (delta_schema_read(text, c->schema, &c->names, &c->by_log, err) != 0)
        return -1;
    if (has_all(&c->by_log, c->schema))
        return 0;
    c->schema = &c->by_log;
    return has_order(c->schema) ? 0 : err_set(err, ERR_UNSUPPORTED, "it is no table of varve");
}

static void count_swap(struct compacting *c)
{
    struct compact_done *out = c->out;
    out->swaps++;
    for (size_t i = 0; i < c->folder->bins.count; i++) {
        struct compact_bin *bin = &c->folder->bins.list[i];
        out->into++;
        out->from += bin->count;
        out->rows += bin->out.rows;
        out->after += object_staged_size(bin->out.staged);
        for (size_t k = 0; k < bin->count; k++)
            out->before += bin->inputs[k].file->size;
        object_staged_free(bin->out.staged);
        bin->out.staged = NULL;
    }
}

static int swap_folder(struct compacting *c, struct compact_folder *f, struct err *err)
{
    size_t count = 0;
    for (size_t i = 0; i < f->bins.count; i++)
        count += f->bins.list[i].count;
    const char **old = calloc(count + 1, sizeof(char *));
    struct object_member *members = calloc(f->bins.count + 1, sizeof(*members));
    if (old == NULL || members == NULL)
        out_of_memory(count * sizeof(*members));
    count = 0;
    for (size_t i = 0; i < f->bins.count; i++) {
        const struct compact_bin *bin = &f->bins.list[i];
        for (size_t k = 0; k < bin->count; k++)
            old[count++] = bin->inputs[k].name;
        members[i] = (struct object_member){.id = object_staged_id(bin->out.staged),
                                            .name = bin->name,
                                            .size = object_staged_size(bin->out.staged),
                                            .sha256 = bin->out.sha256};
    }
    c->folder = f;
    struct object_swap swap = {.folder = f->folder,
                               .old = old,
                               .old_count = count,
                               .keep = c->options->keep > 0,
                               .group = {members, f->bins.count, entry_text, entry_name, c}};
    int result = object_swap(c->store, &swap, err);
    free(old);
    free(members);
    return result;
}

/* What is replaced by swaps that keep it goes later. */
static int note_kept(struct compacting *c, int64_t now, struct err *err)
{
    struct replaced_list names = {0};
    for (size_t i = 0; i < c->plan.folders.count && c->options->keep > 0; i++) {
        const struct compact_folder *f = c->plan.folders.list[i];
        for (size_t k = 0; k < f->bins.count; k++)
            for (size_t n = 0; n < f->bins.list[k].count; n++)
                *array_add(&names) = text_copy(f->bins.list[k].inputs[n].name);
    }
    int result = names.count > 0 ? replaced_note(c->store, &names, now + c->options->keep, err) : 0;
    replaced_free(&names);
    return result;
}

/* All are prepared: now quickly. */
static int swap_all(struct compacting *c, compact_report *report, void *context, struct err *err)
{
    for (size_t i = 0; i < c->plan.folders.count; i++) {
        struct compact_folder *f = c->plan.folders.list[i];
        struct err failure = {0};
        if (f->bins.count == 0)
            continue;
        if (atomic_load(c->stop))
            return err_set(err, ERR_REFUSED, "it is time to end");
        if (swap_folder(c, f, &failure) == 0) {
            count_swap(c);
            continue;
        }
        if (failure.code != ERR_REFUSED) {
            *err = failure;
            return -1;
        }
        c->out->given_up++;
        report_alone(f, failure.text, report, context);
        drop_folder(f);
    }
    return 0;
}

int compact(struct object_store *store, const struct compact_options *options, int64_t now,
            const atomic_bool *stop, compact_report *report, void *context,
            struct compact_done *out, struct err *err)
{
    static const atomic_bool never;
    struct compacting c = {
        .store = store, .options = options, .stop = stop != NULL ? stop : &never, .out = out};
    *out = (struct compact_done){.live = COMPACT_UNKNOWN};
    int result = compact_plan_make(&c.plan, store, options, now, err);
    if (result == 0)
        result = find_schema(&c, err);
    if (result == 0)
        result = replaced_remove(store, &c.plan.table, now, &out->removed, err);
    for (size_t i = 0; i < c.plan.folders.count && result == 0; i++) {
        const struct compact_folder *f = c.plan.folders.list[i];
        if (f->why == NULL)
            continue;
        out->left_alone++;
        report_alone(f, f->why, report, context);
    }
    if (result == 0)
        result = prepare(&c, report, context, err);
    if (result == 0)
        result = note_kept(&c, now, err);
    if (result == 0)
        result = swap_all(&c, report, context, err);
    bool gap;
    struct err ignored = {0}; /* it is for a gauge */
    if (c.plan.table.found) {
        (void)!delta_snapshot_update(&c.plan.table, store, NULL, NULL, &gap, &ignored);
        out->live = live_files(&c.plan.table);
    }
    compact_plan_free(&c.plan);
    arena_free(&c.names);
    return result;
}

int compact_count(struct object_store *store, uint64_t *live, struct err *err)
{
    struct delta_snapshot table = {.want_files = true, .keep = delta_keep_brief};
    int result = delta_snapshot_load(&table, store, err);
    *live = live_files(&table);
    delta_snapshot_free(&table);
    return result;
}

int compact_look(struct object_store *store, const struct compact_options *options, int64_t now,
                 compact_report *report, void *context, struct err *err)
{
    struct compact_plan plan = {0};
    int result = compact_plan_make(&plan, store, options, now, err);
    for (size_t i = 0; i < plan.folders.count && result == 0; i++) {
        const struct compact_folder *f = plan.folders.list[i];
        struct compact_folder_report line = {.folder = f->folder, .why = f->why};
        line.into = (uint32_t)f->bins.count;
        for (size_t k = 0; k < f->bins.count; k++) {
            line.from += (uint32_t)f->bins.list[k].count;
            for (size_t n = 0; n < f->bins.list[k].count; n++)
                line.bytes += f->bins.list[k].inputs[n].file->size;
        }
        if (line.into > 0 || line.why != NULL)
            report(context, &line);
    }
    compact_plan_free(&plan);
    return result;
}

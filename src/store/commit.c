/* SPDX-License-Identifier: MIT */
#include "store/commit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "delta/log.h"
#include "delta/saved.h"
#include "store/known.h"
#include "store/path.h"
#include "store/recover.h"

enum {
    /* Of ranges above positions, as text. Up to this much the file of the instance is written with
     * each commit; a larger one only when as much was added in entries, so that what is written
     * stays in proportion to what is stored. */
    SAVE_BYTES = 64 * 1024,
    RANGE_BYTES = 16, /* about what a range takes */
};

static int entry_text(void *context, const char *const *names, struct buf *out, struct err *err)
{
    struct store *store = context;
    const struct store_epoch *epoch = store->epoch;
    size_t count = epoch->file_count;
    struct delta_commit_file *files = calloc(count + 1, sizeof(*files));
    (void)err; /* nothing can fail here */
    if (files == NULL)
        out_of_memory((count + 1) * sizeof(*files));
    for (size_t i = 0; i < count; i++) {
        const struct store_epoch_file *file = &epoch->files[i];
        files[i] = (struct delta_commit_file){
            .id = object_staged_id(file->file),
            .path = names[i],
            .stream = file->stream,
            .created = file->created,
            .sha256 = file->sha256,
            .sequences = file->sequences,
            .rows = file->rows,
            .size = object_staged_size(file->file),
            .beside = file->quarantine,
            .columns = file->columns,
            .column_count = file->column_count,
        };
    }
    struct delta_commit commit = {
        .instance = store->instance,
        .engine = store->engine,
        .schema = store->schema,
        .wall_time = clock_wall(),
        .positions = store->added.list,
        .rows_of = epoch->rows_of,
        .dead_letters = epoch->dead_letters,
        .position_count = store->added.count,
        .files = files,
        .file_count = count,
    };
    delta_commit_write(out, &commit);
    free(files);
    return 0;
}

int store_next_entry(void *context, bool taken, struct buf *out, struct err *err)
{
    struct store *store = context;
    store->conflicts += taken;
    if (store_refresh_table(store, err) != 0)
        return -1;
    if (store->epoch != NULL && store_check_others(store, store->epoch, err) != 0)
        return -1;
    delta_entry_name(out, store->table.version + 1);
    return 0;
}

void store_forget_commit(struct store *store)
{
    for (size_t i = 0; i < store->group.count; i++)
        free((char *)store->members[i].name);
    free(store->members);
    store->members = NULL;
    store->group = (struct object_group){0};
    store->epoch = NULL;
    positions_free(&store->added);
}

static void fill_member(struct object_member *member, const struct store_epoch_file *file)
{
    const struct seqset *set = file->sequences;
    struct buf name = {0};
    ASSERT(object_is_finished(file->file) && set->count > 0 && file->rows > 0);
    store_path_name(&name, slice_of(file->key), set->list[0].first, set->list[set->count - 1].last);
    member->id = object_staged_id(file->file);
    member->name = text_copy_slice(buf_slice(&name));
    member->size = object_staged_size(file->file);
    member->sha256 = file->sha256;
    buf_free(&name);
}

/* The position of an epoch as its entry says it: above `through` stands what the entry adds. */
static void add_position(struct store *store, const struct position *p)
{
    const struct position *known =
        positions_find(&store->current, p->stream, p->created, p->consumer);
    static const struct seqset nothing;
    struct position added = *p;
    added.above = (struct seqset){0};
    seqset_add_new(&added.above, &p->above, known == NULL ? &nothing : &known->above, p->through);
    positions_put(&store->added, &added);
    seqset_free(&added.above);
}

static void prepare(struct store *store, const struct store_epoch *epoch)
{
    store->members = calloc(epoch->file_count + 1, sizeof(*store->members));
    if (store->members == NULL)
        out_of_memory((epoch->file_count + 1) * sizeof(*store->members));
    for (size_t i = 0; i < epoch->file_count; i++)
        fill_member(&store->members[i], &epoch->files[i]);
    for (size_t i = 0; i < epoch->position_count; i++)
        add_position(store, &epoch->positions[i]);
    ASSERT(store->added.count == epoch->position_count); /* each generation once */
    store->epoch = epoch;
    store->group = (struct object_group){store->members, epoch->file_count, entry_text,
                                         store_next_entry, store};
}

static size_t count_ranges(const struct positions *positions)
{
    size_t count = 0;
    for (size_t i = 0; i < positions->count; i++)
        count += positions->list[i].above.count;
    return count;
}

int store_save(struct store *store, struct err *err)
{
    if (delta_saved_write(store->objects, store->instance, &store->table, &store->current,
                          buf_slice(&store->subjects), err) != 0)
        return -1;
    store->saved_version = store->table.version;
    store->saved_ranges = count_ranges(&store->current) > 0;
    store->unsaved_ranges = 0;
    return 0;
}

/*
 * What lies above the positions goes into the file of the instance, behind the entry: what the file
 * says is durable whenever a crash comes. Without gaps the transactions say it all, and now and
 * then is enough. That it can't be written harms nobody as long as the entries are there, so the
 * commit is none the worse for it.
 */
static void save_if_due(struct store *store, size_t added)
{
    struct err err = {0};
    size_t ranges = count_ranges(&store->current);
    store->unsaved_ranges += added;
    bool old = store->table.version - store->saved_version >= DELTA_SAVED_LAG;
    bool gaps = ranges > 0 || store->saved_ranges;
    bool cheap = ranges <= SAVE_BYTES / RANGE_BYTES || store->unsaved_ranges >= ranges;
    if ((old || gaps) && cheap && store_save(store, &err) != 0)
        log_message(LOG_WARNING, "positions_not_saved", "%s", err.text);
}

/* What is stored is known to the next start; unless there is too much to be known. */
static void note_rows(struct store *store, const struct store_epoch *epoch)
{
    for (size_t i = 0; epoch->rows_of != NULL && i < epoch->position_count; i++)
        delta_snapshot_add_rows(&store->table, slice_of(epoch->positions[i].stream),
                                slice_of(epoch->positions[i].created), &epoch->rows_of[i]);
    if (delta_snapshot_ranges(&store->table) > DELTA_SAVED_RANGES_MAX)
        delta_snapshot_forget(&store->table);
}

int store_commit(struct store *store, const struct store_epoch *epoch, struct err *err)
{
    if (store->epoch == NULL) {
        /* Before anything is written down that the next start would bring to its end. */
        if (store_refresh_table(store, err) != 0 || store_check_others(store, epoch, err) != 0)
            return -1;
        prepare(store, epoch);
    }
    ASSERT(store->epoch == epoch);
    if (object_commit(store->objects, &store->group, err) != 0)
        return -1;
    store->table.version++;
    store_note_newest(store);
    size_t added = count_ranges(&store->added);
    for (size_t i = 0; i < store->added.count; i++)
        positions_merge(&store->current, &store->added.list[i]);
    if (store->table.want_varve)
        note_rows(store, epoch);
    save_if_due(store, added);
    store_forget_commit(store);
    return 0;
}

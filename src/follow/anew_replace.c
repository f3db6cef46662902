/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/text.h"
#include "delta/checkpoint_make.h"
#include "delta/durable.h"
#include "delta/properties.h"
#include "delta/replace.h"
#include "delta/table.h"
#include "follow/anew_part.h"
#include "follow/typed.h"
#include "object/open.h"
#include "store/compact_replaced.h"

struct replacing {
    const struct follow_anew *anew;
    const struct follow_anew_table *begun;
    struct object_store *store, *beside;
    struct delta_snapshot table, fresh;
    struct anew_gone gone;      /* of `table` */
    struct map noted;           /* old files that are on the list of those that go */
    struct positions positions; /* that the follower has in `fresh`, */
    struct seqset *rows;        /* and of each the rows; borrowed from `fresh` */
};

/* All of it, since no checkpoint says which rows there are. */
static int load_fresh(struct replacing *r, struct err *err)
{
    bool complete = false, saved, forgotten;
    r->beside = anew_open(r->anew, r->begun->beside, err);
    if (r->beside == NULL || delta_snapshot_load(&r->fresh, r->beside, err) != 0)
        return -1;
    if (r->fresh.found &&
        (delta_durable_read(&r->positions, &r->fresh, r->beside, r->anew->follower, &complete,
                            &saved, &forgotten, NULL, err) != 0 ||
         delta_durable_add_history(&r->fresh, r->beside, err) != 0))
        return -1;
    if (!complete)
        return err_set(err, ERR_FORMAT, "%s: somebody has removed entries of its log",
                       r->begun->beside);
    r->rows = calloc(r->positions.count + 1, sizeof(*r->rows));
    if (r->rows == NULL)
        out_of_memory((r->positions.count + 1) * sizeof(*r->rows));
    for (size_t i = 0; i < r->positions.count; i++) {
        const struct position *p = &r->positions.list[i];
        const struct delta_generation *g =
            delta_snapshot_generation(&r->fresh, p->stream, p->created);
        if (g != NULL)
            r->rows[i] = g->rows;
    }
    return 0;
}

/* Until then old versions can be read: as long as the log remembers removed files, after which any
 * engine may remove them. */
static int64_t old_files_until(const struct replacing *r)
{
    int64_t now = clock_wall(), keep = delta_tombstone_retention(&r->table.metadata);
    if (keep > INT64_MAX / CLOCK_MILLISECOND)
        return INT64_MAX;
    keep *= CLOCK_MILLISECOND;
    keep = keep > r->anew->keep ? keep : r->anew->keep;
    return now > INT64_MAX - keep ? INT64_MAX : now + keep;
}

/* They are noted before the entry that removes them comes. */
static int note_old_files(struct replacing *r, struct err *err)
{
    struct replaced_list names = {0};
    struct buf name = {0};
    for (size_t i = 0; i < r->table.files.count; i++) {
        const struct delta_file *file = r->table.files.list[i];
        bool added = false;
        buf_reset(&name);
        if (file != NULL && delta_path_decode(&name, file->path) &&
            object_name_is_valid(buf_slice(&name)))
            (void)map_put(&r->noted, buf_slice(&name), &added);
        if (added)
            *array_add(&names) = text_copy_slice(buf_slice(&name));
    }
    int result = replaced_note(r->store, &names, old_files_until(r), err);
    replaced_free(&names);
    buf_free(&name);
    return result;
}

static int write_entry(const struct replacing *r, struct buf *out, struct err *err)
{
    const struct delta_replacement entry = {.instance = r->anew->follower,
                                            .engine = ANEW_ENGINE,
                                            .wall_time = clock_wall(),
                                            .positions = r->positions.list,
                                            .rows_of = r->rows,
                                            .position_count = r->positions.count,
                                            .old = &r->table,
                                            .fresh = &r->fresh,
                                            .folder = r->begun->folder};
    if (delta_replacement_write(out, &entry, DELTA_ENTRY_MAX))
        return 0;
    return err_set(err, ERR_LIMIT,
                   "one entry of the log would have to name more files than it can (%d MiB): "
                   "compact the table, or give the follower another target, and --forget it",
                   DELTA_ENTRY_MAX / (1024 * 1024));
}

/* The entry of step 3, unless another one has begun. What others have committed meanwhile is
 * replaced, too. */
static int commit(struct replacing *r, struct err *err)
{
    for (int attempt = 0; attempt < ANEW_ATTEMPTS; attempt++) {
        struct buf entry = {0};
        bool taken = false;
        delta_snapshot_free(&r->table);
        if (delta_snapshot_load(&r->table, r->store, err) != 0)
            return -1;
        const struct delta_app *begun = delta_snapshot_app(&r->table, slice_of(ANEW_APP));
        if (begun == NULL || begun->version != r->begun->number)
            return err_set(err, ERR_REFUSED, "another --restart of it has begun meanwhile");
        if (slice_equal(r->table.metadata.id, r->fresh.metadata.id))
            return 0; /* and its answer was lost */
        if (delta_table_check_state(&r->table.protocol, &r->table.metadata, err) != 0 ||
            note_old_files(r, err) != 0)
            return -1;
        uint64_t version = r->table.version + 1;
        int result = write_entry(r, &entry, err);
        if (result == 0)
            result = delta_entry_append(r->store, version, buf_slice(&entry), &taken, err);
        if (result == 0 && !taken)
            result = delta_snapshot_apply_entry(&r->table, version, buf_slice(&entry), err);
        buf_free(&entry);
        if (result != 0 || !taken)
            return result;
    }
    return err_set(err, ERR_REFUSED, "other writers came first each time");
}

/* Whoever opens the table next need not read the entry, which is a large one. It can do without. */
static void make_checkpoint(struct object_store *store)
{
    struct delta_checkpoint_made made;
    struct err ignored = {0};
    (void)!delta_checkpoint_make(store, 1, clock_wall(), NULL, &made, &ignored);
}

struct unused {
    const struct delta_snapshot *fresh;
    struct replaced_list names;
};

static bool note_unused(void *context, struct slice name)
{
    struct unused *u = context;
    struct buf path = {0};
    delta_path_encode(&path, name);
    if (!slice_starts_with(name, DELTA_LOG_FOLDER) &&
        delta_snapshot_file(u->fresh, buf_slice(&path)) == NULL)
        *array_add(&u->names) = text_copy_slice(name);
    buf_free(&path);
    return true;
}

/* What its compaction has kept for readers, of whom there were none. Later on compaction of the
 * table may be about to put something there. */
static int remove_unused(struct replacing *r, struct err *err)
{
    struct unused unused = {.fresh = &r->fresh};
    int result = object_list(r->beside, "", "", note_unused, &unused, err);
    for (size_t i = 0; i < unused.names.count && result == 0; i++)
        result = object_remove(r->beside, unused.names.list[i], err);
    replaced_free(&unused.names);
    return result;
}

static int replace(struct replacing *r, struct err *err)
{
    if (load_fresh(r, err) != 0 || remove_unused(r, err) != 0 ||
        (r->store = anew_open(r->anew, r->begun->root, err)) == NULL ||
        typed_record_announce(r->beside, r->store, r->fresh.metadata.id, err) != 0 ||
        commit(r, err) != 0)
        return -1;
    make_checkpoint(r->store);
    if (typed_record_settle(r->store, err) != 0)
        return -1;
    return anew_sweep(r->store, &r->table, &r->gone, r->begun->number + 1, err);
}

int anew_replace(const struct follow_anew *a, const struct follow_anew_table *begun,
                 struct err *err)
{
    struct replacing r = {.anew = a,
                          .begun = begun,
                          .table = {.want_files = true, .keep = delta_keep_brief},
                          .fresh = {.want_files = true, .want_varve = true}};
    r.table.gone = anew_note_gone;
    r.table.gone_context = &r.gone;
    int result = replace(&r, err);
    object_store_close(r.beside);
    object_store_close(r.store);
    positions_free(&r.positions);
    map_free(&r.noted);
    anew_gone_free(&r.gone);
    free(r.rows);
    delta_snapshot_free(&r.table);
    delta_snapshot_free(&r.fresh);
    return result;
}

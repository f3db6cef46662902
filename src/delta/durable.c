/* SPDX-License-Identifier: MIT */
#include "delta/durable.h"

#include <inttypes.h>
#include <stdlib.h>

#include "delta/position.h"
#include "delta/saved.h"

/* Apply the commitInfo of an entry alone: the rest is in the checkpoint. */
static int apply_head(struct delta_snapshot *heads, struct slice text, struct arena *arena,
                      struct err *err)
{
    struct delta_action action;
    struct slice line;
    int result = 0;
    if (delta_next_line(&text, &line) && line.len > 0) {
        arena_reset(arena);
        result = delta_action_parse(&action, arena, line, err);
        if (result == 0 && action.kind == DELTA_COMMIT_INFO)
            result = delta_snapshot_gather(heads, &action, err);
    }
    return result;
}

/* The entries from `first` to `last`, as far as they are there; *missing says that some are not. */
static int read_heads(struct delta_snapshot *heads, struct object_store *store, uint64_t first,
                      uint64_t last, bool *missing, struct err *err)
{
    struct delta_listing listing = {0};
    struct buf text = {0};
    struct arena arena = {0};
    uint64_t next = first;
    *missing = false;
    int result = delta_log_list(store, first, &listing, err);
    for (size_t i = 0; i < listing.entries.count && result == 0 && next <= last; i++) {
        uint64_t version = listing.entries.list[i];
        bool found = false;
        if (version > last)
            break;
        result = delta_entry_first_line(store, version, &text, &found, err);
        if (result == 0 && found && apply_head(heads, buf_slice(&text), &arena, err) != 0)
            result = err_prefix(err, "entry %" PRIu64 " of the log", version);
        *missing |= !found || version != next;
        next = version + 1;
    }
    *missing |= next <= last;
    delta_snapshot_complete(heads);
    delta_listing_free(&listing);
    arena_free(&arena);
    buf_free(&text);
    return result;
}

struct app_position {
    int64_t last_updated;
    struct position position; /* owns its texts */
};

static int by_time(const void *a, const void *b)
{
    const struct app_position *x = a;
    const struct app_position *y = b;
    return x->last_updated < y->last_updated ? -1 : x->last_updated > y->last_updated;
}

static void merge_apps(struct positions *out, const struct delta_snapshot *snapshot,
                       const char *instance)
{
    struct buf prefix = {0};
    ARRAY(struct app_position) found = {0};
    delta_app_prefix(&prefix, instance);
    for (uint32_t i = 0; i < snapshot->app_ids.count; i++) {
        struct slice id = map_key(&snapshot->app_ids, i);
        const struct delta_app *app = &snapshot->apps.list[i];
        struct delta_app_name name;
        if (!slice_starts_with(id, buf_text(&prefix)) || app->version < 0 ||
            !delta_app_id_parse(&name, id))
            continue;
        free(name.instance);
        *array_add(&found) = (struct app_position){
            .last_updated = app->last_updated,
            .position = {.stream = name.stream,
                         .consumer = name.consumer,
                         .created = name.created,
                         .through = (uint64_t)app->version},
        };
    }
    if (found.count > 0)
        qsort(found.list, found.count, sizeof(*found.list), by_time);
    for (size_t i = 0; i < found.count; i++) {
        positions_merge(out, &found.list[i].position);
        position_free(&found.list[i].position);
    }
    array_free(&found);
    buf_free(&prefix);
}

/* Of positions that are known by other ways. */
static void raise_by_apps(struct positions *out, const struct delta_snapshot *snapshot,
                          const char *instance)
{
    struct buf id = {0};
    for (size_t i = 0; i < out->count; i++) {
        buf_reset(&id);
        delta_app_id(&id, instance, &out->list[i]);
        const struct delta_app *app = delta_snapshot_app(snapshot, buf_slice(&id));
        if (app != NULL && app->version > 0)
            position_raise(&out->list[i], (uint64_t)app->version);
    }
    buf_free(&id);
}

static void merge_all(struct positions *out, const struct positions *from)
{
    for (size_t i = 0; i < from->count; i++)
        positions_merge(out, &from->list[i]);
}

static void merge_instance(struct positions *out, const struct delta_snapshot *snapshot,
                           const char *instance)
{
    const struct delta_instance *own = delta_snapshot_instance(snapshot, instance);
    if (own != NULL)
        merge_all(out, &own->positions);
}

int delta_durable_read(struct positions *out, const struct delta_snapshot *snapshot,
                       struct object_store *store, const char *instance, bool *complete,
                       bool *saved, bool *forgotten, struct buf *subjects, struct err *err)
{
    struct delta_saved file = {0};
    struct delta_snapshot heads = {.want_varve = true};
    bool missing = false;
    positions_free(out);
    int result = delta_saved_read(&file, store, instance, snapshot, err);
    uint64_t first = file.found ? file.version + 1 : 0;
    if (result == 0 && snapshot->has_base && !snapshot->anew && first <= snapshot->base)
        result = read_heads(&heads, store, first, snapshot->base, &missing, err);
    if (result == 0) {
        merge_apps(out, snapshot, instance);
        merge_all(out, &file.positions);
        merge_instance(out, &heads, instance);
        merge_instance(out, snapshot, instance);
        raise_by_apps(out, snapshot, instance);
        *complete = !missing && !(file.found && file.partial);
        *saved = !missing && snapshot->version - (file.found ? file.version : 0) < DELTA_SAVED_LAG;
        *forgotten = missing && out->count == 0;
        if (subjects != NULL)
            buf_append_slice(subjects, buf_slice(&file.subjects));
    }
    delta_snapshot_free(&heads);
    delta_saved_free(&file);
    return result;
}

int delta_durable_add_history(struct delta_snapshot *snapshot, struct object_store *store,
                              struct err *err)
{
    struct delta_snapshot heads = {.want_varve = true};
    bool missing;
    int result = 0;
    if (snapshot->has_base && !snapshot->anew)
        result = read_heads(&heads, store, 0, snapshot->base, &missing, err);
    for (size_t i = 0; i < heads.generation_list.count && result == 0; i++) {
        const struct delta_generation *g = &heads.generation_list.list[i];
        delta_snapshot_add_rows(snapshot, slice_of(g->stream), slice_of(g->created), &g->rows);
        delta_snapshot_add_dead_letters(snapshot, slice_of(g->stream), slice_of(g->created),
                                        &g->dead_letters);
    }
    for (size_t i = 0; i < heads.beside.count && result == 0; i++)
        *array_add(&snapshot->beside) = heads.beside.list[i]; /* with its texts */
    if (result == 0)
        heads.beside.count = 0;
    delta_snapshot_free(&heads);
    return result;
}

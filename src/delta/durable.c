/* SPDX-License-Identifier: MIT */
#include "delta/durable.h"

#include <inttypes.h>
#include <stdlib.h>

#include "delta/position.h"
#include "store/path.h"

struct saved {
    bool found;
    bool partial;     /* it does not have all ranges */
    uint64_t version; /* of the entry up to which it has all that this instance says */
    struct positions positions;
};

static void saved_name(struct buf *out, const char *instance)
{
    buf_append_text(out, DELTA_LOG_FOLDER "_varve/");
    store_path_escape(out, slice_of(instance));
    buf_append_text(out, ".json");
}

/* A file of another table, or of a later state of this one, is none: somebody has made the log
 * anew, or has gone back to an older one, and what the file calls durable is not there. */
static int parse_saved(struct saved *saved, struct slice text, const char *instance,
                       const struct delta_snapshot *snapshot, struct err *err)
{
    struct arena arena = {0};
    struct slice name, table;
    const struct json *root = json_parse(&arena, text, err);
    int result = root == NULL ? -1 : 0;
    if (result == 0 &&
        (!json_get_text(root, "instance", &name) || !slice_is(name, instance) ||
         !json_get_text(root, "table", &table) || !json_get_u64(root, "version", &saved->version) ||
         !json_get_bool(root, "partial", &saved->partial)))
        result = err_set(err, ERR_FORMAT, "it does not belong to instance %s", instance);
    if (result == 0 && slice_equal(table, snapshot->metadata.id) &&
        saved->version <= snapshot->version) {
        result = delta_positions_parse(&saved->positions, json_member(root, "positions"), err);
        saved->found = result == 0;
    }
    arena_free(&arena);
    return result;
}

static int read_saved(struct saved *saved, struct object_store *store, const char *instance,
                      const struct delta_snapshot *snapshot, struct err *err)
{
    struct buf name = {0};
    struct buf text = {0};
    bool found;
    saved_name(&name, instance);
    int result = object_get_all(store, buf_text(&name), DELTA_SAVED_BYTES_MAX, &text, &found, err);
    if (result == 0 && found && parse_saved(saved, buf_slice(&text), instance, snapshot, err) != 0)
        result = err_prefix(err, "%s", buf_text(&name));
    buf_free(&name);
    buf_free(&text);
    return result;
}

/* The positions with as many ranges as the file may have; *partial says that some are left out. */
static void bound_positions(struct positions *out, const struct positions *from, bool *partial)
{
    for (size_t i = 0; i < from->count; i++) {
        struct position p = from->list[i];
        if (p.above.count > DELTA_SAVED_RANGES_MAX) {
            p.above.count = DELTA_SAVED_RANGES_MAX;
            *partial = true;
        }
        positions_put(out, &p);
    }
}

int delta_durable_save(struct object_store *store, const char *instance, struct slice table,
                       uint64_t version, const struct positions *positions, struct err *err)
{
    struct buf name = {0};
    struct buf text = {0};
    struct json_writer w = {.out = &text};
    struct positions bounded = {0};
    bool partial = false;
    bound_positions(&bounded, positions, &partial);
    json_open_object(&w, NULL);
    json_put_text(&w, "instance", instance);
    json_put_slice(&w, "table", table);
    json_put_u64(&w, "version", version);
    json_put_bool(&w, "partial", partial);
    delta_positions_put(&w, "positions", &bounded, NULL);
    json_close_object(&w);
    buf_append_byte(&text, '\n');
    saved_name(&name, instance);
    int result = object_put(store, buf_text(&name), buf_slice(&text), err);
    positions_free(&bounded);
    buf_free(&name);
    buf_free(&text);
    return result;
}

/* Apply the commitInfo of an entry alone: the rest is in the checkpoint. */
static int apply_head(struct delta_snapshot *heads, struct slice text, struct err *err)
{
    struct arena arena = {0};
    struct delta_action action;
    struct slice line;
    int result = 0;
    if (delta_next_line(&text, &line) && line.len > 0) {
        result = delta_action_parse(&action, &arena, line, err);
        if (result == 0 && action.kind == DELTA_COMMIT_INFO)
            result = delta_snapshot_apply(heads, &action, err);
    }
    arena_free(&arena);
    return result;
}

/* The entries from `first` to `last`, as far as they are there; *missing says that some are not. */
static int read_heads(struct delta_snapshot *heads, struct object_store *store, uint64_t first,
                      uint64_t last, bool *missing, struct err *err)
{
    struct delta_listing listing = {0};
    struct buf text = {0};
    uint64_t next = first;
    int result = delta_log_list(store, first, &listing, err);
    for (size_t i = 0; i < listing.entries.count && result == 0 && next <= last; i++) {
        uint64_t version = listing.entries.list[i];
        bool found = false;
        if (version > last)
            break;
        buf_reset(&text);
        result = delta_entry_read(store, version, &text, &found, err);
        if (result == 0 && found && apply_head(heads, buf_slice(&text), err) != 0)
            result = err_prefix(err, "entry %" PRIu64 " of the log", version);
        *missing |= !found || version != next;
        next = version + 1;
    }
    *missing |= next <= last;
    delta_listing_free(&listing);
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
                       bool *saved, bool *forgotten, struct err *err)
{
    struct saved file = {0};
    struct delta_snapshot heads = {.want_varve = true};
    bool missing = false;
    positions_free(out);
    int result = read_saved(&file, store, instance, snapshot, err);
    uint64_t first = file.found ? file.version + 1 : 0;
    if (result == 0 && snapshot->has_base && first <= snapshot->base)
        result = read_heads(&heads, store, first, snapshot->base, &missing, err);
    if (result == 0) {
        merge_apps(out, snapshot, instance);
        merge_all(out, &file.positions);
        merge_instance(out, &heads, instance);
        merge_instance(out, snapshot, instance);
        raise_by_apps(out, snapshot, instance);
        *complete = !missing && !(file.found && file.partial);
        const struct delta_instance *own = delta_snapshot_instance(snapshot, instance);
        const struct delta_instance *old = delta_snapshot_instance(&heads, instance);
        *saved = own == NULL && old == NULL && !missing;
        *forgotten = missing && out->count == 0;
    }
    delta_snapshot_free(&heads);
    positions_free(&file.positions);
    return result;
}

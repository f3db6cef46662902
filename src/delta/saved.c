/* SPDX-License-Identifier: MIT */
#include "delta/saved.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "delta/position.h"

/* Of the two actions; of longer ones there is nothing, and a start reads all of the log. An escape
 * makes six bytes of one. */
enum { ACTIONS_MAX = DELTA_SAVED_BYTES_MAX / 8 };

static void saved_name(struct buf *out, const char *instance)
{
    buf_append_text(out, DELTA_LOG_FOLDER "_varve/");
    text_escape(out, slice_of(instance));
    buf_append_text(out, ".json");
}

int delta_saved_hash_entry(struct object_store *store, uint64_t version, char out[SHA256_TEXT_MAX],
                           bool *found, struct err *err)
{
    struct buf text = {0};
    int result = delta_entry_read(store, version, &text, found, err);
    if (result == 0 && *found)
        sha256_text(buf_slice(&text), out);
    buf_free(&text);
    return result;
}

/* The file as JSON; NULL without an error if there is none. The text is kept in `text`. */
static const struct json *load(struct arena *arena, struct buf *text, struct object_store *store,
                               const char *instance, struct err *err)
{
    struct buf name = {0};
    struct slice owner;
    const struct json *root = NULL;
    bool found;
    saved_name(&name, instance);
    if (object_get_all(store, buf_text(&name), DELTA_SAVED_BYTES_MAX, text, &found, err) == 0 &&
        found) {
        root = json_parse(arena, buf_slice(text), err);
        if (root != NULL &&
            (!json_get_text(root, "instance", &owner) || !slice_is(owner, instance))) {
            (void)err_set(err, ERR_FORMAT, "it does not belong to instance %s", instance);
            root = NULL;
        }
        if (root == NULL)
            (void)err_prefix(err,
                             "%s is damaged (without it, varve looks into the files of the table)",
                             buf_text(&name));
    }
    buf_free(&name);
    return root;
}

int delta_saved_history(const struct json *root, struct object_store *store, bool *there,
                        bool *same, struct err *err)
{
    char hash[SHA256_TEXT_MAX];
    struct slice entry;
    uint64_t version;
    *there = *same = false;
    if (!json_get_u64(root, "version", &version) || !json_get_text(root, "entry", &entry))
        return 0;
    if (delta_saved_hash_entry(store, version, hash, there, err) != 0)
        return -1;
    *same = !*there || slice_is(entry, hash);
    return 0;
}

int delta_saved_read(struct delta_saved *out, struct object_store *store, const char *instance,
                     const struct delta_snapshot *table, struct err *err)
{
    struct arena arena = {0};
    struct buf text = {0};
    struct slice id;
    bool there, same;
    const struct json *root = load(&arena, &text, store, instance, err);
    int result = err_is_set(err) ? -1 : 0;
    if (root != NULL)
        result = delta_saved_history(root, store, &there, &same, err);
    if (root != NULL && result == 0 && same && json_get_text(root, "table", &id) &&
        slice_equal(id, table->metadata.id) && json_get_u64(root, "version", &out->version) &&
        out->version <= table->version && json_get_bool(root, "partial", &out->partial)) {
        result = delta_positions_parse(&out->positions, json_member(root, "positions"), err);
        out->found = result == 0;
        if (json_get_text(root, "subjects", &id))
            buf_append_slice(&out->subjects, id);
    }
    arena_free(&arena);
    buf_free(&text);
    return result;
}

void delta_saved_free(struct delta_saved *saved)
{
    positions_free(&saved->positions);
    buf_free(&saved->subjects);
    *saved = (struct delta_saved){0};
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

/* What is stored of each generation, by whomever. */
static void put_known(struct json_writer *w, const struct delta_snapshot *table)
{
    json_open_array(w, "known");
    for (size_t i = 0; i < table->generation_list.count; i++) {
        const struct delta_generation *g = &table->generation_list.list[i];
        json_open_object(w, NULL);
        json_put_text(w, "stream", g->stream);
        json_put_text(w, "created", g->created);
        seqset_put_json(w, "rows", &g->rows);
        json_close_object(w);
    }
    json_close_array(w);
}

/* Two actions as text. As objects they would nest one level deeper here, and have their values
 * beside those of the file: one at the limit of what can be read would make the file unreadable. */
static void put_actions(struct json_writer *w, const struct delta_snapshot *table)
{
    json_put_slice(w, "protocol", buf_slice(&table->protocol_text));
    json_put_slice(w, "metaData", buf_slice(&table->metadata_text));
}

static bool is_short(const struct delta_snapshot *table)
{
    return table->protocol_text.len + table->metadata_text.len <= ACTIONS_MAX &&
           delta_snapshot_ranges(table) <= DELTA_SAVED_RANGES_MAX;
}

int delta_saved_write(struct object_store *store, const char *instance,
                      const struct delta_snapshot *table, const struct positions *positions,
                      struct slice subjects, struct err *err)
{
    struct buf name = {0};
    struct buf text = {0};
    struct json_writer w = {.out = &text};
    struct positions bounded = {0};
    char hash[SHA256_TEXT_MAX];
    bool partial = false, there;
    if (delta_saved_hash_entry(store, table->version, hash, &there, err) != 0)
        return -1;
    bound_positions(&bounded, positions, &partial);
    json_open_object(&w, NULL);
    json_put_text(&w, "instance", instance);
    json_put_slice(&w, "table", table->metadata.id);
    json_put_u64(&w, "version", table->version);
    json_put_text(&w, "entry", there ? hash : "");
    json_put_bool(&w, "partial", partial);
    delta_positions_put(&w, "positions", &bounded, NULL);
    if (subjects.len > 0)
        json_put_slice(&w, "subjects", subjects);
    if (table->want_varve && is_short(table)) {
        put_actions(&w, table);
        put_known(&w, table);
    }
    json_close_object(&w);
    buf_append_byte(&text, '\n');
    saved_name(&name, instance);
    int result = object_put(store, buf_text(&name), buf_slice(&text), err);
    positions_free(&bounded);
    buf_free(&name);
    buf_free(&text);
    return result;
}

/* Apply an action that put_actions has written, or an earlier version of varve as an object; false
 * if it is none. */
static bool apply_saved(struct delta_snapshot *out, const struct json *root, const char *name,
                        enum delta_kind kind)
{
    struct arena arena = {0};
    struct buf line = {0};
    struct delta_action action;
    struct err ignored = {0};
    const struct json *value = json_member(root, name);
    if (value != NULL && value->type == JSON_STRING)
        buf_append_slice(&line, value->text);
    else if (value != NULL)
        json_put_value(&(struct json_writer){.out = &line}, NULL, value);
    bool done = delta_action_parse(&action, &arena, buf_slice(&line), &ignored) == 0 &&
                action.kind == kind && delta_snapshot_apply(out, &action, &ignored) == 0;
    arena_free(&arena);
    buf_free(&line);
    return done;
}

static bool apply_known(struct delta_snapshot *out, const struct json *list)
{
    bool ok = list != NULL && list->type == JSON_ARRAY;
    for (const struct json *item = ok ? list->first : NULL; item != NULL && ok; item = item->next) {
        struct slice stream, created, rows;
        struct seqset set = {0};
        ok = json_get_text(item, "stream", &stream) && json_get_text(item, "created", &created) &&
             json_get_text(item, "rows", &rows) && seqset_parse_text(&set, rows);
        if (ok)
            delta_snapshot_add_rows(out, stream, created, &set);
        seqset_free(&set);
    }
    return ok;
}

int delta_saved_resume(struct delta_snapshot *out, struct object_store *store, const char *instance,
                       bool *resumed, struct err *err)
{
    struct arena arena = {0};
    struct buf text = {0};
    struct err ignored = {0}; /* a damaged file is reported where it is needed: delta_saved_read */
    bool there = false, same = false;
    const struct json *root = load(&arena, &text, store, instance, &ignored);
    int result = root == NULL ? 0 : delta_saved_history(root, store, &there, &same, err);
    *resumed = result == 0 && there && same && apply_saved(out, root, "protocol", DELTA_PROTOCOL) &&
               apply_saved(out, root, "metaData", DELTA_METADATA) &&
               apply_known(out, json_member(root, "known"));
    if (*resumed) {
        (void)json_get_u64(root, "version", &out->version);
        out->base = out->version;
        out->has_base = out->found = true;
    } else {
        delta_snapshot_free(out);
    }
    arena_free(&arena);
    buf_free(&text);
    return result;
}

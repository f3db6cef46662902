/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "delta/log.h"
#include "delta/snapshot.h"
#include "follow/typed.h"
#include "object/open.h"

#define TYPES_FOLDER DELTA_LOG_FOLDER "_varve/"
#define TYPES_FILE TYPES_FOLDER "payload.json"
#define TYPES_NEXT TYPES_FOLDER "payload.next.json" /* of the table whose id is its "table" */
#define TYPES_SETS TYPES_FOLDER "schemas/"
enum { TYPES_FILE_MAX = 64 * 1024, TYPES_SET_MAX = 64 * 1024 * 1024 };

/* Append what says how the table in `store` is decoded, if anything does: that it has been made
 * anew may not have come to its end. */
static int read_record(struct object_store *store, struct buf *out, bool *found, struct err *err)
{
    struct delta_snapshot table = {0};
    struct arena arena = {0};
    struct slice id;
    int result = object_get_all(store, TYPES_NEXT, TYPES_FILE_MAX, out, found, err);
    if (result == 0 && *found) {
        struct err ignored = {0}; /* what is damaged is of no table */
        result = delta_snapshot_load(&table, store, err);
        *found = result == 0 && table.found &&
                 json_get_text(json_parse(&arena, buf_slice(out), &ignored), "table", &id) &&
                 slice_equal(id, table.metadata.id);
    }
    if (result == 0 && !*found) {
        buf_reset(out);
        result = object_get_all(store, TYPES_FILE, TYPES_FILE_MAX, out, found, err);
    }
    delta_snapshot_free(&table);
    arena_free(&arena);
    return result;
}

int typed_table_message(const char *target, struct slice event_type, const char *follower,
                        struct buf *out, struct err *err)
{
    char *root = typed_table_root(target, event_type);
    struct arena arena = {0};
    struct buf name = {0}, text = {0};
    struct slice message;
    bool found = false;
    text_escape(&name, slice_of(follower)); /* as who writes to the table: one at a time */
    struct object_config config = {.root = root,
                                   .entries = DELTA_LOG_FOLDER,
                                   .writer = follower,
                                   .writer_name = buf_text(&name)};
    struct object_store *store = object_open(&config, err);
    int result = store == NULL ? -1 : read_record(store, &text, &found, err);
    if (result == 0 && found) {
        const struct json *json = json_parse(&arena, buf_slice(&text), err);
        if (json == NULL)
            result = err_prefix(err, "%s/" TYPES_FILE, root);
        else if (json_get_text(json, "message", &message))
            buf_append_slice(out, message);
    }
    object_store_close(store);
    arena_free(&arena);
    buf_free(&name);
    buf_free(&text);
    free(root);
    return result;
}

int typed_table_record(struct typed_table *t, struct err *err)
{
    struct buf name = {0}, text = {0}, old = {0};
    struct json_writer w = {.out = &text};
    bool found = false, taken;
    int result = 0;
    json_open_object(&w, NULL);
    json_put_text(&w, "format", t->payload->format);
    if (t->types[0] != '\0') {
        json_put_text(&w, "message", t->payload->message);
        json_put_text(&w, "types", t->types);
        buf_printf(&name, TYPES_SETS "%s%s", t->types,
                   strcmp(t->payload->format, "flatbuffers") == 0 ? ".bfbs" : ".desc");
        result = object_put_if_absent(t->store->objects, buf_text(&name), t->payload->definition,
                                      &taken, err);
    }
    json_close_object(&w);
    if (result == 0)
        result = object_get_all(t->store->objects, TYPES_FILE, TYPES_FILE_MAX, &old, &found, err);
    if (result == 0 && !slice_equal(buf_slice(&old), buf_slice(&text)))
        result = object_put(t->store->objects, TYPES_FILE, buf_slice(&text), err);
    buf_free(&name);
    buf_free(&text);
    buf_free(&old);
    return result;
}

struct sets {
    ARRAY(char *);
};

static bool note_set(void *context, struct slice name)
{
    *array_add((struct sets *)context) = text_copy_slice(name);
    return true;
}

/* They are called by their hashes. */
static int copy_sets(struct object_store *from, struct object_store *to, struct err *err)
{
    struct sets sets = {0};
    struct buf set = {0};
    bool found = false, taken;
    int result = object_list(from, TYPES_SETS, "", note_set, &sets, err);
    for (size_t i = 0; i < sets.count; i++) {
        buf_reset(&set);
        if (result == 0)
            result = object_get_all(from, sets.list[i], TYPES_SET_MAX, &set, &found, err);
        if (result == 0 && found)
            result = object_put_if_absent(to, sets.list[i], buf_slice(&set), &taken, err);
        free(sets.list[i]);
    }
    array_free(&sets);
    buf_free(&set);
    return result;
}

int typed_record_announce(struct object_store *from, struct object_store *to, struct slice table,
                          struct err *err)
{
    struct buf old = {0}, text = {0};
    struct json_writer w = {.out = &text};
    struct arena arena = {0};
    const struct json *json = NULL;
    bool found = false;
    int result = copy_sets(from, to, err);
    if (result == 0)
        result = object_get_all(from, TYPES_FILE, TYPES_FILE_MAX, &old, &found, err);
    if (result == 0 && found && (json = json_parse(&arena, buf_slice(&old), err)) == NULL)
        result = err_prefix(err, TYPES_FILE);
    json_open_object(&w, NULL);
    json_put_slice(&w, "table", table);
    for (const struct json *m = json != NULL ? json->first : NULL; m != NULL; m = m->next)
        if (m->type == JSON_STRING) {
            json_put_name(&w, m->key);
            json_put_value(&w, NULL, m);
        }
    json_close_object(&w);
    if (result == 0)
        result = object_put(to, TYPES_NEXT, buf_slice(&text), err);
    arena_free(&arena);
    buf_free(&old);
    buf_free(&text);
    return result;
}

int typed_record_settle(struct object_store *to, struct err *err)
{
    struct buf text = {0};
    bool found = false;
    int result = object_get_all(to, TYPES_NEXT, TYPES_FILE_MAX, &text, &found, err);
    if (result == 0 && found)
        result = object_put(to, TYPES_FILE, buf_slice(&text), err);
    if (result == 0 && found)
        result = object_remove(to, TYPES_NEXT, err);
    buf_free(&text);
    return result;
}

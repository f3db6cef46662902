/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "delta/log.h"
#include "follow/typed.h"
#include "object/open.h"

#define TYPES_FOLDER DELTA_LOG_FOLDER "_varve/"
#define TYPES_FILE TYPES_FOLDER "payload.json"
enum { TYPES_FILE_MAX = 64 * 1024 };

int typed_table_message(const char *target, struct slice event_type, const char *follower,
                        struct buf *out, struct err *err)
{
    char *root = typed_table_root(target, event_type);
    struct arena arena = {0};
    struct buf text = {0};
    struct slice message;
    bool found = false;
    struct object_config config = {
        .root = root, .entries = DELTA_LOG_FOLDER, .writer = follower, .writer_name = follower};
    struct object_store *store = object_open(&config, err);
    int result =
        store == NULL ? -1 : object_get_all(store, TYPES_FILE, TYPES_FILE_MAX, &text, &found, err);
    if (result == 0 && found) {
        const struct json *json = json_parse(&arena, buf_slice(&text), err);
        if (json == NULL)
            result = err_prefix(err, "%s/" TYPES_FILE, root);
        else if (json_get_text(json, "message", &message))
            buf_append_slice(out, message);
    }
    object_store_close(store);
    arena_free(&arena);
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
        buf_printf(&name, TYPES_FOLDER "schemas/%s%s", t->types,
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

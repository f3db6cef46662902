/* SPDX-License-Identifier: MIT */
#include "delta/expired.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "delta/action.h"
#include "delta/log.h"
#include "delta/saved.h"

static const char file_name[] = DELTA_LOG_FOLDER "_varve/%expired.json";

static bool is_text(const struct json *object, const char *name, struct slice *out)
{
    return json_get_text(object, name, out) &&
           (out->len == 0 || memchr(out->data, '\0', out->len) == NULL);
}

static struct seqset *rows_of(struct delta_expired *e, struct slice stream, struct slice created)
{
    for (size_t i = 0; i < e->rows.count; i++) {
        struct delta_expired_rows *known = &e->rows.list[i];
        if (slice_is(stream, known->stream) && slice_is(created, known->created))
            return &known->rows;
    }
    struct delta_expired_rows *added = array_add(&e->rows);
    *added = (struct delta_expired_rows){.stream = text_copy_slice(stream),
                                         .created = text_copy_slice(created)};
    return &added->rows;
}

static bool parse_rows(struct delta_expired *e, const struct json *list)
{
    bool ok = list != NULL && list->type == JSON_ARRAY;
    for (const struct json *item = ok ? list->first : NULL; item != NULL && ok; item = item->next) {
        struct slice stream, created, rows;
        ok = is_text(item, "stream", &stream) && is_text(item, "created", &created) &&
             json_get_text(item, "rows", &rows) &&
             seqset_parse_text(rows_of(e, stream, created), rows);
    }
    return ok;
}

static bool parse_files(struct delta_expired *e, const struct json *list)
{
    bool ok = list != NULL && list->type == JSON_ARRAY;
    for (const struct json *item = ok ? list->first : NULL; item != NULL && ok; item = item->next) {
        struct delta_expired_file file = {0};
        struct slice path;
        ok = is_text(item, "path", &path) && json_get_u64(item, "size", &file.size) &&
             json_get_i64(item, "modified", &file.modified);
        if (!ok)
            break;
        file.path = text_copy_slice(path);
        *array_add(&e->files) = file;
    }
    return ok;
}

static int parse(struct delta_expired *out, const struct json *root, struct err *err)
{
    struct slice id;
    bool ok = is_text(root, "id", &id) && id.len < DELTA_EXPIRED_ID &&
              parse_rows(out, json_member(root, "rows")) &&
              parse_files(out, json_member(root, "files"));
    if (!ok)
        return err_set(err, ERR_FORMAT, "it lacks what belongs in it");
    if (id.len > 0)
        memcpy(out->id, id.data, id.len);
    out->id[id.len] = '\0';
    out->found = true;
    return 0;
}

int delta_expired_read(struct delta_expired *out, struct object_store *store,
                       const struct delta_snapshot *table, struct err *err)
{
    struct arena arena = {0};
    struct buf text = {0};
    struct slice id;
    bool found, there, same;
    int result = object_get_all(store, file_name, DELTA_EXPIRED_BYTES_MAX, &text, &found, err);
    const struct json *root = NULL;
    if (result == 0 && found) {
        root = json_parse(&arena, buf_slice(&text), err);
        result = root == NULL ? -1 : delta_saved_history(root, store, &there, &same, err);
    }
    if (root != NULL && result == 0 && same && json_get_text(root, "table", &id) &&
        slice_equal(id, table->metadata.id) && json_get_u64(root, "version", &out->version) &&
        out->version <= table->version)
        result = parse(out, root, err);
    if (result != 0) {
        delta_expired_free(out);
        (void)err_prefix(err,
                         "%s is damaged (without it, varve fetches again what has expired "
                         "and is still in a stream)",
                         file_name);
    }
    arena_free(&arena);
    buf_free(&text);
    return result;
}

void delta_expired_add(struct delta_expired *e, const char *stream, const char *created,
                       const struct seqset *rows)
{
    seqset_add_all(rows_of(e, slice_of(stream), slice_of(created)), rows);
}

/* The oldest ranges become one. */
static void bound_rows(struct delta_expired *e)
{
    for (size_t i = 0; i < e->rows.count; i++) {
        struct seqset *rows = &e->rows.list[i].rows;
        size_t most = DELTA_EXPIRED_RANGES_MAX / e->rows.count;
        if (rows->count > most && most > 1) /* by half, so that it is not due each time */
            seqset_add_range(rows, rows->list[0].first, rows->list[rows->count - most / 2].last);
    }
}

static void put_rows(struct json_writer *w, const struct delta_expired *e)
{
    json_open_array(w, "rows");
    for (size_t i = 0; i < e->rows.count; i++) {
        const struct delta_expired_rows *rows = &e->rows.list[i];
        json_open_object(w, NULL);
        json_put_text(w, "stream", rows->stream);
        json_put_text(w, "created", rows->created);
        seqset_put_json(w, "rows", &rows->rows);
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_files(struct json_writer *w, const struct delta_expired *e)
{
    json_open_array(w, "files");
    for (size_t i = 0; i < e->files.count; i++) {
        const struct delta_expired_file *file = &e->files.list[i];
        json_open_object(w, NULL);
        json_put_text(w, "path", file->path);
        json_put_u64(w, "size", file->size);
        json_put_i64(w, "modified", file->modified);
        json_close_object(w);
    }
    json_close_array(w);
}

int delta_expired_write(struct delta_expired *e, struct object_store *store,
                        const struct delta_snapshot *table, struct err *err)
{
    struct buf text = {0};
    struct json_writer w = {.out = &text};
    char hash[SHA256_TEXT_MAX];
    bool there;
    if (delta_saved_hash_entry(store, table->version, hash, &there, err) != 0)
        return -1;
    bound_rows(e);
    e->version = table->version;
    json_open_object(&w, NULL);
    json_put_slice(&w, "table", table->metadata.id);
    json_put_u64(&w, "version", e->version);
    json_put_text(&w, "entry", there ? hash : "");
    json_put_text(&w, "id", e->id);
    put_rows(&w, e);
    put_files(&w, e);
    json_close_object(&w);
    buf_append_byte(&text, '\n');
    int result = object_put(store, file_name, buf_slice(&text), err);
    e->found = result == 0;
    buf_free(&text);
    return result;
}

void delta_expired_entry(struct buf *out, const struct delta_expired *e,
                         const struct delta_snapshot *table, const char *engine, int64_t wall_time)
{
    struct buf varve = {0};
    struct json_writer w = {.out = &varve};
    struct delta_action action = {.kind = DELTA_COMMIT_INFO};
    json_open_object(&w, NULL);
    json_put_text(&w, "expiry", e->id);
    json_close_object(&w);
    action.commit_info = (struct delta_commit_info){
        .timestamp = wall_time / CLOCK_MILLISECOND,
        .operation = "DELETE",
        .parameters = "{\"predicate\":\"retention\"}",
        .engine = engine,
        .varve = buf_slice(&varve),
    };
    delta_action_write(out, &action);
    buf_free(&varve);
    for (size_t i = 0; i < e->files.count; i++) {
        const struct delta_file *file = delta_snapshot_file(table, slice_of(e->files.list[i].path));
        ASSERT(file != NULL);
        action = (struct delta_action){.kind = DELTA_REMOVE};
        action.remove = (struct delta_remove){
            .path = file->path,
            .has_deletion_timestamp = true,
            .deletion_timestamp = wall_time / CLOCK_MILLISECOND,
            .data_change = true,
            .extended = true,
            .size = file->size,
        };
        delta_action_write(out, &action);
    }
}

int delta_expired_find(const struct delta_expired *e, struct object_store *store,
                       const struct delta_snapshot *table, bool *committed, struct err *err)
{
    struct arena arena = {0};
    struct buf line = {0};
    struct slice id;
    bool found;
    *committed = false;
    if (e->version >= table->version)
        return 0;
    int result = delta_entry_first_line(store, e->version + 1, &line, &found, err);
    if (result == 0 && found) {
        const struct json *root = json_parse(&arena, buf_slice(&line), err);
        result = root == NULL ? -1 : 0;
        *committed =
            json_get_text(json_member(json_member(root, "commitInfo"), "varve"), "expiry", &id) &&
            slice_is(id, e->id);
    } else if (result == 0) {
        *committed = true;
    }
    arena_free(&arena);
    buf_free(&line);
    return result;
}

void delta_expired_forget_files(struct delta_expired *e)
{
    for (size_t i = 0; i < e->files.count; i++)
        free(e->files.list[i].path);
    array_free(&e->files);
}

void delta_expired_free(struct delta_expired *e)
{
    delta_expired_forget_files(e);
    for (size_t i = 0; i < e->rows.count; i++) {
        free(e->rows.list[i].stream);
        free(e->rows.list[i].created);
        seqset_free(&e->rows.list[i].rows);
    }
    array_free(&e->rows);
    *e = (struct delta_expired){0};
}

int delta_expired_apply(struct delta_snapshot *snapshot, struct object_store *store,
                        struct err *err)
{
    struct delta_expired expired = {0};
    int result = delta_expired_read(&expired, store, snapshot, err);
    for (size_t i = 0; i < expired.rows.count && result == 0; i++) {
        const struct delta_expired_rows *rows = &expired.rows.list[i];
        delta_snapshot_add_expired(snapshot, slice_of(rows->stream), slice_of(rows->created),
                                   &rows->rows);
    }
    delta_expired_free(&expired);
    return result;
}

/* SPDX-License-Identifier: MIT */
#include "delta/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "delta/action.h"
#include "delta/position.h"
#include "object/object.h"

enum { TAGS_MAX = 7 };

/* The tags of a file; `text` holds what is made here. */
struct tags {
    struct delta_pair list[TAGS_MAX];
    size_t count;
    struct buf text;
    struct slice pieces[3]; /* of `text`, by offset until it is complete */
};

static void add_tag(struct tags *tags, const char *key, struct slice value)
{
    tags->list[tags->count++] = (struct delta_pair){slice_of(key), value};
}

static size_t mark(struct tags *tags, size_t piece, size_t start)
{
    tags->pieces[piece].len = tags->text.len - start;
    return tags->text.len;
}

/* Which rows are in a file, and the hash of its bytes. All values are texts, as tags must be. */
static struct delta_map fill_tags(struct tags *tags, const struct delta_commit_file *file)
{
    const struct seqset *set = file->sequences;
    bool all = set->count <= DELTA_ADD_RANGES_MAX;
    buf_append_decimal(&tags->text, set->list[0].first);
    size_t end = mark(tags, 0, 0);
    buf_append_decimal(&tags->text, set->list[set->count - 1].last);
    end = mark(tags, 1, end);
    if (all)
        seqset_write_text(&tags->text, set);
    (void)mark(tags, 2, end);
    const uint8_t *at = tags->text.data;
    for (size_t i = 0; i < 3; at += tags->pieces[i++].len)
        tags->pieces[i].data = at;
    if (file->id != NULL)
        add_tag(tags, "varve.file", slice_of(file->id));
    add_tag(tags, "varve.stream", slice_of(file->stream));
    add_tag(tags, "varve.created", slice_of(file->created));
    add_tag(tags, "varve.first_seq", tags->pieces[0]);
    add_tag(tags, "varve.last_seq", tags->pieces[1]);
    if (all)
        add_tag(tags, "varve.sequences", tags->pieces[2]);
    if (file->sha256 != NULL)
        add_tag(tags, "varve.sha256", slice_of(file->sha256));
    return (struct delta_map){tags->list, tags->count};
}

/* The sequences that no file of the commit has, and why that is right. */
static void put_dead_letters(struct json_writer *w, const struct delta_commit *c)
{
    json_open_array(w, "deadLetters");
    for (size_t i = 0; c->dead_letters != NULL && i < c->position_count; i++) {
        if (c->dead_letters[i].count == 0)
            continue;
        json_open_object(w, NULL);
        json_put_text(w, "stream", c->positions[i].stream);
        json_put_text(w, "created", c->positions[i].created);
        seqset_put_json(w, "sequences", &c->dead_letters[i]);
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_beside(struct json_writer *w, const struct delta_commit_file *file)
{
    struct tags tags = {0};
    struct buf path = {0};
    struct delta_map map = fill_tags(&tags, file);
    delta_path_encode(&path, slice_of(file->path));
    json_open_object(w, NULL);
    json_put_slice(w, "path", buf_slice(&path));
    json_put_u64(w, "size", file->size);
    json_put_u64(w, "numRecords", file->rows);
    json_open_object(w, "tags");
    for (size_t i = 0; i < map.count; i++) {
        json_put_name(w, map.list[i].key);
        json_put_slice(w, NULL, map.list[i].value);
    }
    json_close_object(w);
    json_close_object(w);
    buf_free(&path);
    buf_free(&tags.text);
}

static void put_varve(struct buf *out, const struct delta_commit *c)
{
    struct json_writer w = {.out = out};
    struct positions positions = {0};
    positions.list = (struct position *)c->positions; /* only read from */
    positions.count = c->position_count;
    json_open_object(&w, NULL);
    json_put_text(&w, "instance", c->instance);
    if (c->anew)
        json_put_bool(&w, "anew", true);
    delta_positions_put(&w, "positions", &positions, c->rows_of);
    put_dead_letters(&w, c);
    json_open_array(&w, "quarantine");
    for (size_t i = 0; i < c->file_count; i++) {
        if (c->files[i].beside)
            put_beside(&w, &c->files[i]);
    }
    json_close_array(&w);
    json_close_object(&w);
}

static void write_add(struct buf *out, const struct schema *schema, int64_t wall_time,
                      const struct delta_commit_file *file, bool data_change)
{
    struct buf stats = {0};
    struct buf path = {0};
    struct tags tags = {0};
    store_stats_write(&stats, schema, file->rows, file->columns, file->column_count);
    delta_path_encode(&path, slice_of(file->path));
    struct delta_action action = {.kind = DELTA_ADD};
    action.add = (struct delta_add){
        .path = buf_slice(&path),
        .size = file->size,
        .modification_time = wall_time / CLOCK_MILLISECOND,
        .data_change = data_change,
        .stats = buf_slice(&stats),
        .tags = fill_tags(&tags, file),
    };
    delta_action_write(out, &action);
    buf_free(&stats);
    buf_free(&path);
    buf_free(&tags.text);
}

static void write_txn(struct buf *out, const struct delta_commit *c, const struct position *p)
{
    struct buf id = {0};
    delta_app_id(&id, c->instance, p);
    struct delta_action action = {.kind = DELTA_TXN};
    action.txn = (struct delta_txn){
        .app_id = buf_slice(&id),
        .version = p->through < INT64_MAX ? (int64_t)p->through : INT64_MAX,
        .has_last_updated = true,
        .last_updated = c->wall_time / CLOCK_MILLISECOND,
    };
    delta_action_write(out, &action);
    buf_free(&id);
}

void delta_commit_write(struct buf *out, const struct delta_commit *c)
{
    struct buf varve = {0};
    put_varve(&varve, c);
    struct delta_action action = {.kind = DELTA_COMMIT_INFO};
    action.commit_info = (struct delta_commit_info){
        .timestamp = c->wall_time / CLOCK_MILLISECOND,
        .operation = "WRITE",
        .parameters = c->anew ? "{\"mode\":\"Overwrite\"}" : "{\"mode\":\"Append\"}",
        .blind_append = !c->anew,
        .engine = c->engine,
        .varve = buf_slice(&varve),
    };
    delta_action_write(out, &action);
    buf_free(&varve);
    for (size_t i = 0; i < c->position_count; i++)
        write_txn(out, c, &c->positions[i]);
    for (size_t i = 0; i < c->file_count; i++) {
        if (!c->files[i].beside)
            write_add(out, c->schema, c->wall_time, &c->files[i], true);
    }
}

void delta_rewrite_write(struct buf *out, const struct delta_rewrite *r)
{
    struct delta_action action = {.kind = DELTA_COMMIT_INFO};
    action.commit_info = (struct delta_commit_info){
        .timestamp = r->wall_time / CLOCK_MILLISECOND,
        .operation = "OPTIMIZE",
        .parameters = "{\"predicate\":\"[]\"}",
        .engine = r->engine,
    };
    delta_action_write(out, &action);
    for (size_t i = 0; i < r->removed_count; i++) {
        action = (struct delta_action){.kind = DELTA_REMOVE};
        action.remove = (struct delta_remove){
            .path = r->removed[i]->path,
            .has_deletion_timestamp = true,
            .deletion_timestamp = r->wall_time / CLOCK_MILLISECOND,
            .extended = true,
            .size = r->removed[i]->size,
        };
        delta_action_write(out, &action);
    }
    for (size_t i = 0; i < r->file_count; i++)
        write_add(out, r->schema, r->wall_time, &r->files[i], false);
}

void delta_pending_write_instead(struct buf *out, const char *engine, int64_t wall_time)
{
    struct delta_action action = {.kind = DELTA_COMMIT_INFO};
    action.commit_info = (struct delta_commit_info){
        .timestamp = wall_time / CLOCK_MILLISECOND,
        .operation = "WRITE",
        .parameters = "{\"mode\":\"Append\"}",
        .blind_append = true,
        .engine = engine,
    };
    delta_action_write(out, &action);
}

void delta_pending_free(struct delta_pending *pending)
{
    for (size_t i = 0; i < pending->moves.count; i++) {
        free(pending->moves.list[i].id);
        free(pending->moves.list[i].sha256);
    }
    array_free(&pending->moves);
    buf_free(&pending->text);
    *pending = (struct delta_pending){0};
}

static bool is_safe_id(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        uint8_t c = id.data[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') && c != '-')
            return false;
    }
    return id.len > 0 && id.len < OBJECT_ID_MAX;
}

/* `object` is an `add`, or an element of "quarantine". */
static int parse_move(struct delta_pending *pending, const struct json *object, struct err *err)
{
    struct slice uri, id, hash;
    const struct json *tags = json_member(object, "tags");
    struct delta_move move = {0};
    if (!json_get_text(object, "path", &uri) || !json_get_text(tags, "varve.file", &id) ||
        !is_safe_id(id))
        return err_set(err, ERR_FORMAT, "a file has no path or no id");
    struct buf path = {0};
    bool safe = delta_path_decode(&path, uri) && object_name_is_valid(buf_slice(&path));
    buf_free(&path);
    /* A string with escapes would not be in the text as it is; a URI has none. */
    bool inside = uri.data >= pending->text.data &&
                  uri.data + uri.len <= pending->text.data + pending->text.len;
    if (!safe || !inside)
        return err_set(err, ERR_FORMAT, "'%.*s' is not the path of a file in the table",
                       (int)(uri.len < 200 ? uri.len : 200), (const char *)uri.data);
    move.id = text_copy_slice(id);
    move.at = (size_t)(uri.data - pending->text.data);
    move.len = uri.len;
    if (json_get_text(tags, "varve.sha256", &hash))
        move.sha256 = text_copy_slice(hash);
    (void)json_get_u64(object, "size", &move.size);
    *array_add(&pending->moves) = move;
    return 0;
}

/* The head of the entry must be of `instance`; it is NULL for what follows. */
static int parse_line(struct delta_pending *pending, struct arena *arena, struct slice line,
                      const char *instance, struct err *err)
{
    struct slice name;
    const struct json *root = json_parse(arena, line, err);
    if (root == NULL)
        return -1;
    if (instance == NULL) {
        const struct json *add = json_member(root, "add");
        return add == NULL ? 0 : parse_move(pending, add, err);
    }
    const struct json *varve = json_member(json_member(root, "commitInfo"), "varve");
    const struct json *list = json_member(varve, "quarantine");
    if (list == NULL || list->type != JSON_ARRAY)
        return err_set(err, ERR_FORMAT, "the first line is not varve's commitInfo");
    if (!json_get_text(varve, "instance", &name) || !slice_is(name, instance))
        return err_set(err, ERR_FORMAT, "it is not a commit of instance %s", instance);
    for (const struct json *item = list->first; item != NULL; item = item->next) {
        if (parse_move(pending, item, err) != 0)
            return -1;
    }
    return 0;
}

int delta_pending_parse(struct delta_pending *pending, const char *instance, struct err *err)
{
    struct arena arena = {0};
    const struct buf *text = &pending->text;
    int result = text->len > 0 && text->data[text->len - 1] == '\n'
                     ? 0
                     : err_set(err, ERR_FORMAT, "the entry is incomplete");
    for (size_t at = 0; at < text->len && result == 0;) {
        const uint8_t *end = memchr(text->data + at, '\n', text->len - at);
        ASSERT(end != NULL);
        struct slice line = {text->data + at, (size_t)(end - text->data) - at};
        arena_reset(&arena);
        result = parse_line(pending, &arena, line, at == 0 ? instance : NULL, err);
        at += line.len + 1;
    }
    arena_free(&arena);
    return result;
}

void delta_pending_path(struct buf *out, const struct delta_pending *pending, size_t move)
{
    const struct delta_move *m = &pending->moves.list[move];
    struct slice uri = {pending->text.data + m->at, m->len};
    ASSERT(delta_path_decode(out, uri)); /* built or checked here */
}

void delta_pending_set_path(struct delta_pending *pending, size_t move, struct slice path)
{
    struct delta_move *m = &pending->moves.list[move];
    size_t behind = m->at + m->len;
    struct buf text = {0};
    buf_append(&text, pending->text.data, m->at);
    delta_path_encode(&text, path);
    size_t len = text.len - m->at;
    buf_append(&text, pending->text.data + behind, pending->text.len - behind);
    for (size_t i = 0; i < pending->moves.count; i++) {
        if (pending->moves.list[i].at > m->at)
            pending->moves.list[i].at = pending->moves.list[i].at - m->len + len;
    }
    m->len = len;
    buf_free(&pending->text);
    pending->text = text;
}

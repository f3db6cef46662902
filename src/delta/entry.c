/* SPDX-License-Identifier: MIT */
#include "delta/entry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "store/commit.h"
#include "store/path.h"
#include "delta/action.h"
#include "delta/position.h"
#include "delta/stats.h"

static void add_move(struct store_entry *entry, struct slice id, size_t at, size_t len)
{
    entry->moves =
        array_grow(entry->moves, &entry->cap, entry->count, 1, sizeof(*entry->moves), NULL);
    entry->moves[entry->count++] = (struct store_move){text_copy_slice(id), at, len};
}

void store_entry_reset(struct store_entry *entry)
{
    for (size_t i = 0; i < entry->count; i++)
        free(entry->moves[i].id);
    entry->count = 0;
    buf_reset(&entry->text);
}

void store_entry_free(struct store_entry *entry)
{
    store_entry_reset(entry);
    buf_free(&entry->text);
    free(entry->moves);
    *entry = (struct store_entry){0};
}

static void append_string(struct buf *out, const char *text)
{
    json_append_string(out, slice_of(text));
}

/* The member "path", noted as a move. */
static void append_path(struct store_entry *entry, const struct store_epoch_file *file,
                        const char *path)
{
    struct buf *out = &entry->text;
    buf_append_text(out, "\"path\":\"");
    size_t at = out->len;
    delta_path_encode(out, slice_of(path));
    add_move(entry, slice_of(object_staged_id(file->file)), at, out->len - at);
    buf_append_byte(out, '"');
}

/* Which rows are in a file: members of a JSON object, all of them strings as tags must be. */
static void append_tags(struct buf *out, const struct store_epoch_file *file)
{
    const struct seqset *set = file->sequences;
    buf_append_text(out, "\"varve.file\":");
    append_string(out, object_staged_id(file->file));
    buf_append_text(out, ",\"varve.stream\":");
    append_string(out, file->stream);
    buf_append_text(out, ",\"varve.created\":");
    append_string(out, file->created);
    buf_printf(out, ",\"varve.first_seq\":\"%" PRIu64 "\",\"varve.last_seq\":\"%" PRIu64 "\"",
               set->list[0].first, set->list[set->count - 1].last);
    if (set->count > STORE_ADD_RANGES_MAX)
        return;
    buf_append_text(out, ",\"varve.sequences\":\"");
    seqset_write_text(out, set);
    buf_append_byte(out, '"');
}

/* The sequences that no file of the epoch has, and why that is right. */
static void append_dead_letters(struct buf *out, const struct store_epoch *epoch)
{
    bool first = true;
    for (size_t i = 0; epoch->dead_letters != NULL && i < epoch->position_count; i++) {
        if (epoch->dead_letters[i].count == 0)
            continue;
        buf_append_text(out, first ? "{\"stream\":" : ",{\"stream\":");
        first = false;
        append_string(out, epoch->positions[i].stream);
        buf_append_text(out, ",\"created\":");
        append_string(out, epoch->positions[i].created);
        buf_append_text(out, ",\"sequences\":\"");
        seqset_write_text(out, &epoch->dead_letters[i]);
        buf_append_text(out, "\"}");
    }
}

static void append_quarantine(struct store_entry *entry, const struct store_epoch *epoch,
                              const char *const *paths)
{
    struct buf *out = &entry->text;
    bool first = true;
    for (size_t i = 0; i < epoch->file_count; i++) {
        const struct store_epoch_file *file = &epoch->files[i];
        if (!file->quarantine)
            continue;
        buf_append_text(out, first ? "{" : ",{");
        first = false;
        append_path(entry, file, paths[i]);
        buf_printf(out, ",\"size\":%" PRIu64 ",\"numRecords\":%" PRIu64 ",\"tags\":{",
                   object_staged_size(file->file), file->rows);
        append_tags(out, file);
        buf_append_text(out, "}}");
    }
}

static void append_add(struct store_entry *entry, const struct store *store,
                       const struct store_epoch_file *file, const char *path, int64_t millis)
{
    struct buf *out = &entry->text;
    struct buf stats = {0};
    store_stats_write(&stats, store->schema, file->rows, file->columns, file->column_count);
    buf_append_text(out, "{\"add\":{");
    append_path(entry, file, path);
    buf_printf(out,
               ",\"partitionValues\":{},\"size\":%" PRIu64 ",\"modificationTime\":%" PRId64
               ",\"dataChange\":true,\"stats\":",
               object_staged_size(file->file), millis);
    json_append_string(out, buf_slice(&stats));
    buf_append_text(out, ",\"tags\":{");
    append_tags(out, file);
    buf_append_text(out, "}}}\n");
    buf_free(&stats);
}

static void append_txn(struct buf *out, const char *instance, const struct position *p,
                       int64_t millis)
{
    struct buf id = {0};
    delta_app_id(&id, instance, p);
    buf_append_text(out, "{\"txn\":{\"appId\":");
    json_append_string(out, buf_slice(&id));
    buf_printf(out, ",\"version\":%" PRIu64 ",\"lastUpdated\":%" PRId64 "}}\n", p->through, millis);
    buf_free(&id);
}

void store_entry_build(struct store_entry *entry, const struct store *store,
                       const struct store_epoch *epoch, const struct positions *positions,
                       const char *const *paths, int64_t wall_time)
{
    store_entry_reset(entry);
    struct buf *out = &entry->text;
    int64_t millis = wall_time / CLOCK_MILLISECOND;
    buf_printf(out,
               "{\"commitInfo\":{\"timestamp\":%" PRId64 ",\"operation\":\"WRITE\","
               "\"operationParameters\":{\"mode\":\"Append\"},\"isBlindAppend\":true,"
               "\"engineInfo\":",
               millis);
    append_string(out, store->engine);
    buf_append_text(out, ",\"varve\":{\"instance\":");
    append_string(out, store->instance);
    buf_append_byte(out, ',');
    struct json_writer w = {.out = out};
    delta_positions_put(&w, "positions", positions);
    buf_append_text(out, ",\"deadLetters\":[");
    append_dead_letters(out, epoch);
    buf_append_text(out, "],\"quarantine\":[");
    append_quarantine(entry, epoch, paths);
    buf_append_text(out, "]}}}\n");
    for (size_t i = 0; i < epoch->position_count; i++)
        append_txn(out, store->instance, &epoch->positions[i], millis);
    for (size_t i = 0; i < epoch->file_count; i++) {
        if (!epoch->files[i].quarantine)
            append_add(entry, store, &epoch->files[i], paths[i], millis);
    }
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
static int parse_move(struct store_entry *entry, const struct json *object, struct err *err)
{
    struct slice uri, id;
    if (!json_get_text(object, "path", &uri) ||
        !json_get_text(json_member(object, "tags"), "varve.file", &id) || !is_safe_id(id))
        return err_set(err, ERR_FORMAT, "a file has no path or no id");
    struct buf path = {0};
    bool safe = delta_path_decode(&path, uri) && object_name_is_valid(buf_slice(&path));
    buf_free(&path);
    /* A string with escapes would not be in the text as it is; a URI has none. */
    bool inside =
        uri.data >= entry->text.data && uri.data + uri.len <= entry->text.data + entry->text.len;
    if (!safe || !inside)
        return err_set(err, ERR_FORMAT, "'%.*s' is no path of a file in the table",
                       (int)(uri.len < 200 ? uri.len : 200), (const char *)uri.data);
    add_move(entry, id, (size_t)(uri.data - entry->text.data), uri.len);
    return 0;
}

static int parse_line(struct store_entry *entry, struct arena *arena, struct slice line, bool first,
                      struct err *err)
{
    const struct json *root = json_parse(arena, line, err);
    if (root == NULL)
        return -1;
    if (!first) {
        const struct json *add = json_member(root, "add");
        return add == NULL ? 0 : parse_move(entry, add, err);
    }
    const struct json *varve = json_member(json_member(root, "commitInfo"), "varve");
    const struct json *list = json_member(varve, "quarantine");
    if (list == NULL || list->type != JSON_ARRAY)
        return err_set(err, ERR_FORMAT, "the first line is not a commitInfo of varve");
    for (const struct json *item = list->first; item != NULL; item = item->next) {
        if (parse_move(entry, item, err) != 0)
            return -1;
    }
    return 0;
}

int store_entry_parse(struct store_entry *entry, struct err *err)
{
    struct arena arena = {0};
    const struct buf *text = &entry->text;
    int result = text->len > 0 && text->data[text->len - 1] == '\n'
                     ? 0
                     : err_set(err, ERR_FORMAT, "the entry has no end");
    for (size_t at = 0; at < text->len && result == 0;) {
        const uint8_t *end = memchr(text->data + at, '\n', text->len - at);
        ASSERT(end != NULL);
        struct slice line = {text->data + at, (size_t)(end - text->data) - at};
        arena_reset(&arena);
        result = parse_line(entry, &arena, line, at == 0, err);
        at += line.len + 1;
    }
    arena_free(&arena);
    return result;
}

void store_entry_path(struct buf *out, const struct store_entry *entry, size_t move)
{
    const struct store_move *m = &entry->moves[move];
    struct slice uri = {entry->text.data + m->at, m->len};
    ASSERT(delta_path_decode(out, uri)); /* built or checked here */
}

void store_entry_set_path(struct store_entry *entry, size_t move, struct slice path)
{
    struct store_move *m = &entry->moves[move];
    size_t behind = m->at + m->len;
    struct buf text = {0};
    buf_append(&text, entry->text.data, m->at);
    delta_path_encode(&text, path);
    size_t len = text.len - m->at;
    buf_append(&text, entry->text.data + behind, entry->text.len - behind);
    for (size_t i = 0; i < entry->count; i++) {
        if (entry->moves[i].at > m->at)
            entry->moves[i].at = entry->moves[i].at - m->len + len;
    }
    m->len = len;
    buf_free(&entry->text);
    entry->text = text;
}

int store_entry_positions(struct positions *out, bool *own, struct slice line, const char *instance,
                          struct err *err)
{
    struct arena arena = {0};
    struct err ignored = {0};
    struct slice name;
    *out = (struct positions){0};
    /* A line that is no JSON is not ours: what varve writes is whole before it gets its name. */
    const struct json *root = json_parse(&arena, line, &ignored);
    const struct json *varve = json_member(json_member(root, "commitInfo"), "varve");
    *own = json_get_text(varve, "instance", &name) && slice_is(name, instance);
    int result = *own ? delta_positions_parse(out, json_member(varve, "positions"), err) : 0;
    arena_free(&arena);
    return result;
}

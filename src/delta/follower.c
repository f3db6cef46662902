/* SPDX-License-Identifier: MIT */
#include "delta/follower.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "delta/log.h"

#define FOLDER DELTA_LOG_FOLDER "_varve/followers/"

static void file_name(struct buf *out, const char *name)
{
    buf_append_text(out, FOLDER);
    text_escape(out, slice_of(name));
    buf_append_text(out, ".json");
}

struct seqset *delta_follower_rows(struct delta_follower *f, const char *stream,
                                   const char *created, bool add)
{
    for (size_t i = 0; i < f->generations.count; i++) {
        struct delta_followed *g = &f->generations.list[i];
        if (strcmp(g->stream, stream) == 0 && strcmp(g->created, created) == 0)
            return &g->rows;
    }
    if (!add)
        return NULL;
    struct delta_followed *g = array_add(&f->generations);
    *g = (struct delta_followed){.stream = text_copy(stream), .created = text_copy(created)};
    return &g->rows;
}

/* Texts are used as C strings. */
static bool get_text(const struct json *object, const char *name, struct slice *out)
{
    return json_get_text(object, name, out) && memchr(out->data, '\0', out->len) == NULL;
}

static int parse_generation(struct delta_follower *out, const struct json *item, struct err *err)
{
    struct slice stream, created, rows;
    if (!get_text(item, "stream", &stream) || !get_text(item, "created", &created) ||
        !get_text(item, "rows", &rows))
        return err_set(err, ERR_FORMAT, "a generation lacks a member");
    struct delta_followed *g = array_add(&out->generations);
    *g = (struct delta_followed){.stream = text_copy_slice(stream),
                                 .created = text_copy_slice(created)};
    if (!seqset_parse_text(&g->rows, rows))
        return err_set(err, ERR_FORMAT, "rows are no list of ranges");
    return 0;
}

/* Older versions have no such list. */
static int parse_merged(struct delta_follower *out, const struct json *list, struct err *err)
{
    bool added;
    for (const struct json *item = list != NULL ? list->first : NULL; item != NULL;
         item = item->next) {
        if (item->type != JSON_STRING)
            return err_set(err, ERR_FORMAT, "a merged file is no name");
        (void)map_put(&out->merged, item->text, &added);
    }
    return 0;
}

/* *same: it is about this table; else nothing of it is taken. */
static int parse(struct delta_follower *out, struct slice text, struct slice table, bool *same,
                 struct err *err)
{
    struct arena arena = {0};
    struct slice id, name;
    const struct json *root = json_parse(&arena, text, err);
    int result = root == NULL ? -1 : 0;
    if (result == 0 && (!get_text(root, "follower", &name) || !get_text(root, "table", &id)))
        result = err_set(err, ERR_FORMAT, "it does not say who follows what");
    *same = result == 0 && slice_equal(id, table);
    const struct json *list = *same ? json_member(root, "generations") : NULL;
    if (*same)
        out->name = text_copy_slice(name);
    for (const struct json *item = list != NULL ? list->first : NULL; item != NULL && result == 0;
         item = item->next)
        result = parse_generation(out, item, err);
    if (*same && result == 0)
        result = parse_merged(out, json_member(root, "merged"), err);
    if (*same && result == 0 && json_get_text(root, "items", &name))
        buf_append_slice(&out->items, name);
    arena_free(&arena);
    return result;
}

/* The file `name`; *found and *same as above. */
static int read_file(struct delta_follower *out, struct object_store *store, const char *name,
                     struct slice table, bool *found, bool *same, struct err *err)
{
    struct buf text = {0};
    *same = false;
    int result = object_get_all(store, name, DELTA_FOLLOWER_BYTES_MAX, &text, found, err);
    if (result == 0 && *found && parse(out, buf_slice(&text), table, same, err) != 0)
        result = err_prefix(err, "%s is damaged", name);
    buf_free(&text);
    return result;
}

int delta_follower_read(struct delta_follower *out, struct object_store *store, const char *name,
                        struct slice table, bool *found, struct err *err)
{
    struct buf file = {0};
    bool same = false;
    file_name(&file, name);
    int result = read_file(out, store, buf_text(&file), table, found, &same, err);
    *found = same;
    if (result == 0 && out->name == NULL)
        out->name = text_copy(name);
    buf_free(&file);
    return result;
}

static void bound(struct seqset *set)
{
    size_t more =
        set->count > DELTA_FOLLOWER_RANGES_MAX ? set->count - DELTA_FOLLOWER_RANGES_MAX : 0;
    if (more > 0)
        seqset_add_range(set, set->list[0].first, set->list[more].last);
}

int delta_follower_write(struct delta_follower *f, struct object_store *store, struct slice table,
                         struct err *err)
{
    struct buf file = {0}, text = {0};
    struct json_writer w = {.out = &text};
    json_open_object(&w, NULL);
    json_put_text(&w, "follower", f->name);
    json_put_slice(&w, "table", table);
    json_open_array(&w, "generations");
    for (size_t i = 0; i < f->generations.count; i++) {
        struct delta_followed *g = &f->generations.list[i];
        bound(&g->rows);
        json_open_object(&w, NULL);
        json_put_text(&w, "stream", g->stream);
        json_put_text(&w, "created", g->created);
        seqset_put_json(&w, "rows", &g->rows);
        json_close_object(&w);
    }
    json_close_array(&w);
    if (f->merged.count > 0)
        json_open_array(&w, "merged");
    for (uint32_t i = 0; i < f->merged.count; i++)
        json_put_slice(&w, NULL, map_key(&f->merged, i));
    if (f->merged.count > 0)
        json_close_array(&w);
    if (f->items.len > 0)
        json_put_slice(&w, "items", buf_slice(&f->items));
    json_close_object(&w);
    file_name(&file, f->name);
    int result = object_put(store, buf_text(&file), buf_slice(&text), err);
    buf_free(&file);
    buf_free(&text);
    return result;
}

int delta_follower_remove(struct object_store *store, const char *name, struct err *err)
{
    struct buf file = {0};
    file_name(&file, name);
    int result = object_remove(store, buf_text(&file), err);
    buf_free(&file);
    return result;
}

void delta_follower_free(struct delta_follower *f)
{
    for (size_t i = 0; i < f->generations.count; i++) {
        free(f->generations.list[i].stream);
        free(f->generations.list[i].created);
        seqset_free(&f->generations.list[i].rows);
    }
    array_free(&f->generations);
    map_free(&f->merged);
    buf_free(&f->items);
    free(f->name);
    *f = (struct delta_follower){0};
}

struct names {
    ARRAY(char *);
};

static bool note_name(void *context, struct slice name)
{
    struct names *names = context;
    *array_add(names) = text_copy_slice(name);
    return true;
}

int delta_followers_read(struct delta_followers *out, struct object_store *store,
                         struct slice table, struct err *err)
{
    struct names names = {0};
    int result = object_list(store, FOLDER, "", note_name, &names, err);
    for (size_t i = 0; i < names.count; i++) {
        struct delta_follower follower = {0};
        bool found = false, same = false;
        if (result == 0 && text_ends_with(names.list[i], ".json"))
            result = read_file(&follower, store, names.list[i], table, &found, &same, err);
        if (result == 0 && same)
            *array_add(&out->list) = follower;
        else
            delta_follower_free(&follower);
        free(names.list[i]);
    }
    array_free(&names);
    return result;
}

const char *delta_followers_lacking(const struct delta_followers *f, const char *stream,
                                    const char *created, const struct seqset *rows)
{
    static const struct seqset nothing;
    const char *who = NULL;
    for (size_t i = 0; i < f->list.count && who == NULL; i++) {
        struct delta_follower *follower = &f->list.list[i];
        const struct seqset *has = delta_follower_rows(follower, stream, created, false);
        struct seqset lacking = {0};
        seqset_add_new(&lacking, rows, has != NULL ? has : &nothing, 0);
        if (lacking.count > 0)
            who = follower->name;
        seqset_free(&lacking);
    }
    return who;
}

void delta_followers_free(struct delta_followers *f)
{
    for (size_t i = 0; i < f->list.count; i++)
        delta_follower_free(&f->list.list[i]);
    array_free(&f->list);
}

/* SPDX-License-Identifier: MIT */
#include "delta/snapshot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/account.h"
#include "base/text.h"
#include "delta/snapshot_part.h"

/* Removed files are forgotten when they are more than the live ones, and these. */
enum { REMOVED_MAX = 1024 };

static struct slice keep(char **at, struct slice text)
{
    if (text.data == NULL)
        return text;
    struct slice kept = {(const uint8_t *)*at, text.len};
    if (text.len > 0)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return kept;
}

static size_t file_memory(struct slice path, struct slice stats, const struct delta_map *tags)
{
    size_t size = sizeof(struct delta_file) + tags->count * sizeof(struct delta_pair) + path.len +
                  stats.len + 1; /* so that no kept text is at the end */
    for (size_t i = 0; i < tags->count; i++)
        size += tags->list[i].key.len + tags->list[i].value.len;
    return size;
}

/* A file in one piece of memory. */
static struct delta_file *new_file(struct account *account, const struct delta_add *add)
{
    struct delta_file *file =
        account_alloc(account, 1, file_memory(add->path, add->stats, &add->tags));
    struct delta_pair *tags = (struct delta_pair *)(file + 1);
    char *at = (char *)(tags + add->tags.count);
    *file = (struct delta_file){
        .path = keep(&at, add->path),
        .size = add->size,
        .modification_time = add->modification_time,
        .stats = keep(&at, add->stats),
        .tags = {tags, add->tags.count},
        .vector = add->vector,
        .data_change = add->data_change,
    };
    for (size_t i = 0; i < add->tags.count; i++) {
        tags[i].key = keep(&at, add->tags.list[i].key);
        tags[i].value = keep(&at, add->tags.list[i].value);
    }
    return file;
}

static void free_file(struct delta_snapshot *s, size_t number)
{
    struct delta_file *file = s->files.list[number];
    if (file != NULL)
        account_free(s->account, file, file_memory(file->path, file->stats, &file->tags));
    s->files.list[number] = NULL;
}

/* The number of the file that a path names; *added: a new one. */
static uint32_t put_path(struct map *paths, struct slice path, bool *added)
{
    struct buf key = {0};
    uint32_t number = map_put(paths, delta_path_key(&key, path), added);
    buf_free(&key);
    return number;
}

static void forget_removed(struct delta_snapshot *s)
{
    struct map paths = {.account = s->account};
    size_t live = 0;
    for (size_t i = 0; i < s->files.count; i++) {
        bool added;
        if (s->files.list[i] == NULL)
            continue;
        (void)put_path(&paths, s->files.list[i]->path, &added);
        s->files.list[live++] = s->files.list[i];
    }
    s->files.count = live;
    s->removed = 0;
    map_free(&s->paths);
    s->paths = paths;
}

static int add_file(struct delta_snapshot *s, const struct delta_add *whole, struct err *err)
{
    struct delta_add brief = {.path = whole->path,
                              .size = whole->size,
                              .modification_time = whole->modification_time,
                              .vector = whole->vector,
                              .data_change = whole->data_change};
    const struct delta_add *add = whole;
    struct delta_mark mark = {0};
    bool added = false;
    enum delta_keep kept = DELTA_KEEP_ALL;
    if (s->keep != NULL)
        kept = s->keep(s->keep_context, whole, &mark);
    if (kept == DELTA_KEEP_NOTHING)
        return 0;
    if (kept == DELTA_KEEP_BRIEF)
        add = &brief;
    if (s->paths.count >= MAP_KEYS_MAX)
        return err_set(err, ERR_LIMIT, "the table has more than %d files", (int)MAP_KEYS_MAX);
    uint32_t number = put_path(&s->paths, add->path, &added);
    if (added)
        *array_add(&s->files) = NULL;
    else if (s->files.list[number] == NULL)
        s->removed--;
    free_file(s, number);
    s->files.list[number] = new_file(s->account, add);
    s->files.list[number]->mark = mark;
    return 0;
}

/* Other readers go by the text of the path: to them what is removed under another encoding than the
 * one it was added under last is still there, and so it is here. */
static void remove_file(struct delta_snapshot *s, const struct delta_remove *remove)
{
    int64_t number = delta_snapshot_find(s, remove->path);
    if (s->gone != NULL)
        s->gone(s->gone_context, remove);
    if (number < 0 || s->files.list[number] == NULL ||
        s->files.list[number]->vector != remove->vector ||
        !slice_equal(s->files.list[number]->path, remove->path))
        return;
    free_file(s, (size_t)number);
    if (++s->removed > REMOVED_MAX && s->removed > s->files.count / 2)
        forget_removed(s);
}

/* Keep an action as its line, and parse that: the copy then owns all that it points to. What has
 * about as many values as a line may have can have too many with those that varve writes as well:
 * then the one before stays. */
static int keep_action(struct buf *text, struct arena *arena, struct delta_action *copy,
                       const struct delta_action *action, struct err *err)
{
    struct buf line = {0};
    struct arena parsed = {0};
    delta_action_write(&line, action);
    line.len--; /* without the newline */
    if (delta_action_parse(copy, &parsed, buf_slice(&line), err) != 0) {
        arena_free(&parsed);
        buf_free(&line);
        return -1;
    }
    buf_free(text);
    arena_free(arena);
    *text = line;
    *arena = parsed;
    return 0;
}

const struct delta_app *delta_snapshot_app(const struct delta_snapshot *s, struct slice app_id)
{
    int64_t number = map_find(&s->app_ids, app_id);
    return number < 0 ? NULL : &s->apps.list[number];
}

static int apply_txn(struct delta_snapshot *s, const struct delta_txn *txn, struct err *err)
{
    bool added = false;
    if (s->app_ids.count >= MAP_KEYS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d applications", (int)MAP_KEYS_MAX);
    uint32_t number = map_put(&s->app_ids, txn->app_id, &added);
    if (added)
        *array_add(&s->apps) = (struct delta_app){0};
    struct delta_app *app = &s->apps.list[number];
    if (s->want_varve && app->generation == 0)
        app->generation = delta_snapshot_note_app(s, txn->app_id);
    app->version = txn->version;
    app->last_updated = txn->last_updated;
    uint64_t *through =
        app->generation > 0 ? &s->generation_list.list[app->generation - 1].through : NULL;
    if (through != NULL && txn->version > 0 && (uint64_t)txn->version > *through)
        *through = (uint64_t)txn->version;
    return 0;
}

int delta_snapshot_gather(struct delta_snapshot *s, const struct delta_action *action,
                          struct err *err)
{
    struct delta_action copy;
    if (s->want_files && s->want_varve)
        delta_foreign_note(&s->foreign, action);
    switch (action->kind) {
    case DELTA_PROTOCOL:
        if (keep_action(&s->protocol_text, &s->protocol_arena, &copy, action, err) != 0)
            return -1;
        s->protocol = copy.protocol;
        return 0;
    case DELTA_METADATA:
        if (keep_action(&s->metadata_text, &s->metadata_arena, &copy, action, err) != 0)
            return -1;
        s->metadata = copy.metadata;
        return 0;
    case DELTA_TXN:
        return apply_txn(s, &action->txn, err);
    case DELTA_ADD:
        if (s->want_varve)
            delta_snapshot_note_tags(s, &action->add.tags);
        return s->want_files ? add_file(s, &action->add, err) : 0;
    case DELTA_REMOVE:
        remove_file(s, &action->remove);
        return 0;
    case DELTA_COMMIT_INFO:
        return s->want_varve ? delta_snapshot_note_commit(s, action->commit_info.json, err) : 0;
    case DELTA_OTHER:
        break;
    }
    return 0;
}

int delta_snapshot_apply(struct delta_snapshot *s, const struct delta_action *action,
                         struct err *err)
{
    int result = delta_snapshot_gather(s, action, err);
    delta_snapshot_complete(s);
    return result;
}

void delta_snapshot_forget(struct delta_snapshot *s)
{
    for (size_t i = 0; i < s->files.count; i++)
        free_file(s, i);
    delta_snapshot_forget_commits(s);
    for (size_t i = 0; i < s->beside.count; i++) {
        free(s->beside.list[i].path);
        free(s->beside.list[i].sha256);
    }
    array_free(&s->files);
    array_free(&s->beside);
    map_free(&s->paths);
    delta_foreign_free(&s->foreign);
    s->removed = 0;
    s->want_files = s->want_varve = false;
}

void delta_snapshot_free(struct delta_snapshot *s)
{
    bool files = s->want_files;
    bool varve = s->want_varve;
    delta_keep *filter = s->keep;
    void *context = s->keep_context;
    delta_gone *gone = s->gone;
    void *gone_context = s->gone_context;
    struct account *account = s->account;
    delta_snapshot_forget(s);
    array_free(&s->apps);
    map_free(&s->app_ids);
    arena_free(&s->protocol_arena);
    arena_free(&s->metadata_arena);
    buf_free(&s->protocol_text);
    buf_free(&s->metadata_text);
    *s = (struct delta_snapshot){.want_files = files,
                                 .want_varve = varve,
                                 .keep = filter,
                                 .keep_context = context,
                                 .gone = gone,
                                 .gone_context = gone_context,
                                 .account = account,
                                 .paths = {.account = account},
                                 .files = {.account = account}};
}

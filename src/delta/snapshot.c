/* SPDX-License-Identifier: MIT */
#include "delta/snapshot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/account.h"
#include "base/assert.h"
#include "base/text.h"
#include "delta/position.h"

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

static void forget_removed(struct delta_snapshot *s)
{
    struct map paths = {.account = s->account};
    size_t live = 0;
    for (size_t i = 0; i < s->files.count; i++) {
        bool added;
        if (s->files.list[i] == NULL)
            continue;
        (void)map_put(&paths, s->files.list[i]->path, &added);
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
    uint32_t number = map_put(&s->paths, add->path, &added);
    if (added)
        *array_add(&s->files) = NULL;
    else if (s->files.list[number] == NULL)
        s->removed--;
    free_file(s, number);
    s->files.list[number] = new_file(s->account, add);
    s->files.list[number]->mark = mark;
    return 0;
}

static void remove_file(struct delta_snapshot *s, const struct delta_remove *remove)
{
    int64_t number = map_find(&s->paths, remove->path);
    if (number < 0 || s->files.list[number] == NULL ||
        s->files.list[number]->vector != remove->vector)
        return;
    free_file(s, (size_t)number);
    if (++s->removed > REMOVED_MAX && s->removed > s->files.count / 2)
        forget_removed(s);
}

/* Keep an action as its line, and parse that: the copy then owns all that it points to. */
static void keep_action(struct buf *text, struct arena *arena, struct delta_action *copy,
                        const struct delta_action *action)
{
    struct buf line = {0};
    struct err err = {0};
    delta_action_write(&line, action);
    buf_reset(text);
    buf_append(text, line.data, line.len - 1); /* without the newline */
    buf_free(&line);
    arena_reset(arena);
    ASSERT(delta_action_parse(copy, arena, buf_slice(text), &err) == 0);
}

const struct delta_app *delta_snapshot_app(const struct delta_snapshot *s, struct slice app_id)
{
    int64_t number = map_find(&s->app_ids, app_id);
    return number < 0 ? NULL : &s->apps.list[number];
}

static void generation_key(struct buf *out, struct slice stream, struct slice created)
{
    /* No name of a stream has blanks. */
    buf_append_slice(out, stream);
    buf_append_text(out, " created ");
    buf_append_slice(out, created);
}

static struct delta_generation *generation_of(struct delta_snapshot *s, struct slice stream,
                                              struct slice created)
{
    struct buf key = {0};
    bool added = false;
    generation_key(&key, stream, created);
    uint32_t number = map_put(&s->generations, buf_slice(&key), &added);
    buf_free(&key);
    if (added)
        *array_add(&s->generation_list) = (struct delta_generation){
            .stream = text_copy_slice(stream), .created = text_copy_slice(created)};
    return &s->generation_list.list[number];
}

void delta_snapshot_add_rows(struct delta_snapshot *s, struct slice stream, struct slice created,
                             const struct seqset *rows)
{
    seqset_add_all(&generation_of(s, stream, created)->rows, rows);
}

void delta_snapshot_add_dead_letters(struct delta_snapshot *s, struct slice stream,
                                     struct slice created, const struct seqset *dead_letters)
{
    seqset_add_all(&generation_of(s, stream, created)->dead_letters, dead_letters);
}

void delta_snapshot_add_expired(struct delta_snapshot *s, struct slice stream, struct slice created,
                                const struct seqset *expired)
{
    struct delta_generation *g = generation_of(s, stream, created);
    seqset_add_all(&g->rows, expired);
    seqset_add_all(&g->expired, expired);
}

size_t delta_snapshot_ranges(const struct delta_snapshot *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->generation_list.count; i++)
        count += s->generation_list.list[i].rows.count;
    return count;
}

const struct delta_generation *delta_snapshot_generation(const struct delta_snapshot *s,
                                                         const char *stream, const char *created)
{
    struct buf key = {0};
    generation_key(&key, slice_of(stream), slice_of(created));
    int64_t number = map_find(&s->generations, buf_slice(&key));
    buf_free(&key);
    return number < 0 ? NULL : &s->generation_list.list[number];
}

/* A transaction outlives the entries: that the generation is known is known from it. */
static uint32_t note_app(struct delta_snapshot *s, struct slice app_id)
{
    struct delta_app_name name;
    if (!delta_app_id_parse(&name, app_id))
        return 0;
    const struct delta_generation *g =
        generation_of(s, slice_of(name.stream), slice_of(name.created));
    delta_app_name_free(&name);
    return (uint32_t)(g - s->generation_list.list) + 1;
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
        app->generation = note_app(s, txn->app_id);
    app->version = txn->version;
    app->last_updated = txn->last_updated;
    uint64_t *through =
        app->generation > 0 ? &s->generation_list.list[app->generation - 1].through : NULL;
    if (through != NULL && txn->version > 0 && (uint64_t)txn->version > *through)
        *through = (uint64_t)txn->version;
    return 0;
}

/* Texts are used as C strings. */
static bool has_nul(struct slice text)
{
    return text.len > 0 && memchr(text.data, '\0', text.len) != NULL;
}

static bool get_generation(const struct json *object, struct slice *stream, struct slice *created)
{
    return json_get_text(object, "stream", stream) && json_get_text(object, "created", created) &&
           !has_nul(*stream) && !has_nul(*created);
}

static void note_rows(struct delta_snapshot *s, const struct json *list)
{
    for (const struct json *item = list->first; item != NULL; item = item->next) {
        struct slice stream, created, rows;
        struct seqset set = {0};
        if (get_generation(item, &stream, &created)) {
            struct delta_generation *g = generation_of(s, stream, created);
            if (json_get_text(item, "rows", &rows) && seqset_parse_text(&set, rows))
                seqset_add_all(&g->rows, &set);
        }
        seqset_free(&set);
    }
}

static void note_dead_letters(struct delta_snapshot *s, const struct json *list)
{
    for (const struct json *item = list != NULL ? list->first : NULL; item != NULL;
         item = item->next) {
        struct slice stream, created, sequences;
        struct seqset set = {0};
        if (get_generation(item, &stream, &created) &&
            json_get_text(item, "sequences", &sequences) && seqset_parse_text(&set, sequences))
            seqset_add_all(&generation_of(s, stream, created)->dead_letters, &set);
        seqset_free(&set);
    }
}

static void note_tags(struct delta_snapshot *s, const struct delta_map *tags)
{
    struct slice stream = delta_map_get(tags, "varve.stream");
    struct slice created = delta_map_get(tags, "varve.created");
    struct slice sequences = delta_map_get(tags, "varve.sequences");
    struct seqset set = {0};
    if (stream.data != NULL && created.data != NULL && sequences.data != NULL && !has_nul(stream) &&
        !has_nul(created) && seqset_parse_text(&set, sequences))
        seqset_add_all(&generation_of(s, stream, created)->rows, &set);
    seqset_free(&set);
}

static void note_beside(struct delta_snapshot *s, const struct json *list)
{
    for (const struct json *item = list != NULL ? list->first : NULL; item != NULL;
         item = item->next) {
        struct slice path, hash, stream, created, sequences;
        struct delta_beside beside = {0};
        struct seqset set = {0};
        const struct json *tags = json_member(item, "tags");
        if (!json_get_text(item, "path", &path) || has_nul(path) ||
            !json_get_u64(item, "size", &beside.size) ||
            !json_get_u64(item, "numRecords", &beside.rows))
            continue;
        beside.path = text_copy_slice(path);
        if (json_get_text(tags, "varve.sha256", &hash) && !has_nul(hash))
            beside.sha256 = text_copy_slice(hash);
        *array_add(&s->beside) = beside;
        if (json_get_text(tags, "varve.stream", &stream) &&
            json_get_text(tags, "varve.created", &created) && !has_nul(stream) &&
            !has_nul(created) && json_get_text(tags, "varve.sequences", &sequences) &&
            seqset_parse_text(&set, sequences))
            seqset_add_all(&generation_of(s, stream, created)->rows, &set);
        seqset_free(&set);
    }
}

static struct delta_instance *instance_of(struct delta_snapshot *s, struct slice name)
{
    bool added = false;
    uint32_t number = map_put(&s->names, name, &added);
    if (added)
        *array_add(&s->instances) = (struct delta_instance){.name = text_copy_slice(name)};
    return &s->instances.list[number];
}

const struct delta_instance *delta_snapshot_instance(const struct delta_snapshot *s,
                                                     const char *name)
{
    int64_t number = map_find(&s->names, slice_of(name));
    return number < 0 ? NULL : &s->instances.list[number];
}

/* What entries say of positions and rows. */
static void forget_commits(struct delta_snapshot *s)
{
    for (size_t i = 0; i < s->instances.count; i++) {
        free(s->instances.list[i].name);
        positions_free(&s->instances.list[i].positions);
    }
    for (size_t i = 0; i < s->generation_list.count; i++) {
        struct delta_generation *g = &s->generation_list.list[i];
        free(g->stream);
        free(g->created);
        seqset_free(&g->rows);
        seqset_free(&g->dead_letters);
        seqset_free(&g->expired);
    }
    for (size_t i = 0; i < s->apps.count; i++)
        s->apps.list[i].generation = 0; /* the applications stay, and will be heard of again */
    array_free(&s->instances);
    array_free(&s->generation_list);
    map_free(&s->names);
    map_free(&s->generations);
}

static int note_commit(struct delta_snapshot *s, const struct json *info, struct err *err)
{
    const struct json *varve = json_member(info, "varve");
    struct slice name;
    struct positions positions;
    bool anew = false;
    if (!json_get_text(varve, "instance", &name) || has_nul(name))
        return 0;
    if (json_get_bool(varve, "anew", &anew) && anew) {
        forget_commits(s);
        s->anew = true;
    }
    if (delta_positions_parse(&positions, json_member(varve, "positions"), err) != 0)
        return -1;
    struct delta_instance *instance = instance_of(s, name);
    instance->entries++;
    for (size_t i = 0; i < positions.count; i++)
        positions_merge(&instance->positions, &positions.list[i]);
    positions_free(&positions);
    note_rows(s, json_member(varve, "positions"));
    note_dead_letters(s, json_member(varve, "deadLetters"));
    note_beside(s, json_member(varve, "quarantine"));
    return 0;
}

int delta_snapshot_apply(struct delta_snapshot *s, const struct delta_action *action,
                         struct err *err)
{
    struct delta_action copy;
    if (s->want_files && s->want_varve)
        delta_foreign_note(&s->foreign, action);
    switch (action->kind) {
    case DELTA_PROTOCOL:
        keep_action(&s->protocol_text, &s->protocol_arena, &copy, action);
        s->protocol = copy.protocol;
        return 0;
    case DELTA_METADATA:
        keep_action(&s->metadata_text, &s->metadata_arena, &copy, action);
        s->metadata = copy.metadata;
        return 0;
    case DELTA_TXN:
        return apply_txn(s, &action->txn, err);
    case DELTA_ADD:
        if (s->want_varve)
            note_tags(s, &action->add.tags);
        return s->want_files ? add_file(s, &action->add, err) : 0;
    case DELTA_REMOVE:
        remove_file(s, &action->remove);
        return 0;
    case DELTA_COMMIT_INFO:
        return s->want_varve ? note_commit(s, action->commit_info.json, err) : 0;
    case DELTA_OTHER:
        break;
    }
    return 0;
}

void delta_snapshot_forget(struct delta_snapshot *s)
{
    for (size_t i = 0; i < s->files.count; i++)
        free_file(s, i);
    forget_commits(s);
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
                                 .account = account,
                                 .paths = {.account = account},
                                 .files = {.account = account}};
}

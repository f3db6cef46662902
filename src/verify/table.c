/* SPDX-License-Identifier: MIT */
#include "verify/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/sha256.h"
#include "base/text.h"
#include "delta/durable.h"
#include "delta/expired.h"
#include "object/directory.h"
#include "object/open.h"
#include "store/path.h"
#include "verify/others.h"

static void put_full_path(struct buf *out, const char *root, const char *relative)
{
    buf_reset(out);
    buf_append_text(out, root);
    buf_append_byte(out, '/');
    buf_append_text(out, relative);
}

static bool note_any(void *context, struct slice name)
{
    bool *any = context;
    (void)name;
    *any = true;
    return false;
}

static bool is_in_bucket(const char *url)
{
    struct object_config config = {.root = url, .entries = DELTA_LOG_FOLDER};
    struct err ignored = {0}; /* it is told by who opens it */
    struct object_store *store = object_open(&config, &ignored);
    bool any = false;
    if (store == NULL || object_list(store, DELTA_LOG_FOLDER, "", note_any, &any, &ignored) != 0)
        any = true;
    object_store_close(store);
    return any;
}

bool verify_table_exists(const char *root)
{
    struct stat st;
    struct buf path = {0};
    if (object_is_url(root))
        return !text_ends_with(root, ".parquet") && is_in_bucket(root);
    put_full_path(&path, root, DELTA_LOG_FOLDER);
    bool there = stat(buf_text(&path), &st) == 0 && S_ISDIR(st.st_mode);
    buf_free(&path);
    return there;
}

/* The number of a path as it is now, whatever it was when the log was written. */
static int64_t put_name(struct map *paths, struct slice path, bool *added)
{
    struct buf name = {0};
    bool renamed;
    store_path_quarantine_name(&name, path, &renamed);
    int64_t number = map_put(paths, buf_slice(&name), added);
    buf_free(&name);
    return number;
}

/* The number of a path of the log in `paths`, or -1 if it is none below the folder. */
static int64_t put_path(struct map *paths, struct slice uri, bool *added)
{
    struct buf path = {0};
    int64_t number = -1;
    if (delta_path_decode(&path, uri) && object_name_is_valid(buf_slice(&path)))
        number = put_name(paths, buf_slice(&path), added);
    buf_free(&path);
    return number;
}

static void note_actions(struct verify_table *t, const struct buf *text)
{
    struct err err = {0}; /* what can't be read may just have been committed */
    struct slice line, rest;
    struct arena arena = {0};
    for (rest = buf_slice(text); delta_next_line(&rest, &line); arena_reset(&arena)) {
        struct delta_action action;
        bool added;
        if (delta_action_parse(&action, &arena, line, &err) != 0)
            continue;
        if (action.kind == DELTA_ADD)
            (void)put_path(&t->pending, action.add.path, &added);
        else if (action.kind == DELTA_REMOVE)
            (void)put_path(&t->pending, action.remove.path, &added);
    }
    arena_free(&arena);
}

static void note_pending_entry(void *context, const char *name, enum system_kind kind)
{
    struct verify_table *t = context;
    struct buf text = {0}, path = {0};
    (void)kind; /* what is no file can't be read */
    if (strncmp(name, ".pending-", strlen(".pending-")) != 0)
        return;
    put_full_path(&path, t->root, DELTA_LOG_FOLDER);
    buf_append_text(&path, name);
    FILE *file = fopen(buf_text(&path), "re");
    while (file != NULL && text.len < DELTA_ENTRY_MAX) {
        buf_reserve(&text, BUFSIZ);
        size_t got = fread(text.data + text.len, 1, BUFSIZ, file);
        text.len += got;
        if (got == 0)
            break;
    }
    if (file != NULL)
        (void)fclose(file); /* it was only read */
    note_actions(t, &text);
    buf_free(&text);
    buf_free(&path);
}

/* Commits that were interrupted: hidden names, which an object store does not list; and what an
 * archive was about to have. */
static void note_pending(struct verify_table *t)
{
    struct buf path = {0}, announced = {0};
    struct err err = {0}; /* its log was read: what is wrong is told of that */
    bool found;
    if (t->store != NULL &&
        object_get_all(t->store, DELTA_ANNOUNCED, DELTA_ENTRY_MAX, &announced, &found, &err) == 0)
        note_actions(t, &announced);
    buf_free(&announced);
    if (object_is_url(t->root))
        return; /* who reads a bucket has no names of instances to ask for */
    put_full_path(&path, t->root, DELTA_LOG_FOLDER);
    (void)!directory_list(buf_text(&path), note_pending_entry, t); /* as above */
    buf_free(&path);
}

static void index_files(struct verify_table *t)
{
    const struct delta_snapshot *s = &t->snapshot;
    bool added = false;
    if (t->store == NULL)
        return;
    map_reset(&t->live);
    map_reset(&t->beside);
    t->live_files.count = 0;
    for (size_t i = 0; i < s->files.count; i++) {
        const struct delta_file *file = s->files.list[i];
        if (file == NULL)
            continue;
        if (put_path(&t->live, file->path, &added) >= 0 && added)
            *array_add(&t->live_files) = file;
    }
    for (size_t i = 0; i < s->beside.count; i++)
        (void)put_path(&t->beside, slice_of(s->beside.list[i].path), &added);
}

static void give_up(struct verify_table *t, const struct err *err)
{
    report_found(t->report, "log", "%s", err->text);
    object_store_close(t->store);
    t->store = NULL;
}

static void load(struct verify_table *t)
{
    struct err err = {0};
    delta_snapshot_free(&t->snapshot);
    t->snapshot = (struct delta_snapshot){.want_files = true, .want_varve = true};
    if (delta_snapshot_load(&t->snapshot, t->store, &err) != 0 ||
        (t->history && delta_durable_add_history(&t->snapshot, t->store, &err) != 0))
        give_up(t, &err);
}

void verify_table_add_history(struct verify_table *t)
{
    struct err err = {0};
    if (t->store != NULL && delta_durable_add_history(&t->snapshot, t->store, &err) != 0)
        give_up(t, &err);
    index_files(t);
}

void verify_table_open(struct verify_table *t, const char *root, struct report *report)
{
    struct object_config config = {.root = root, .entries = DELTA_LOG_FOLDER};
    struct err err = {0};
    *t = (struct verify_table){.root = root, .report = report};
    t->store = object_open(&config, &err);
    if (t->store == NULL) {
        report_found(report, "log", "%s", err.text);
        return;
    }
    note_pending(t);
    load(t);
    index_files(t);
    if (t->store != NULL)
        verify_others_judge(t);
}

/* Entries that came since; an error is told by the next load. */
static bool update(struct verify_table *t, delta_entry_visit *visit, void *context)
{
    struct err err = {0};
    bool gap = false;
    return delta_snapshot_update(&t->snapshot, t->store, visit, context, &gap, &err) == 0 && !gap &&
           delta_expired_apply(&t->snapshot, t->store, &err) == 0;
}

void verify_table_update(struct verify_table *t)
{
    if (t->store == NULL)
        return;
    if (!update(t, NULL, NULL))
        load(t);
    note_pending(t);
    index_files(t);
}

const struct delta_file *verify_table_live(const struct verify_table *t, const char *relative)
{
    int64_t number = map_find(&t->live, slice_of(relative));
    return number < 0 ? NULL : t->live_files.list[number];
}

void verify_table_close(struct verify_table *t)
{
    delta_snapshot_free(&t->snapshot);
    object_store_close(t->store);
    map_free(&t->live);
    array_free(&t->live_files);
    map_free(&t->beside);
    map_free(&t->pending);
    *t = (struct verify_table){0};
}

struct judge {
    struct verify_table *table;
    const struct verified_file *files;
    struct map names;   /* their relative paths; its numbers are those of `files` */
    struct map later;   /* relative paths of entries that came since */
    struct map removed; /* those that these entries removed */
    struct map missing; /* relative paths of files that should be there */
};

/* A file that was not listed. */
static void look_up(struct judge *j, const char *relative, uint64_t size)
{
    struct object_info info;
    struct err err = {0};
    bool found = false;
    if (object_head(j->table->store, relative, &info, &found, &err) == 0 && found) {
        if (info.size != size)
            report_found(j->table->report, "log", "%s has %" PRIu64 " bytes, the log says %" PRIu64,
                         relative, info.size, size);
    } else if (err_is_set(&err)) {
        report_found(j->table->report, "log", "%s", err.text);
    } else {
        bool added;
        (void)map_put(&j->missing, slice_of(relative), &added);
    }
}

/* Those that somebody has removed from the table while the files were read may be gone. */
static void report_missing(const struct judge *j)
{
    uint64_t told = 0;
    for (uint32_t i = 0; i < j->missing.count; i++) {
        struct slice name = map_key(&j->missing, i);
        if (map_find(&j->removed, name) < 0 && told++ < REPORT_EACH_MAX)
            report_found(j->table->report, "log", "%.*s is in the log, but missing", (int)name.len,
                         (const char *)name.data);
    }
    if (told > REPORT_EACH_MAX)
        report_total(j->table->report, "log", false, "%" PRIu64 " more files are missing",
                     told - REPORT_EACH_MAX);
}

static void compare_size(struct judge *j, const struct verified_file *file, uint64_t size,
                         uint64_t rows, bool has_rows)
{
    struct report *report = j->table->report;
    if (file->size != size)
        report_found(report, "log", "%s has %" PRIu64 " bytes, the log says %" PRIu64,
                     file->relative, file->size, size);
    else if (file->readable && has_rows && file->rows != rows)
        report_found(report, "log", "%s has %" PRIu64 " rows, the log says %" PRIu64,
                     file->relative, file->rows, rows);
}

static void compare_sequences(struct judge *j, const struct verified_file *file,
                              const struct delta_file *logged)
{
    struct slice text = delta_map_get(&logged->tags, "varve.sequences");
    if (file->readable && text.data != NULL &&
        (file->sequences == NULL || !slice_is(text, file->sequences)))
        report_found(j->table->report, "log", "%s has different sequences than the log says",
                     file->relative);
}

/* Every bit of the file is as it was committed: also where a page or a footer has no checksum. */
static void compare_hash(struct judge *j, const struct verified_file *file, struct slice logged)
{
    const char *relative = file->relative, *hash = file->sha256;
    char read[SHA256_TEXT_MAX];
    struct err err = {0};
    bool found = true;
    if (logged.data == NULL)
        return; /* of another engine, or of an earlier version */
    if (hash[0] == '\0') {
        if (object_hash(j->table->store, relative, read, &found, &err) != 0 || !found)
            return; /* it is read, or missed, elsewhere */
        hash = read;
    }
    if (!slice_is(logged, hash))
        report_found(j->table->report, "log", "%s has other bytes than were committed (SHA-256)",
                     relative);
}

static const struct verified_file *find(const struct judge *j, struct slice relative)
{
    int64_t number = map_find(&j->names, relative);
    return number < 0 || j->files[number].gone ? NULL : &j->files[number];
}

static void judge_live(struct judge *j)
{
    struct verify_table *t = j->table;
    struct buf relative = {0};
    for (uint32_t i = 0; i < t->live.count; i++) {
        const struct delta_file *logged = t->live_files.list[i];
        uint64_t rows = 0;
        bool has_rows = delta_file_rows(logged, &rows);
        buf_reset(&relative);
        buf_append_slice(&relative, map_key(&t->live, i));
        const struct verified_file *file = find(j, buf_slice(&relative));
        if (logged->vector != 0)
            report_found(t->report, "unsupported",
                         "%s has rows that another engine has deleted; varve can't tell which",
                         buf_text(&relative));
        if (file == NULL) {
            look_up(j, buf_text(&relative), logged->size);
            continue;
        }
        compare_size(j, file, logged->size, rows, has_rows && logged->vector == 0);
        compare_sequences(j, file, logged);
        if (file->size == logged->size)
            compare_hash(j, file, delta_map_get(&logged->tags, "varve.sha256"));
    }
    for (uint32_t i = 0; i < t->beside.count; i++) {
        const struct delta_beside *logged = &t->snapshot.beside.list[i];
        buf_reset(&relative);
        buf_append_slice(&relative, map_key(&t->beside, i));
        const struct verified_file *file = find(j, buf_slice(&relative));
        if (file == NULL)
            look_up(j, buf_text(&relative), logged->size);
        else
            compare_size(j, file, logged->size, logged->rows, true);
        if (file != NULL && logged->sha256 != NULL && file->size == logged->size)
            compare_hash(j, file, slice_of(logged->sha256));
    }
    buf_free(&relative);
}

static int note_later(void *context, uint64_t version, const struct delta_action *action,
                      struct err *err)
{
    struct judge *j = context;
    bool added;
    (void)version;
    (void)err; /* nothing is refused */
    if (action->kind == DELTA_ADD)
        (void)put_path(&j->later, action->add.path, &added);
    else if (action->kind == DELTA_REMOVE)
        (void)put_path(&j->removed, action->remove.path, &added);
    return 0;
}

/* `name` is the file's as it is now. */
static enum verify_state state_of_name(const struct judge *j, const struct verified_file *file,
                                       struct slice name)
{
    const struct verify_table *t = j->table;
    struct buf uri = {0};
    delta_path_encode(&uri, name);
    bool named = map_find(&t->snapshot.paths, buf_slice(&uri)) >= 0;
    buf_free(&uri);
    if (map_find(&t->live, name) >= 0)
        return VERIFY_LIVE;
    if (map_find(&t->beside, name) >= 0)
        return VERIFY_BESIDE;
    if (map_find(&j->later, name) >= 0)
        return VERIFY_LATER;
    if (map_find(&t->pending, name) >= 0)
        return VERIFY_PENDING;
    if (named)
        return VERIFY_REPLACED;
    /* No checkpoint keeps what the entries said of these. */
    return file->quarantine && t->snapshot.has_base ? VERIFY_BESIDE : VERIFY_UNKNOWN;
}

static enum verify_state state_of(const struct judge *j, const struct verified_file *file)
{
    struct buf name = {0};
    bool renamed;
    store_path_quarantine_name(&name, slice_of(file->relative), &renamed);
    enum verify_state state = state_of_name(j, file, buf_slice(&name));
    buf_free(&name);
    return state;
}

/* Under the number that the file has. A crash may have left two that differ in their endings only;
 * a NUL is in no name. */
static void put_file(struct map *names, const char *relative)
{
    bool added;
    (void)put_name(names, slice_of(relative), &added);
    if (!added)
        (void)map_put(names, (struct slice){(const uint8_t *)relative, strlen(relative) + 1},
                      &added);
}

void verify_table_judge(struct verify_table *t, struct verified_file *files, size_t count)
{
    struct judge j = {.table = t, .files = files};
    bool added;
    if (t->store == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        put_file(&j.names, files[i].relative);
    judge_live(&j);
    note_pending(t);
    /* Last, since it changes the snapshot. */
    if (!update(t, note_later, &j))
        report_note(t->report, "log",
                    "the log was cleaned up while the files were read: run this again");
    report_missing(&j);
    for (size_t i = t->beside.count; i < t->snapshot.beside.count; i++)
        (void)put_path(&j.later, slice_of(t->snapshot.beside.list[i].path), &added);
    for (size_t i = 0; i < count; i++)
        files[i].state = state_of(&j, &files[i]);
    map_free(&j.names);
    map_free(&j.later);
    map_free(&j.removed);
    map_free(&j.missing);
}

/* SPDX-License-Identifier: MIT */
#include "store/recover.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "delta/durable.h"
#include "delta/entry.h"
#include "delta/log.h"
#include "delta/position.h"
#include "delta/saved.h"
#include "delta/table.h"
#include "store/commit.h"
#include "store/known.h"
#include "store/path.h"
#include "store/removed.h"

enum {
    EVOLVE_ATTEMPTS = 20,
    /* A larger file of an earlier version keeps its name: none was larger than memory_limit. */
    STORE_QUARANTINE_MAX = 1024 * 1024 * 1024,
};

/* A table that takes over what an earlier one has left. */
static void describe_adopted(const struct store *store, const struct store_adopted *adopted,
                             const char *id, struct buf *out)
{
    struct buf text = {0};
    int64_t now = clock_wall();
    struct delta_commit commit = {.instance = store->instance,
                                  .engine = store->engine,
                                  .schema = store->schema,
                                  .wall_time = now,
                                  .files = adopted->files.list,
                                  .file_count = adopted->files.count};
    delta_commit_write(&text, &commit);
    size_t head = (size_t)((const uint8_t *)memchr(text.data, '\n', text.len) - text.data) + 1;
    buf_append(out, text.data, head);
    delta_table_describe(out, store->schema, id, now);
    buf_append(out, text.data + head, text.len - head);
    buf_free(&text);
}

/* Another instance may be making it at this moment: whoever comes first wins. */
static int create_table(struct store *store, struct err *err)
{
    struct store_adopted adopted = {0};
    struct buf entry = {0};
    char id[RANDOM_UUID_TEXT];
    bool taken;
    int result = -1;
    if (random_uuid(id, err) != 0 || store_adopt(store, &adopted, err) != 0)
        goto out;
    if (adopted.files.count > 0)
        describe_adopted(store, &adopted, id, &entry);
    else
        delta_table_create(&entry, store->schema, id, store->engine, clock_wall());
    result = delta_entry_append(store->objects, 0, buf_slice(&entry), &taken, err);
    store->recovery.created = true;
out:
    store_adopted_free(&adopted);
    buf_free(&entry);
    return result;
}

/* Give the table what it lacks. Somebody else may have done so, or anything else, a moment ago. */
static int evolve_table(struct store *store, bool *taken, struct err *err)
{
    struct buf entry = {0};
    uint64_t version = store->table.version + 1;
    delta_table_evolve(&entry, &store->table.metadata, store->schema, store->engine, clock_wall());
    int result = delta_entry_append(store->objects, version, buf_slice(&entry), taken, err);
    if (result == 0 && !*taken)
        result = delta_snapshot_apply_entry(&store->table, version, buf_slice(&entry), err);
    buf_free(&entry);
    return result;
}

static int check_table(const struct store *store, bool *evolve, struct err *err)
{
    const struct delta_snapshot *t = &store->table;
    if (delta_table_check(&t->protocol, &t->metadata, store->schema, evolve, err) == 0)
        return 0;
    return err_prefix(err,
                      "varve can't write to the table as it is at version %" PRIu64
                      " (undo what was changed, or have it write to another place)",
                      t->version);
}

/* Whether the log goes on behind what we know, though the next entry is not there: a clean-up
 * removes from the beginning on, but of its removals a power cut may keep some and lose some before
 * them. */
static bool is_cut_off(const struct store *store)
{
    uint64_t checkpoint;
    return delta_checkpoint_hint(store->objects, &checkpoint) && checkpoint > store->table.version;
}

static int note_removed(void *context, uint64_t version, const struct delta_action *action,
                        struct err *err)
{
    (void)err;
    store_removed_note(context, version, action);
    return 0;
}

/* A new instance has nothing to be told of what was removed before it came. */
static bool is_known(const struct delta_snapshot *table, const char *instance)
{
    struct buf prefix = {0};
    bool known = false;
    delta_app_prefix(&prefix, instance);
    for (uint32_t i = 0; i < table->app_ids.count && !known; i++)
        known = slice_starts_with(map_key(&table->app_ids, i), buf_text(&prefix));
    buf_free(&prefix);
    return known;
}

/* Go on from what this instance has written down, or else read all of the log. *known: it has been
 * here before. */
static int load_table(struct store *store, bool *known, struct err *err)
{
    struct store_removed removed = {.instance = store->instance};
    bool resumed, gap = false;
    int result = delta_saved_resume(&store->table, store->objects, store->instance, &resumed, err);
    if (result == 0 && resumed)
        result =
            delta_snapshot_update(&store->table, store->objects, note_removed, &removed, &gap, err);
    if (result == 0 && (!resumed || gap || is_cut_off(store))) {
        result =
            delta_snapshot_load_visited(&store->table, store->objects, note_removed, &removed, err);
        resumed = false;
    }
    *known = resumed || is_known(&store->table, store->instance);
    if (*known)
        store->recovery.removed = store_removed_tell(&removed, store->root);
    store_removed_free(&removed);
    return result;
}

static int make_table(struct store *store, struct err *err)
{
    if (create_table(store, err) != 0 ||
        delta_snapshot_load(&store->table, store->objects, err) != 0)
        return -1;
    return 0;
}

int store_recover_table(struct store *store, const struct store_config *config, struct err *err)
{
    struct delta_snapshot *table = &store->table;
    bool evolve, known;
    if (load_table(store, &known, err) != 0)
        return -1;
    if (!table->found && make_table(store, err) != 0)
        return -1;
    if (!table->found)
        return err_set(err, ERR_FORMAT, "something is removing the files of _delta_log");
    if (!known && !store->recovery.created && store_check_files(store, err) != 0)
        return -1;
    store->recovery.entries = table->version + 1;
    store->recovery.entries_read = table->version + 1 - (table->has_base ? table->base + 1 : 0);
    /* Once is enough unless somebody else comes before us each time. */
    for (int attempt = 0; attempt < EVOLVE_ATTEMPTS; attempt++) {
        bool taken;
        if (config->adapt != NULL &&
            config->adapt(config->context, table->metadata.schema_string, err) != 0)
            return -1;
        if (check_table(store, &evolve, err) != 0)
            return -1;
        if (!evolve)
            return 0;
        if (evolve_table(store, &taken, err) != 0 ||
            (taken && delta_snapshot_load(table, store->objects, err) != 0))
            return -1;
        store->recovery.evolved = true;
    }
    return err_set(err, ERR_FORMAT, "the table does not take the columns that varve adds to it");
}

struct visitor {
    struct store *store;
    struct buf prefix; /* of the transactions of this instance */
    struct store_removed removed;
};

/* We know of all our own entries, so one that we meet here is somebody else's. */
static int visit_action(void *context, uint64_t version, const struct delta_action *action,
                        struct err *err)
{
    struct visitor *v = context;
    store_removed_note(&v->removed, version, action);
    if (action->kind != DELTA_TXN || !slice_starts_with(action->txn.app_id, buf_text(&v->prefix)))
        return store_note_others(v->store, action, err);
    return err_set(err, ERR_REFUSED,
                   "another process commits as instance %s (entry %" PRIu64
                   " of the log): stop one of the two, or give it a nats.name of its own",
                   v->store->instance, version);
}

/* Look at the newest entry that we know. *same is false if it is gone, or has become another one.
 */
static int look_at_newest(struct store *store, struct object_info *info, bool *same,
                          struct err *err)
{
    struct buf name = {0};
    bool found = false;
    *info = (struct object_info){0};
    delta_entry_name(&name, store->table.version);
    int result = object_head(store->objects, buf_text(&name), info, &found, err);
    *same = found && (store->newest.size == 0 || (info->size == store->newest.size &&
                                                  info->modified == store->newest.modified));
    buf_free(&name);
    return result;
}

void store_note_newest(struct store *store)
{
    struct object_info info;
    struct err err = {0}; /* not known, then: the next look will be the first */
    bool same;
    store->newest = (struct object_info){0};
    if (look_at_newest(store, &info, &same, &err) == 0 && same)
        store->newest = info;
}

static int set_back(struct store *store, const char *how, struct err *err)
{
    store->outdated = true;
    return err_set(err, ERR_REFUSED, "the table %s since varve wrote to it last", how);
}

/* The newest entry that we know is gone: below a checkpoint, and with it what others may have done
 * under our name, but not their transactions; or the table was set back. */
static int reload_table(struct store *store, struct store_removed *removed, struct err *err)
{
    struct buf id = {0}, table = {0};
    uint64_t version = store->table.version;
    bool known = store->table.found;
    if (store->table.metadata.id.data != NULL)
        buf_append_slice(&table, store->table.metadata.id);
    removed->instance = store->instance;
    int result =
        delta_snapshot_load_visited(&store->table, store->objects, note_removed, removed, err);
    if (result == 0 && !store->table.found)
        result = set_back(store, "was removed", err);
    else if (result == 0 && known && !slice_equal(store->table.metadata.id, buf_slice(&table)))
        result = set_back(store, "was replaced by another one", err);
    else if (result == 0 && known && store->table.version < version)
        result = set_back(store, "was set back to an older state", err);
    if (result == 0 && store->table.want_varve)
        store_note_all(store, &store->table);
    else if (result == 0)
        result = delta_snapshot_load(&store->others.fresh, store->objects, err);
    buf_free(&table);
    for (size_t i = 0; i < store->current.count && result == 0; i++) {
        const struct position *p = &store->current.list[i];
        buf_reset(&id);
        delta_app_id(&id, store->instance, p);
        const struct delta_app *app = delta_snapshot_app(&store->table, buf_slice(&id));
        if (app != NULL && app->version > 0 && (uint64_t)app->version > p->through)
            result = err_set(err, ERR_REFUSED,
                             "another process commits as instance %s (stream %s is at %" PRId64
                             " in the log): stop one of the two, or give it a nats.name of its own",
                             store->instance, p->stream, app->version);
    }
    buf_free(&id);
    return result;
}

/* Read what is new. CREATE OR REPLACE makes another table by one more entry of the same log. */
static int update_table(struct store *store, struct visitor *v, bool *gap, struct err *err)
{
    struct buf id = {0};
    buf_append_slice(&id, store->table.metadata.id);
    int result = delta_snapshot_update(&store->table, store->objects, visit_action, v, gap, err);
    if (result == 0 && !*gap && !slice_equal(store->table.metadata.id, buf_slice(&id)))
        result = set_back(store, "was replaced by another one", err);
    buf_free(&id);
    return result;
}

int store_refresh_table(struct store *store, struct err *err)
{
    struct visitor v = {.store = store};
    struct object_info info = {0};
    uint64_t version = store->table.version;
    bool gap = !store->table.found;
    bool evolve;
    bool same = true;
    int result = 0;
    if (store->outdated)
        return err_set(err, ERR_REFUSED, "the table is not what varve knows of it any more");
    delta_app_prefix(&v.prefix, store->instance);
    if (!gap)
        result = look_at_newest(store, &info, &same, err);
    if (result == 0 && !gap && !same && info.size != 0)
        result = set_back(store, "was set back to an older state, and has gone on,", err);
    if (result == 0 && !gap)
        result = update_table(store, &v, &gap, err);
    delta_snapshot_complete(&store->others.fresh);
    if (store->table.version != version)
        store->newest = (struct object_info){0}; /* of another entry, be this one read or not */
    if (result == 0 && gap)
        result = reload_table(store, &v.removed, err);
    if (result == 0)
        result = check_table(store, &evolve, err);
    if (result == 0 && evolve) {
        store->outdated = true; /* the next start gives them back */
        result = err_set(err, ERR_REFUSED,
                         "another engine has taken columns or properties that varve gave it from "
                         "the table");
    }
    if (result == 0 && (gap || store->table.version != version))
        store_note_newest(store);
    else if (result == 0)
        store->newest = info; /* which was looked at */
    buf_free(&v.prefix);
    if (!store->outdated) /* else it is said at the next start, which is at once */
        (void)store_removed_tell(&v.removed, store->root);
    store_removed_free(&v.removed);
    return result;
}

static int read_positions(struct store *store, const struct store_config *config, struct err *err)
{
    struct positions known = {0};
    bool complete, saved;
    if (delta_durable_read(&store->current, &store->table, store->objects, store->instance,
                           &complete, &saved, &store->recovery.forgotten, &store->subjects,
                           err) != 0)
        return -1;
    store->recovery.incomplete = !complete;
    int result = store_read_known(store, config, &known, err);
    positions_copy(&store->positions, &store->current);
    positions_copy(&store->positions, &known);
    positions_free(&known);
    store->saved_version = saved ? store->table.version : 0;
    if (result != 0 || (saved && !store->recovery.removed))
        return result;
    store->saved_ranges = true;
    return store_save(store, err);
}

struct names {
    ARRAY(char *);
};

static bool note_name(void *context, struct slice name)
{
    struct names *names = context;
    struct buf now = {0};
    bool renamed;
    store_path_quarantine_name(&now, name, &renamed);
    if (renamed)
        *array_add(names) = text_copy_slice(name);
    buf_free(&now);
    return true;
}

/* Copied, then removed: whatever ends it, the next start goes on. */
static int rename_quarantine(struct store *store, const char *name, struct err *err)
{
    struct buf now = {0}, content = {0}, other = {0};
    bool renamed, own, taken = false;
    bool found = false, same = true;
    store_path_quarantine_name(&now, slice_of(name), &renamed);
    int result = store_is_own_file(store, name, &own, err);
    if (result == 0 && own)
        result = object_get_all(store->objects, name, STORE_QUARANTINE_MAX, &content, &found, err);
    if (result == 0 && found)
        result =
            object_put_if_absent(store->objects, buf_text(&now), buf_slice(&content), &taken, err);
    if (result == 0 && taken) {
        result = object_get_all(store->objects, buf_text(&now), STORE_QUARANTINE_MAX, &other, &same,
                                err);
        same = same && slice_equal(buf_slice(&content), buf_slice(&other));
    }
    if (result == 0 && found && same)
        result = object_remove(store->objects, name, err);
    buf_free(&now);
    buf_free(&content);
    buf_free(&other);
    return result;
}

/* Messages that are no rows were kept as *.parquet by earlier versions, where patterns for Parquet
 * files find them. What can't be renamed stays: it is as good as it was. */
static void rename_quarantines(struct store *store)
{
    struct names names = {0};
    struct err err = {0};
    if (object_list(store->objects, STORE_PATH_QUARANTINE, "", note_name, &names, &err) != 0)
        log_message(LOG_WARNING, "quarantine_kept", "%s", err.text);
    for (size_t i = 0; i < names.count; i++) {
        err_clear(&err);
        if (rename_quarantine(store, names.list[i], &err) != 0)
            log_message(LOG_WARNING, "quarantine_kept", "%s: %s", names.list[i], err.text);
        free(names.list[i]);
    }
    array_free(&names);
}

/* In a bucket a request that was thought lost may have put one there again, and two processes of
 * one name have one each. What was finished is an entry like any other, and so is one that a dead
 * process had sent, and that has come since the table was read. */
static int recover_commits(struct store *store, struct err *err)
{
    struct store_removed removed = {0};
    bool found = true, gap = false;
    int result = 0;
    while (result == 0 && found) {
        result = store_recover_commit(store, &found, err);
        if (result == 0)
            result = delta_snapshot_update(&store->table, store->objects, note_removed, &removed,
                                           &gap, err);
        if (result == 0 && gap)
            result = reload_table(store, &removed, err);
    }
    store->recovery.removed |= store_removed_tell(&removed, store->root);
    store_removed_free(&removed);
    return result;
}

int store_recover(struct store *store, const struct store_config *config, struct err *err)
{
    store->table.want_varve = true;
    if (store_recover_table(store, config, err) != 0 || recover_commits(store, err) != 0)
        return -1;
    store_note_newest(store);
    if (read_positions(store, config, err) != 0)
        return -1;
    rename_quarantines(store);
    uint32_t swept = store->recovery.files_removed;
    int result = object_clean(store->objects, &store->recovery.files_removed, err);
    store->recovery.files_removed += swept;
    if (result == 0)
        store_look_for_files(store);
    return result;
}

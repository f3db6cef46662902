/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/text.h"
#include "delta/entry.h"
#include "delta/object_file.h"
#include "store/commit.h"
#include "store/known.h"
#include "store/recover.h"

struct interrupted {
    struct store *store;
    struct delta_pending entry;
    struct object_member *members; /* of the group; they own their names */
    bool stored;                   /* others have stored what it has, or some of it */
};

static int look_for_rows(struct interrupted *i, struct err *err)
{
    return store_find_stored(i->store, buf_slice(&i->entry.text), &i->stored, err);
}

static int interrupted_text(void *context, const char *const *names, struct buf *out,
                            struct err *err)
{
    struct interrupted *i = context;
    (void)err; /* nothing can fail here */
    for (size_t move = 0; move < i->entry.moves.count; move++)
        delta_pending_set_path(&i->entry, move, slice_of(names[move]));
    buf_append_slice(out, buf_slice(&i->entry.text));
    return 0;
}

static int interrupted_name(void *context, bool taken, struct buf *out, struct err *err)
{
    struct interrupted *i = context;
    if (store_next_entry(i->store, taken, out, err) != 0 || look_for_rows(i, err) != 0)
        return -1;
    return i->stored ? err_set(err, ERR_REFUSED, "others have stored what it has") : 0;
}

static int parse_interrupted(struct interrupted *i, struct err *err)
{
    if (delta_pending_parse(&i->entry, i->store->instance, err) != 0)
        return -1;
    i->members = calloc(i->entry.moves.count + 1, sizeof(*i->members));
    if (i->members == NULL)
        out_of_memory((i->entry.moves.count + 1) * sizeof(*i->members));
    for (size_t move = 0; move < i->entry.moves.count; move++) {
        struct buf path = {0};
        delta_pending_path(&path, &i->entry, move);
        const struct delta_move *m = &i->entry.moves.list[move];
        i->members[move] =
            (struct object_member){m->id, text_copy_slice(buf_slice(&path)), m->size, m->sha256};
        buf_free(&path);
    }
    return 0;
}

static void free_interrupted(struct interrupted *i)
{
    for (size_t move = 0; i->members != NULL && move < i->entry.moves.count; move++)
        free((char *)i->members[move].name);
    free(i->members);
    delta_pending_free(&i->entry);
}

int store_is_own_file(struct store *store, const char *name, bool *own, struct err *err)
{
    struct delta_object_file object;
    bool found;
    *own = false;
    if (delta_object_file_open(&object, store->objects, name, &found, err) != 0)
        return -1;
    if (!found)
        return 0;
    *own = slice_is(parquet_file_value(&object.file, "varve.instance"), store->instance);
    delta_object_file_close(&object);
    return 0;
}

/* The same where a commit was to put a file. Those of varve are whole before they get their names:
 * what can't be read as one is somebody else's. */
static int is_own_member(struct store *store, const char *name, bool *own, struct err *err)
{
    struct err failure = {0};
    if (store_is_own_file(store, name, own, &failure) == 0 || failure.code == ERR_FORMAT ||
        failure.code == ERR_UNSUPPORTED || failure.code == ERR_LIMIT)
        return 0;
    *err = failure;
    return err_prefix(err, "%s", name);
}

struct renounced {
    ARRAY(char *);
};

static bool note_renounced(void *context, struct slice name)
{
    struct renounced *r = context;
    *array_add(r) = text_copy_slice(name);
    return true;
}

static bool is_live(const struct delta_snapshot *table, struct slice name)
{
    struct buf path = {0};
    delta_path_encode(&path, name);
    bool live = delta_snapshot_file(table, buf_slice(&path)) != NULL;
    buf_free(&path);
    return live;
}

static int instead_text(void *context, const char *const *names, struct buf *out, struct err *err)
{
    struct interrupted *i = context;
    (void)names;
    (void)err; /* nothing can fail here */
    delta_pending_write_instead(out, i->store->engine, clock_wall());
    return 0;
}

static int instead_name(void *context, bool taken, struct buf *out, struct err *err)
{
    struct interrupted *i = context;
    return store_next_entry(i->store, taken, out, err);
}

/* What nobody has of it comes again: nothing of it was acked. A name of a file may have become that
 * of another instance's since, where this was begun before; or the file itself was adopted by a new
 * log. */
static int withdraw(struct interrupted *i, struct err *err)
{
    size_t count = i->entry.moves.count, own_count = 0;
    struct delta_snapshot table = {.want_files = true};
    const struct object_group instead = {NULL, 0, instead_text, instead_name, i};
    char **names = calloc(count + 1, sizeof(*names));
    const char **all = calloc(count + 1, sizeof(*all));
    if (names == NULL || all == NULL)
        out_of_memory((count + 1) * sizeof(*names));
    for (size_t move = 0; move < count; move++)
        all[move] = i->members[move].name;
    int result = object_renounce(i->store->objects, all, count, err);
    if (result == 0)
        result = delta_snapshot_load(&table, i->store->objects, err);
    for (size_t move = 0; move < count && result == 0; move++) {
        const struct object_member *member = &i->members[move];
        bool own;
        result = is_own_member(i->store, member->name, &own, err);
        if (result == 0 && own && !is_live(&table, slice_of(member->name)))
            names[own_count++] = text_copy(member->name);
    }
    if (result == 0)
        result = object_withdraw(i->store->objects, (const char *const *)names, own_count, &instead,
                                 err);
    i->store->recovery.withdrawn |= result == 0 && i->stored;
    for (size_t k = 0; k < own_count; k++)
        free(names[k]);
    free(names);
    free(all);
    delta_snapshot_free(&table);
    return result;
}

/* Forward, unless others were faster: it may have been interrupted long ago. */
static int finish_interrupted(struct interrupted *i, struct err *err)
{
    struct store *store = i->store;
    struct object_group group = {i->members, i->entry.moves.count, interrupted_text,
                                 interrupted_name, i};
    bool forward = false;
    int result = look_for_rows(i, err);
    if (result == 0 && !i->stored)
        result = object_resume(store->objects, &group, &forward, err);
    store->recovery.rolled_forward |= forward;
    if (!i->stored && (result != 0 || forward))
        return result;
    err_clear(err);
    return withdraw(i, err);
}

int store_sweep(struct object_store *objects, store_is_ours *ours, void *context, uint32_t *removed,
                struct err *err)
{
    struct renounced names = {0};
    struct delta_snapshot table = {.want_files = true};
    int result = object_renounced(objects, note_renounced, &names, err);
    if (result == 0 && names.count > 0)
        result = delta_snapshot_load(&table, objects, err);
    for (size_t i = 0; i < names.count; i++) {
        struct object_info info;
        bool goes = false;
        if (result == 0)
            result = object_head(objects, names.list[i], &info, &goes, err);
        goes = goes && !is_live(&table, slice_of(names.list[i]));
        if (result == 0 && goes && ours != NULL)
            result = ours(context, names.list[i], &goes, err);
        if (result == 0 && goes)
            result = object_remove(objects, names.list[i], err);
        *removed += result == 0 && goes;
        free(names.list[i]);
    }
    array_free(&names);
    delta_snapshot_free(&table);
    return result;
}

static int is_ours(void *context, const char *name, bool *ours, struct err *err)
{
    return is_own_member(context, name, ours, err);
}

int store_recover_commit(struct store *store, bool *found, struct err *err)
{
    struct interrupted i = {.store = store};
    int result = object_interrupted(store->objects, &i.entry.text, found, err);
    if (result == 0 && *found) {
        result = parse_interrupted(&i, err);
        if (result != 0)
            (void)err_prefix(err, "the interrupted commit, _delta_log/.pending-%s",
                             store->instance);
    }
    if (result == 0 && *found)
        result = finish_interrupted(&i, err);
    free_interrupted(&i);
    return result != 0 || *found
               ? result
               : store_sweep(store->objects, is_ours, store, &store->recovery.files_removed, err);
}

/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/text.h"
#include "delta/log.h"
#include "delta/properties.h"
#include "follow/anew_part.h"
#include "object/bucket.h"
#include "store/compact_replaced.h"

/* Who is at it commits every few seconds. */
#define GIVEN_UP_AFTER (24 * 3600 * CLOCK_SECOND)

static bool is_live(const struct delta_snapshot *table, const char *folder)
{
    for (uint32_t i = 0; i < table->paths.count; i++)
        if (table->files.list[i] != NULL && slice_starts_with(map_key(&table->paths, i), folder))
            return true;
    return false;
}

typedef int visit_folder(void *context, const char *folder, struct err *err);

/* Visit the folders in `_anew/`: "_anew/1/"; an error ends it. */
static int each_folder(struct object_store *store, visit_folder *visit, void *context,
                       struct err *err)
{
    struct buf found = {0}, after = {0};
    const size_t own = strlen(FOLLOW_ANEW_FOLDER);
    int result = 0;
    while (result == 0) {
        buf_reset(&found);
        result = object_bucket_first(store, FOLLOW_ANEW_FOLDER, buf_text(&after), &found, err);
        if (result != 0 || found.len == 0)
            break;
        const uint8_t *slash = memchr(found.data + own, '/', found.len - own);
        buf_reset(&after);
        if (slash == NULL) { /* not ours */
            buf_append_slice(&after, buf_slice(&found));
            continue;
        }
        found.len = (size_t)(slash - found.data) + 1;
        buf_append_slice(&after, buf_slice(&found));
        after.data[after.len - 1] = '/' + 1; /* behind all that is in it */
        result = visit(context, buf_text(&found), err);
    }
    buf_free(&found);
    buf_free(&after);
    return result;
}

/* The number of a folder; false for one that is not ours. */
static bool number_of(const char *folder, int64_t *number)
{
    struct slice digits = slice_of(folder + strlen(FOLLOW_ANEW_FOLDER));
    digits.len--;
    return num_parse_i64(digits, number) && *number > 0;
}

static int note_greatest(void *context, const char *folder, struct err *err)
{
    int64_t *greatest = context, number;
    (void)err;
    if (number_of(folder, &number) && number > *greatest && number < INT64_MAX)
        *greatest = number;
    return 0;
}

int anew_greatest(struct object_store *store, int64_t *number, struct err *err)
{
    *number = 0;
    return each_folder(store, note_greatest, number, err);
}

static int erase_part(struct object_store *store, const char *folder, const char *part,
                      struct err *err)
{
    struct buf name = {0};
    buf_printf(&name, "%s%s", folder, part);
    int result = object_bucket_erase(store, buf_text(&name), err);
    buf_free(&name);
    return result;
}

void anew_note_gone(void *context, const struct delta_remove *remove)
{
    struct anew_gone *gone = context;
    struct buf key = {0};
    struct slice path = delta_path_key(&key, remove->path);
    if (slice_starts_with(path, FOLLOW_ANEW_FOLDER)) {
        bool added;
        uint32_t number = map_put(&gone->paths, path, &added);
        if (added)
            *array_add(&gone->at) = 0;
        gone->at.list[number] = remove->deletion_timestamp;
    }
    buf_free(&key);
}

void anew_gone_free(struct anew_gone *gone)
{
    map_free(&gone->paths);
    array_free(&gone->at);
}

/* As a table of the log has it now. */
struct view {
    struct object_store *store;
    const struct delta_snapshot *table;
    const struct anew_gone *gone;
    struct map noted; /* files that wait for their time */
};

/* Old versions that have it can still be read, as long as the table says. */
static bool is_young(const struct view *v, uint32_t number)
{
    return v->gone->at.list[number] >=
           clock_wall() / CLOCK_MILLISECOND - delta_tombstone_retention(&v->table->metadata);
}

/* Whether there are files of the table in it, or files that were, also those that another engine
 * has replaced, and that wait for their time. */
static bool is_used(const struct view *v, const char *folder)
{
    bool used = is_live(v->table, folder);
    for (uint32_t i = 0; i < v->noted.count && !used; i++)
        used = slice_starts_with(map_key(&v->noted, i), folder);
    for (uint32_t i = 0; i < v->gone->paths.count && !used; i++)
        used = slice_starts_with(map_key(&v->gone->paths, i), folder) && is_young(v, i);
    return used;
}

/* A folder that nobody can put in the place of anything any more. */
static int erase(struct object_store *store, const char *folder, bool used, struct err *err)
{
    if (!used)
        return erase_part(store, folder, "", err);
    return erase_part(store, folder, ".varve/", err) != 0 ||
                   erase_part(store, folder, DELTA_LOG_FOLDER, err) != 0
               ? -1
               : 0;
}

struct sweep {
    struct view view;
    int64_t number;
};

static int sweep_one(void *context, const char *folder, struct err *err)
{
    const struct sweep *s = context;
    int64_t number;
    if (!number_of(folder, &number) || number >= s->number)
        return 0;
    return erase(s->view.store, folder, is_used(&s->view, folder), err);
}

int anew_sweep(struct object_store *store, const struct delta_snapshot *table,
               const struct anew_gone *gone, int64_t number, struct err *err)
{
    struct sweep s = {{store, table, gone, {0}}, number};
    int result = replaced_names(store, &s.view.noted, err);
    if (result == 0)
        result = each_folder(store, sweep_one, &s, err);
    map_free(&s.view.noted);
    return result;
}

struct tidying {
    struct object_store *store;
    int64_t now;
    struct delta_snapshot table; /* loaded for the first folder, with */
    struct anew_gone gone;
    struct view view;
    struct replaced_list unnamed; /* in a folder */
};

static bool note_unnamed(void *context, struct slice name)
{
    struct tidying *t = context;
    struct buf path = {0};
    delta_path_encode(&path, name);
    int64_t gone = map_find(&t->gone.paths, buf_slice(&path));
    char *copy = text_copy_slice(name);
    if (text_ends_with(copy, ".parquet") && strstr(copy, "/" DELTA_LOG_FOLDER) == NULL &&
        delta_snapshot_file(&t->table, buf_slice(&path)) == NULL &&
        map_find(&t->view.noted, name) < 0 && (gone < 0 || !is_young(&t->view, (uint32_t)gone)))
        *array_add(&t->unnamed) = copy;
    else
        free(copy);
    buf_free(&path);
    return true;
}

/* Files that took the place of a table, and that another engine has replaced: its clean-up passes
 * over folders with a '_'. One that is new may be about to be committed. */
static int remove_unnamed(struct tidying *t, const char *folder, struct err *err)
{
    int result = object_list(t->store, folder, "", note_unnamed, t, err);
    for (size_t i = 0; i < t->unnamed.count && result == 0; i++) {
        const char *name = t->unnamed.list[i];
        struct object_info info;
        bool found = false;
        result = object_head(t->store, name, &info, &found, err);
        if (result == 0 && found && info.modified < t->now - GIVEN_UP_AFTER)
            result = object_remove(t->store, name, err);
    }
    replaced_free(&t->unnamed);
    return result;
}

static int tidy_one(void *context, const char *folder, struct err *err)
{
    struct tidying *t = context;
    int64_t newest, number;
    if (!number_of(folder, &number))
        return 0;
    if (!t->table.found && (delta_snapshot_load(&t->table, t->store, err) != 0 ||
                            replaced_names(t->store, &t->view.noted, err) != 0))
        return -1;
    if (object_bucket_newest(t->store, folder, &newest, err) != 0)
        return -1;
    const struct delta_app *last = delta_snapshot_app(&t->table, slice_of(ANEW_APP));
    bool old = newest < t->now - GIVEN_UP_AFTER, used = is_used(&t->view, folder);
    if (last == NULL || number > last->version || (!old && !used))
        return 0;
    /* Who has begun it may be asleep: it is refused from then on. */
    if (number == last->version && !used &&
        anew_announce(t->store, &t->table, NULL, &number, err) != 0)
        return -1;
    if (old && erase(t->store, folder, used, err) != 0)
        return -1;
    return used ? remove_unnamed(t, folder, err) : 0;
}

int follow_anew_tidy(struct object_store *store, int64_t now, struct err *err)
{
    struct tidying t = {.store = store,
                        .now = now,
                        .table = {.want_files = true,
                                  .keep = delta_keep_brief,
                                  .gone = anew_note_gone,
                                  .gone_context = &t.gone},
                        .view = {store, &t.table, &t.gone, {0}}};
    bool due = false;
    uint64_t removed;
    int result = replaced_due(store, now, &due, err);
    if (result == 0 && due)
        result = delta_snapshot_load(&t.table, store, err); /* as new as `now` */
    if (result == 0 && due)
        result = replaced_remove(store, &t.table, now, &removed, err);
    if (result == 0 && due)
        result = replaced_names(store, &t.view.noted, err);
    if (result == 0)
        result = each_folder(store, tidy_one, &t, err);
    delta_snapshot_free(&t.table);
    anew_gone_free(&t.gone);
    map_free(&t.view.noted);
    return result;
}

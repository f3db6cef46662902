/* SPDX-License-Identifier: MIT */
#include "follow/archive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "delta/log.h"
#include "delta/snapshot.h"
#include "follow/archive_part.h"
#include "object/open.h"

enum {
    /* Entries that are read ahead, for what became of their files: of more, the files that there
     * are now are compared. A minute each, that is three days. */
    PLAN_MAX = 4096,
};

/* The same each time, and not that of the store: to readers it is another table. */
static void make_id(struct slice source, char out[static ARCHIVE_ID])
{
    struct buf text = {0};
    char hash[SHA256_TEXT_MAX];
    buf_append_text(&text, ARCHIVE_APP);
    buf_append_slice(&text, source);
    sha256_text(buf_slice(&text), hash);
    buf_free(&text);
    /* RFC 9562, "UUID Version 8" */
    snprintf(out, ARCHIVE_ID, "%.8s-%.4s-8%.3s-8%.3s-%.12s", hash, hash + 8, hash + 12, hash + 15,
             hash + 18);
}

static int check_source(struct archive *a, const struct delta_snapshot *archived,
                        struct slice source, struct err *err)
{
    struct buf id = {0};
    bool any = false;
    for (uint32_t i = 0; i < archived->app_ids.count; i++)
        any = any || slice_starts_with(map_key(&archived->app_ids, i), ARCHIVE_APP);
    buf_append_text(&id, ARCHIVE_APP);
    buf_append_slice(&id, source);
    const struct delta_app *app = delta_snapshot_app(archived, buf_slice(&id));
    buf_free(&id);
    a->through = app != NULL ? app->version : -1;
    /* A store that was made of its archive goes on with it. */
    if (app != NULL || (any && slice_equal(archived->metadata.id, source)))
        return 0;
    return err_set(err, ERR_USAGE, "%s: there is a table that is no archive of this store",
                   a->root);
}

/* What table there is, how far it has come, and what a crash has left. */
static int read_archive(struct archive *a, struct slice source, struct err *err)
{
    struct delta_snapshot archived = {0};
    int result = delta_snapshot_load(&archived, a->store, err);
    a->there = result == 0 && archived.found;
    a->next = a->there ? archived.version + 1 : 0;
    a->kept_at = archived.has_base ? archived.base : 0;
    a->through = -1;
    a->exact = false;
    make_id(source, a->id);
    if (a->there)
        result = check_source(a, &archived, source, err);
    if (a->there && result == 0 && archived.metadata.id.len == ARCHIVE_ID - 1)
        memcpy(a->id, archived.metadata.id.data, ARCHIVE_ID - 1);
    delta_snapshot_free(&archived);
    if (result == 0)
        result = archive_recover(a, err);
    if (result == 0 && a->there && a->manifest)
        result = archive_note_others(a, a->next - 1, err);
    a->read = result == 0;
    return result;
}

static enum delta_keep keep_planned(void *context, const struct delta_add *add,
                                    struct delta_mark *mark)
{
    const struct archive_plan *plan = context;
    (void)mark;
    return map_find(&plan->paths, add->path) >= 0 ? DELTA_KEEP_BRIEF : DELTA_KEEP_NOTHING;
}

/* What the archive has of the plan's files: by its log, unless it is known. */
static int find_live(struct archive *a, struct archive_plan *plan, struct err *err)
{
    struct delta_snapshot archived = {.want_files = true,
                                      .keep = keep_planned,
                                      .keep_context = plan,
                                      .account = &a->target.account};
    if (a->exact)
        return 0;
    int result = a->there ? delta_snapshot_load(&archived, a->store, err) : 0;
    for (uint32_t i = 0; i < plan->list.count; i++)
        plan->list.list[i].live = delta_snapshot_file(&archived, map_key(&plan->paths, i)) != NULL;
    delta_snapshot_free(&archived);
    return result;
}

static int64_t time_of(const struct json *info)
{
    int64_t ms = 0;
    return json_get_i64(info, "timestamp", &ms) && ms > 0 && ms < INT64_MAX / CLOCK_MILLISECOND ? ms
                                                                                                : 0;
}

static int put_info(struct archive *a, struct follow_view *view, const struct json *info,
                    bool swaps, struct archive_commit *c, struct err *err)
{
    struct buf varve = {0};
    const struct json *member = json_member(info, "varve");
    struct json_writer w = {.out = &varve};
    if (archive_copy_beside(a, view, info, err) != 0)
        return -1;
    if (member != NULL)
        json_put_value(&w, NULL, member);
    if (time_of(info) > 0)
        view->behind_since = time_of(info) * CLOCK_MILLISECOND;
    archive_put_info(c, time_of(info), buf_slice(&varve), swaps);
    buf_free(&varve);
    return 0;
}

/* All of an entry but its files. */
static int put_head(struct archive *a, struct follow_view *view, const struct archive_entry *e,
                    struct archive_commit *c, struct err *err)
{
    static const struct json nothing = {.type = JSON_OBJECT};
    const struct json *info = &nothing;
    for (size_t i = 0; i < e->actions.count; i++)
        if (e->actions.list[i].kind == DELTA_COMMIT_INFO)
            info = e->actions.list[i].commit_info.json;
    if (put_info(a, view, info, e->swaps, c, err) != 0)
        return -1;
    for (size_t i = 0; i < e->actions.count; i++) {
        const struct delta_action *action = &e->actions.list[i];
        if (action->kind == DELTA_METADATA)
            archive_put_metadata(c, a, action->metadata);
        else if (action->kind == DELTA_PROTOCOL ||
                 (action->kind == DELTA_TXN && !slice_starts_with(action->txn.app_id, ARCHIVE_APP)))
            delta_action_write(&c->head, action);
    }
    archive_put_through(c, view->table->metadata.id, e->version);
    return 0;
}

static int put_files(const struct archive_entry *e, struct archive_plan *plan,
                     struct archive_commit *c, struct err *err)
{
    struct archive_change change = {0};
    struct buf line = {0};
    int result = 0;
    for (size_t i = 0; i < e->actions.count; i++) {
        if (e->actions.list[i].kind != DELTA_ADD)
            continue;
        buf_reset(&line);
        delta_action_write(&line, &e->actions.list[i]);
        const char *kept = arena_text(&c->arena, line.data, line.len);
        archive_plan_take(plan, &e->actions.list[i].add,
                          (struct slice){(const uint8_t *)kept, line.len}, &change);
    }
    for (size_t i = 0; i < change.adds.count && result == 0; i++) {
        struct delta_action action;
        result = delta_action_parse(&action, &c->arena, change.adds.list[i], err);
        if (result == 0)
            *array_add(&c->adds) = action.add;
    }
    for (size_t i = 0; i < change.removes.count; i++)
        *array_add(&c->removes) = change.removes.list[i];
    c->data_change = change.data_change;
    array_free(&change.adds);
    array_free(&change.removes);
    buf_free(&line);
    return result;
}

/* The entries from `first` to `last`, each as one of the archive's. Without a plan their files are
 * there already. */
static int bring_entries(struct archive *a, struct follow_view *view, struct archive_plan *plan,
                         uint64_t first, uint64_t last, struct err *err)
{
    struct account *account = &a->target.account;
    struct archive_entry e = {
        .text.account = account, .arena.account = account, .actions.account = account};
    struct archive_commit c = {.head.account = account, .arena.account = account};
    int result = 0;
    for (uint64_t version = first; version <= last && result == 0; version++) {
        archive_commit_reset(&c);
        view->failed = true;
        result = archive_entry_read(&e, view->store, version, err);
        view->failed = result != 0;
        if (result == 0)
            result = put_head(a, view, &e, &c, err);
        if (result == 0 && plan != NULL)
            result = put_files(&e, plan, &c, err);
        if (result == 0)
            result = archive_make_commit(a, view, &c, err);
        if (result == 0)
            a->through = (int64_t)version;
        if (result == 0 && atomic_load(view->stop))
            result = err_set(err, ERR_REFUSED, "it is time to end");
    }
    archive_entry_free(&e);
    archive_commit_free(&c);
    return result;
}

/* *torn: they can't tell, and nothing was done. */
static int bring_planned(struct archive *a, struct follow_view *view, uint64_t first, uint64_t last,
                         bool *torn, struct err *err)
{
    struct archive_plan plan = {.paths.account = &a->target.account,
                                .list.account = &a->target.account,
                                .lines.account = &a->target.account};
    view->failed = true;
    int result = archive_plan_read(&plan, view->store, first, last, view->stop, err);
    view->failed = result != 0;
    if (result == 0)
        result = find_live(a, &plan, err);
    *torn = result == 0 && archive_plan_is_torn(&plan);
    if (result == 0 && !*torn)
        result = bring_entries(a, view, &plan, first, last, err);
    archive_plan_free(&plan);
    return result;
}

/* By the files; then what the entries say that are there, up to the same version. */
static int bring_state(struct archive *a, struct follow_view *view,
                       const struct delta_listing *listing, bool lost, struct err *err)
{
    uint64_t version, first = UINT64_MAX;
    if (!lost && listing->entries.count > 0)
        first = listing->entries.list[0];
    if (archive_take_state(a, view, first, &version, err) != 0)
        return -1;
    a->through = (int64_t)version;
    return first <= version ? bring_entries(a, view, NULL, first, version, err) : 0;
}

static bool is_whole(const struct delta_listing *listing, uint64_t first)
{
    const size_t count = listing->entries.count;
    return count > 0 && count <= PLAN_MAX && listing->entries.list[0] == first &&
           listing->entries.list[count - 1] - first == count - 1;
}

static int bring_listed(struct archive *a, struct follow_view *view, struct err *err)
{
    struct delta_listing listing = {0};
    bool lost = a->there && (a->through < 0 || (uint64_t)a->through > view->table->version);
    uint64_t first = lost || a->through < 0 ? 0 : (uint64_t)a->through + 1;
    bool torn = false;
    view->failed = true;
    int result = delta_log_list(view->store, first, &listing, err);
    view->failed = result != 0;
    bool news = lost || first <= view->table->version;
    bool whole = !lost && is_whole(&listing, first);
    if (result == 0 && whole)
        result = bring_planned(a, view, first, listing.entries.list[listing.entries.count - 1],
                               &torn, err);
    if (result == 0 && (torn || (news && !whole)))
        result = bring_state(a, view, &listing, lost, err);
    delta_listing_free(&listing);
    return result;
}

static int bring_anew(struct archive *a, struct follow_view *view, struct err *err)
{
    const struct delta_listing none = {0};
    if (archive_make_anew(a, view, err) != 0 || bring_state(a, view, &none, true, err) != 0)
        return -1;
    a->anew = false;
    return 0;
}

static int bring(struct follow_target *target, struct follow_view *view, struct err *err)
{
    struct archive *a = (struct archive *)target;
    int result = a->read ? 0 : read_archive(a, view->table->metadata.id, err);
    if (result == 0)
        result = a->anew ? bring_anew(a, view, err) : bring_listed(a, view, err);
    a->read = a->exact = result == 0;
    if (result == 0)
        archive_keep_log(a, view);
    return result;
}

static void keep(struct follow_target *target)
{
    archive_keep_reports((struct archive *)target, clock_monotonic());
}

static int open_archive(struct follow_target *target, const struct delta_follower *done,
                        struct err *err)
{
    struct archive *a = (struct archive *)target;
    struct object_config config = {.root = a->root,
                                   .entries = DELTA_LOG_FOLDER,
                                   .writer = "the archive's follower",
                                   .writer_name = "%archive"};
    uint32_t removed;
    (void)done; /* the archive knows it */
    a->read = false;
    a->store = object_open(&config, err);
    return a->store == NULL ? -1 : object_clean(a->store, &removed, err);
}

/* What `bring` brings is committed. */
static int commit(struct follow_target *target, const struct delta_follower *done, struct err *err)
{
    (void)target;
    (void)done;
    (void)err;
    return 0;
}

/* A directory is tried elsewhere, beside what is below it. */
static int try_bucket(struct object_store *store, struct err *err)
{
    static const char name[] = "_varve-check";
    return object_put(store, name, slice_of("varve check\n"), err) != 0 ||
                   object_remove(store, name, err) != 0
               ? -1
               : 0;
}

static int check(struct follow_target *target, struct buf *says, struct err *err)
{
    const struct archive *a = (const struct archive *)target;
    bool bucket = object_is_url(a->root);
    struct object_config config = {.root = a->root,
                                   .entries = DELTA_LOG_FOLDER,
                                   .writer = bucket ? "varve check" : NULL,
                                   .writer_name = "%check"};
    struct delta_snapshot archived = {0};
    struct err none = {0};
    int result = 0;
    struct object_store *store = object_open(&config, &none);
    if (store == NULL && bucket)
        return err_set(err, none.code, "%s", none.text);
    if (bucket)
        result = try_bucket(store, err);
    if (store != NULL && result == 0)
        result = delta_snapshot_load(&archived, store, err);
    bool any = false;
    for (uint32_t i = 0; i < archived.app_ids.count; i++)
        any = any || slice_starts_with(map_key(&archived.app_ids, i), ARCHIVE_APP);
    if (result == 0 && archived.found && !any)
        result = err_set(err, ERR_USAGE, "%s: there is a table that is no archive", a->root);
    if (result == 0 && archived.found)
        buf_printf(says, "%s is an archive with %" PRIu64 " commits", a->root,
                   archived.version + 1);
    else if (result == 0)
        buf_printf(says, "%s takes the archive", a->root);
    delta_snapshot_free(&archived);
    object_store_close(store);
    return result;
}

static void close_archive(struct follow_target *target)
{
    struct archive *a = (struct archive *)target;
    object_store_close(a->store);
    parquet_codec_free(a->codec);
    buf_free(&a->piece);
    archive_forget_reports(a);
    a->store = NULL;
    a->codec = NULL;
    a->read = a->exact = false;
}

static void free_archive(struct follow_target *target)
{
    close_archive(target);
    free(target);
}

struct follow_target *follow_archive_new(const struct config *config,
                                         const struct config_follower *follower)
{
    static const struct follow_target_operations operations = {
        open_archive, NULL, commit, check, close_archive, free_archive};
    struct archive *a = calloc(1, sizeof(*a));
    if (a == NULL)
        out_of_memory(sizeof(*a));
    a->target.operations = &operations;
    a->target.bring = bring;
    a->target.keep = keep;
    a->source = config->output.log_output_directory;
    a->name = follower->name;
    a->root = follower->target;
    a->level = (int)follower->compression_level;
    a->bandwidth = follower->bandwidth;
    a->manifest = follower->manifest;
    a->piece.account = a->reports.account = a->report_list.account = &a->target.account;
    return &a->target;
}

void follow_archive_anew(struct follow_target *target)
{
    ((struct archive *)target)->anew = true;
}

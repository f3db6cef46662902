/* SPDX-License-Identifier: MIT */
#include "store/retain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/assert.h"
#include "base/random.h"
#include "base/text.h"
#include "delta/expired.h"
#include "delta/follower.h"
#include "delta/log.h"
#include "delta/table.h"
#include "store/known.h"
#include "store/retain_plan.h"

/* Other writers may come first each time, but not for ever. */
enum { COMMIT_ATTEMPTS = 100 };

struct retaining {
    struct object_store *store;
    const struct retain_options *options;
    int64_t now;
    const atomic_bool *stop;
    struct retain_done *out;
    struct buf engine;
    struct retain_plan plan;
    struct delta_expired expired;
    struct delta_followers followers;
    struct delta_snapshot table; /* with the files of chosen partitions, and what the commits say */
};

static int check_stop(const struct retaining *r, struct err *err)
{
    return atomic_load(r->stop) ? err_set(err, ERR_REFUSED, "it is time to end") : 0;
}

/* One file, unless it is live, or not the one that was meant. */
static int remove_file(struct retaining *r, const struct delta_snapshot *table,
                       const struct delta_expired_file *file, struct buf *name, struct err *err)
{
    struct object_info info;
    bool found;
    buf_reset(name);
    if (delta_snapshot_file(table, slice_of(file->path)) != NULL ||
        !delta_path_decode(name, slice_of(file->path)) || !object_name_is_valid(buf_slice(name)))
        return 0;
    if (object_head(r->store, buf_text(name), &info, &found, err) != 0)
        return -1;
    if (!found || info.size != file->size || info.modified != file->modified)
        return 0;
    return object_remove(r->store, buf_text(name), err);
}

/* The files of the last commit, and the folders that this leaves empty; files of one folder stand
 * together. */
static int remove_files(struct retaining *r, const struct delta_snapshot *table, struct err *err)
{
    struct buf name = {0};
    int result = 0;
    for (size_t i = 0; i < r->expired.files.count && result == 0; i++) {
        const struct delta_expired_file *file = &r->expired.files.list[i];
        bool last =
            i + 1 == r->expired.files.count || !slice_equal(retain_folder(slice_of(file->path)),
                                                            retain_folder(slice_of(file[1].path)));
        result = check_stop(r, err) != 0 ? -1 : remove_file(r, table, file, &name, err);
        if (result == 0 && last && name.len > 0)
            result = object_tidy(r->store, buf_text(&name), err);
    }
    buf_free(&name);
    if (result != 0)
        return -1;
    delta_expired_forget_files(&r->expired);
    r->expired.id[0] = '\0';
    return delta_expired_write(&r->expired, r->store, table, err);
}

/* What an earlier run has begun. */
static int finish(struct retaining *r, struct err *err)
{
    bool committed;
    uint64_t count = r->expired.files.count;
    if (count == 0)
        return 0;
    if (delta_expired_find(&r->expired, r->store, &r->plan.table, &committed, err) != 0)
        return -1;
    if (!committed) {
        delta_expired_forget_files(&r->expired);
        return 0;
    }
    r->out->finished = count;
    return remove_files(r, &r->plan.table, err);
}

static int64_t find_part(const struct retain_plan *plan, struct slice path)
{
    struct buf key = {0};
    int64_t number = map_find(&plan->folders, retain_folder(delta_path_key(&key, path)));
    buf_free(&key);
    return number;
}

static enum delta_keep keep_chosen(void *context, const struct delta_add *add,
                                   struct delta_mark *mark)
{
    const struct retaining *r = context;
    int64_t part = find_part(&r->plan, add->path);
    if (part < 0 || !r->plan.parts.list[part].chosen)
        return DELTA_KEEP_NOTHING;
    *mark = retain_newest(r->options, add->stats, retain_committed(add->modification_time));
    return DELTA_KEEP_ALL;
}

static void hold(struct retaining *r, struct retain_part *part, const struct delta_file *file,
                 const char *why)
{
    part->chosen = false;
    r->out->held++;
    (void)snprintf(r->out->why, sizeof(r->out->why), "%.*s%s",
                   (int)(file->path.len < 64 ? file->path.len : 64), (const char *)file->path.data,
                   why);
}

static void hold_for(struct retaining *r, struct retain_part *part, const struct delta_file *file,
                     const char *follower)
{
    struct buf why = {0};
    buf_printf(&why, " was not read by the follower %s", follower);
    hold(r, part, file, buf_text(&why));
    buf_free(&why);
}

/* The sequences of a file's rows, which must not be forgotten with it. *needed_by: who has not read
 * them all, NULL: nobody. */
static int note_rows(struct retaining *r, const struct delta_file *file, bool *known,
                     const char **needed_by, struct err *err)
{
    const struct delta_generation *g = store_generation_of(&r->table, file);
    struct slice text = delta_map_get(&file->tags, "varve.sequences");
    struct seqset rows = {0};
    int result = 0;
    *known = g != NULL;
    *needed_by = NULL;
    if (g != NULL && (text.data == NULL || !seqset_parse_text(&rows, text)))
        result = store_scan_file(&rows, r->store, r->options->schema, file, g, err);
    if (g != NULL && result == 0)
        *needed_by = delta_followers_lacking(&r->followers, g->stream, g->created, &rows);
    if (g != NULL && result == 0 && *needed_by == NULL)
        delta_expired_add(&r->expired, g->stream, g->created, &rows);
    seqset_free(&rows);
    return result;
}

/* Whether the partition of a file can go as far as the file is concerned. */
static bool can_go(struct retaining *r, struct retain_part *part, const struct delta_file *file)
{
    struct err err = {0};
    const char *needed_by = NULL;
    bool known;
    if (file->vector != 0)
        hold(r, part, file, " has rows that another engine has deleted");
    else if (note_rows(r, file, &known, &needed_by, &err) != 0)
        hold(r, part, file, " can't be read");
    else if (!known)
        hold(r, part, file, " was rewritten by another engine out of several streams");
    else if (needed_by != NULL)
        hold_for(r, part, file, needed_by);
    return part->chosen;
}

static int take_file(struct retaining *r, const struct delta_file *file, struct err *err)
{
    struct object_info info = {0};
    struct buf name = {0};
    bool found = false;
    int result = 0;
    if (delta_path_decode(&name, file->path) && object_name_is_valid(buf_slice(&name)))
        result = object_head(r->store, buf_text(&name), &info, &found, err);
    *array_add(&r->expired.files) =
        (struct delta_expired_file){text_copy_slice(file->path), info.size, info.modified};
    r->out->files++;
    r->out->bytes += file->size;
    buf_free(&name);
    return result;
}

struct part_files {
    ARRAY(const struct delta_file *);
};

/* Put the live files of chosen partitions into `parts`, and judge those partitions again: others
 * may have added to them. */
static void sort_files(struct retaining *r, struct part_files *parts)
{
    for (size_t i = 0; i < r->table.files.count; i++) {
        const struct delta_file *file = r->table.files.list[i];
        int64_t number = file != NULL ? find_part(&r->plan, file->path) : -1;
        if (number < 0 || !r->plan.parts.list[number].chosen)
            continue;
        struct retain_part *part = &r->plan.parts.list[number];
        bool came_since = delta_snapshot_file(&r->plan.table, file->path) == NULL;
        if (came_since && !(file->mark.exact && retain_is_due(&r->plan, file->mark.value)))
            part->chosen = false; /* next time */
        else if (can_go(r, part, file))
            *array_add(&parts[number]) = file;
    }
}

static int take_files(struct retaining *r, struct err *err)
{
    struct part_files *parts = calloc(r->plan.parts.count + 1, sizeof(*parts));
    int result = 0;
    if (parts == NULL)
        out_of_memory((r->plan.parts.count + 1) * sizeof(*parts));
    sort_files(r, parts);
    r->out->files = r->out->bytes = r->out->partitions = 0;
    r->out->more = false;
    for (size_t i = 0; i < r->plan.chosen.count && result == 0; i++) {
        uint32_t number = r->plan.chosen.list[i].part;
        struct part_files *files = &parts[number];
        size_t at = 0;
        if (!r->plan.parts.list[number].chosen)
            continue;
        for (; at < files->count && result == 0; at++) {
            if (r->expired.files.count == DELTA_EXPIRED_FILES_MAX)
                break;
            result = take_file(r, files->list[at], err);
        }
        r->out->more |= at < files->count;
        r->out->partitions += at == files->count && at > 0;
    }
    for (uint32_t i = 0; i < r->plan.parts.count; i++)
        array_free(&parts[i]);
    free(parts);
    return result;
}

/* The newest entry of the table becomes this one, or *taken: another writer's, which is read. */
static int append(struct retaining *r, const struct buf *entry, bool *taken, struct err *err)
{
    uint64_t version = r->table.version + 1;
    bool gap = false;
    if (delta_entry_append(r->store, version, buf_slice(entry), taken, err) != 0)
        return -1;
    if (!*taken)
        return delta_snapshot_apply_entry(&r->table, version, buf_slice(entry), err);
    if (delta_snapshot_update(&r->table, r->store, NULL, NULL, &gap, err) != 0)
        return -1;
    return gap ? err_set(err, ERR_REFUSED, "the log was cleaned up meanwhile") : 0;
}

static int make_id(char out[static DELTA_EXPIRED_ID], struct err *err)
{
    uint64_t id;
    if (random_bytes(&id, sizeof(id), err) != 0)
        return -1;
    (void)snprintf(out, DELTA_EXPIRED_ID, "%016" PRIx64, id);
    return 0;
}

static int try_commit(struct retaining *r, bool *done, struct err *err)
{
    struct buf entry = {0};
    bool taken = false;
    int result = delta_table_check_state(&r->table.protocol, &r->table.metadata, err);
    if (result == 0 && delta_table_is_append_only(&r->table.metadata)) {
        delta_table_allow_removal(&entry, &r->table.metadata, buf_text(&r->engine), r->now);
        result = append(r, &entry, &taken, err);
        buf_free(&entry);
        return result; /* and once more */
    }
    delta_expired_forget_files(&r->expired);
    if (result == 0)
        result = take_files(r, err);
    *done = result == 0 && r->expired.files.count == 0;
    if (result != 0 || *done)
        return result;
    if (make_id(r->expired.id, err) != 0 ||
        delta_expired_write(&r->expired, r->store, &r->table, err) != 0 || check_stop(r, err) != 0)
        return -1;
    delta_expired_entry(&entry, &r->expired, &r->table, buf_text(&r->engine), r->now);
    result = append(r, &entry, &taken, err);
    buf_free(&entry);
    *done = result == 0 && !taken;
    return result;
}

static int commit(struct retaining *r, struct err *err)
{
    bool done = false;
    r->table = (struct delta_snapshot){
        .want_files = true, .want_varve = true, .keep = keep_chosen, .keep_context = r};
    if (delta_snapshot_load(&r->table, r->store, err) != 0 ||
        delta_followers_read(&r->followers, r->store, r->table.metadata.id, err) != 0)
        return -1;
    for (int attempt = 0; !done; attempt++) {
        if (attempt == COMMIT_ATTEMPTS)
            return err_set(err, ERR_REFUSED, "other writers came first each time");
        if (check_stop(r, err) != 0 || try_commit(r, &done, err) != 0)
            return -1;
    }
    return r->expired.files.count > 0 ? remove_files(r, &r->table, err) : 0;
}

int retain(struct object_store *store, const struct retain_options *options, int64_t now,
           const atomic_bool *stop, struct retain_done *out, struct err *err)
{
    static const atomic_bool never;
    struct retaining r = {.store = store,
                          .options = options,
                          .now = now,
                          .stop = stop != NULL ? stop : &never,
                          .out = out,
                          .plan = {.options = options, .now = now}};
    *out = (struct retain_done){0};
    buf_printf(&r.engine, "varve/%s", options->version);
    int result = retain_plan_make(&r.plan, store, err);
    if (result == 0 && r.plan.table.found) {
        result = delta_expired_read(&r.expired, store, &r.plan.table, err);
        if (result == 0)
            result = finish(&r, err);
        if (result == 0 && r.plan.chosen.count > 0)
            result = commit(&r, err);
    }
    delta_expired_free(&r.expired);
    delta_followers_free(&r.followers);
    delta_snapshot_free(&r.table);
    buf_free(&r.engine);
    retain_plan_free(&r.plan);
    return result;
}

int retain_look(struct object_store *store, const struct retain_options *options, int64_t now,
                retain_report *report, void *context, struct err *err)
{
    struct retain_plan plan = {.options = options, .now = now};
    int result = retain_plan_make(&plan, store, err);
    for (size_t i = 0; i < plan.chosen.count && result == 0; i++) {
        uint32_t number = plan.chosen.list[i].part;
        const struct retain_part *part = &plan.parts.list[number];
        report(context, &(struct retain_partition){map_key(&plan.folders, number), part->files,
                                                   part->bytes, part->newest});
    }
    retain_plan_free(&plan);
    return result;
}

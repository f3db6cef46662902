/* SPDX-License-Identifier: MIT */
#include "follow/mixed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/num.h"
#include "base/text.h"
#include "delta/object_file.h"
#include "follow/archive_plan.h"

/* The log is gone through from its newest entry to older ones, until it is known of all `names`
 * what they are. */
struct walk {
    struct follow_catalogue *catalogue;
    struct object_store *store;
    struct delta_follower *have; /* NULL: nothing */
    const atomic_bool *stop;     /* NULL: nobody says so */
    struct map names;            /* of files whose rows are looked for, */
    ARRAY(bool) known;           /* by their numbers; true: it is known whose they are */
    size_t unknown;              /* of these */
    struct map lost;             /* files whose rows were taken away by the entries seen */
    struct archive_entry entry;
    struct buf name, other;
};

/* What a file says of its rows: by its tags, or in its footer. */
struct told {
    const char *name;
    struct slice stream, created, sequences, first, last, sha256;
    int64_t modified;
};

static int refuse(const char *name, struct err *err, const char *why)
{
    return err_set(err, ERR_UNSUPPORTED,
                   "another engine has rewritten rows of several streams, and nobody can tell "
                   "which are whose: %s %s",
                   name, why);
}

static void want(struct walk *w, struct slice name)
{
    bool added;
    if (w->have != NULL && map_find(&w->have->merged, name) >= 0)
        return;
    (void)map_put(&w->names, name, &added);
    if (!added)
        return;
    *array_add(&w->known) = false;
    w->unknown++;
}

/* Whether its rows are looked for still; they are not any more. */
static bool take_wanted(struct walk *w, struct slice name)
{
    int64_t number = map_find(&w->names, name);
    if (number < 0 || w->known.list[number])
        return false;
    w->known.list[number] = true;
    w->unknown--;
    return true;
}

static int decode(struct buf *out, struct slice path, struct err *err)
{
    buf_reset(out);
    return delta_object_name(out, path, err);
}

/* Whether a file may have rows that are not there; *first and *last: between which they are. */
static bool has_news(struct walk *w, const struct told *told, uint64_t *first, uint64_t *last)
{
    static const struct seqset nothing;
    struct seqset rows = {0}, lacking = {0};
    char *stream = text_copy_slice(told->stream), *created = text_copy_slice(told->created);
    const struct seqset *has =
        w->have != NULL ? delta_follower_rows(w->have, stream, created, false) : NULL;
    bool news;
    if (has == NULL)
        has = &nothing;
    *first = 0;
    *last = UINT64_MAX;
    if (told->sequences.data != NULL && seqset_parse_text(&rows, told->sequences)) {
        seqset_add_new(&lacking, &rows, has, 0);
        news = lacking.count > 0;
        *first = rows.count > 0 ? rows.list[0].first : 0;
        *last = rows.count > 0 ? rows.list[rows.count - 1].last : 0;
    } else {
        bool bounded = num_parse_u64(told->first, first) && num_parse_u64(told->last, last);
        news = !bounded || seqset_contiguous_end(has, *first) < *last;
    }
    seqset_free(&rows);
    seqset_free(&lacking);
    free(stream);
    free(created);
    return news;
}

/* A file of varve. */
static int take_file(struct walk *w, const struct told *told, struct err *err)
{
    struct object_info info;
    struct follow_file file = {
        .name = told->name, .chosen = true, .modified = told->modified, .sha256 = told->sha256};
    bool found;
    if (!has_news(w, told, &file.first, &file.last))
        return 0;
    if (object_head(w->store, told->name, &info, &found, err) != 0)
        return -1;
    if (!found)
        return refuse(told->name, err, "had some that are wanted, and is not there any more");
    follow_catalogue_add(w->catalogue, &file, told->stream, told->created);
    return 0;
}

static bool is_text(struct slice s)
{
    return s.data != NULL && (s.len == 0 || memchr(s.data, '\0', s.len) == NULL);
}

/* A wanted file, in w->name, and the action that added it; `moves`: its entry only moves rows. */
static int take_add(struct walk *w, const struct delta_add *add, bool moves, bool *expand,
                    struct err *err)
{
    struct told told = {
        .name = buf_text(&w->name),
        .stream = delta_map_get(&add->tags, "varve.stream"),
        .created = delta_map_get(&add->tags, "varve.created"),
        .sequences = delta_map_get(&add->tags, "varve.sequences"),
        .first = delta_map_get(&add->tags, "varve.first_seq"),
        .last = delta_map_get(&add->tags, "varve.last_seq"),
        .sha256 = delta_map_get(&add->tags, "varve.sha256"),
        .modified = add->modification_time,
    };
    if (is_text(told.stream) && is_text(told.created))
        return take_file(w, &told, err);
    *expand = true;
    return moves ? 0 : refuse(told.name, err, "was not made of files of varve alone");
}

static bool moves_only(const struct archive_entry *e)
{
    bool moves = e->swaps;
    for (size_t i = 0; i < e->actions.count; i++) {
        const struct delta_action *action = &e->actions.list[i];
        moves = moves && !(action->kind == DELTA_ADD && action->add.data_change) &&
                !(action->kind == DELTA_REMOVE && action->remove.data_change);
    }
    return moves;
}

/* What an entry has taken its rows from is looked for in the place of what it has made of them:
 * nobody can tell which of them came to which of its files, so all of these have to be there. */
static int expand_entry(struct walk *w, struct err *err)
{
    for (size_t i = 0; i < w->entry.actions.count; i++) {
        const struct delta_action *action = &w->entry.actions.list[i];
        bool adds = action->kind == DELTA_ADD;
        if (!adds && action->kind != DELTA_REMOVE)
            continue;
        if (decode(&w->name, adds ? action->add.path : action->remove.path, err) != 0)
            return -1;
        if (!adds)
            want(w, buf_slice(&w->name));
        else if (map_find(&w->lost, buf_slice(&w->name)) >= 0)
            return refuse(buf_text(&w->name), err, "was made with it, and removed with its rows");
    }
    return 0;
}

static int note_entry(struct walk *w, struct err *err)
{
    bool moves = moves_only(&w->entry), expand = false, added;
    for (size_t i = 0; i < w->entry.actions.count; i++) {
        const struct delta_action *action = &w->entry.actions.list[i];
        bool removes = action->kind == DELTA_REMOVE && !moves;
        if (action->kind != DELTA_ADD && !removes)
            continue;
        if (decode(&w->name, removes ? action->remove.path : action->add.path, err) != 0)
            return -1;
        if (removes)
            (void)map_put(&w->lost, buf_slice(&w->name), &added);
        else if (take_wanted(w, buf_slice(&w->name)) &&
                 take_add(w, &action->add, moves, &expand, err) != 0)
            return -1;
    }
    return expand ? expand_entry(w, err) : 0;
}

/* The entry that has added it is gone. */
static int look_into(struct walk *w, const char *name, struct err *err)
{
    struct delta_object_file object = {0};
    bool found = false;
    if (delta_object_file_open(&object, w->store, name, &found, err) != 0)
        return err_prefix(err, "%s", name);
    struct told told = {.name = name};
    if (found) {
        told.stream = parquet_file_value(&object.file, "varve.stream");
        told.created = parquet_file_value(&object.file, "varve.stream_created");
        told.sequences = parquet_file_value(&object.file, "varve.sequences");
    }
    int result = 0;
    if (!found)
        result = refuse(name, err, "is not there any more, nor is the entry that has added it");
    else if (!is_text(told.stream) || !is_text(told.created))
        result = refuse(name, err, "does not say it, and the entry that has added it is gone");
    else
        result = take_file(w, &told, err);
    delta_object_file_close(&object);
    return result;
}

/* A log may be as long as it likes, and a bucket slow. */
static int check_stop(const struct walk *w, struct err *err)
{
    return w->stop != NULL && atomic_load(w->stop) ? err_set(err, ERR_REFUSED, "it is time to end")
                                                   : 0;
}

static int walk_log(struct walk *w, uint64_t version, struct err *err)
{
    struct err missing = {0};
    bool more = true;
    for (uint64_t v = version; w->unknown > 0 && more; v--) {
        if (check_stop(w, err) != 0)
            return -1;
        if (archive_entry_read(&w->entry, w->store, v, &missing) != 0) {
            if (missing.code == ERR_SYSTEM && missing.system == ENOENT)
                break;
            *err = missing;
            return -1;
        }
        if (note_entry(w, err) != 0)
            return -1;
        more = v > 0;
    }
    for (uint32_t i = 0; i < w->known.count; i++) {
        if (w->known.list[i])
            continue;
        buf_reset(&w->other);
        buf_append_slice(&w->other, map_key(&w->names, i));
        if (check_stop(w, err) != 0 || look_into(w, buf_text(&w->other), err) != 0)
            return -1;
    }
    return 0;
}

int follow_mixed_resolve(struct follow_catalogue *c, struct object_store *store, uint64_t version,
                         struct delta_follower *have, const atomic_bool *stop, struct err *err)
{
    struct walk w = {.catalogue = c, .store = store, .have = have, .stop = stop};
    struct follow_stream *last =
        c->streams.count > 0 ? &c->streams.list[c->streams.count - 1] : NULL;
    if (last == NULL || last->stream != NULL)
        return 0;
    for (size_t i = 0; i < last->files.count; i++)
        want(&w, slice_of(last->files.list[i].name));
    array_free(&last->files);
    c->streams.count--;
    int result = walk_log(&w, version, err);
    follow_catalogue_sort(c);
    map_free(&w.names);
    map_free(&w.lost);
    array_free(&w.known);
    archive_entry_free(&w.entry);
    buf_free(&w.name);
    buf_free(&w.other);
    return result;
}

bool follow_mixed_note(struct delta_follower *have, const struct delta_snapshot *snapshot)
{
    struct map merged = {0};
    struct buf name = {0};
    bool news = false, added;
    for (size_t i = 0; i < snapshot->files.count; i++) {
        const struct delta_file *file = snapshot->files.list[i];
        buf_reset(&name);
        if (file == NULL || delta_map_get(&file->tags, "varve.stream").data != NULL ||
            !delta_path_decode(&name, file->path))
            continue;
        (void)map_put(&merged, buf_slice(&name), &added);
        news = news || map_find(&have->merged, buf_slice(&name)) < 0;
    }
    news = news || merged.count != have->merged.count;
    map_free(&have->merged);
    have->merged = merged;
    buf_free(&name);
    return news;
}

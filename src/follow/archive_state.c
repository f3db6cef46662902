/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "delta/durable.h"
#include "delta/expired.h"
#include "delta/position.h"
#include "delta/saved.h"
#include "delta/table.h"
#include "event/event.h"
#include "follow/archive_content.h"
#include "follow/archive_part.h"
#include "follow/reader.h"
#include "store/known.h"

/*
 * Without entries, rows tell what was swapped for what: a file of the archive that the store has no
 * more has either expired there, and stays, or the store has its rows in other files. A row is
 * known by its generation and its sequence; where another engine has mixed generations, by all it
 * has.
 */
struct state {
    struct archive *archive;
    struct follow_view *view;
    struct delta_snapshot store;
    struct delta_snapshot archived; /* of what the archive has: files that the store has, too, and
                                       those with rows that it has in others */
    struct delta_follower there;    /* rows of the store, less what has expired */
    bool vague;                     /* the log does not say which rows are in some file */
    bool described;                 /* the archive has the store's columns */
    struct delta_follower rows;     /* of the store's files that the archive has not; in the end, of
                                       those of the archive's that go */
    ARRAY(struct delta_file *) fresh; /* of the store's files: those that the archive has not */
    ARRAY(struct slice) old;          /* files of the archive that go */
    bool mixed; /* known by all they have: which of the files are related is in the next one */
    ARRAY(struct archive_fresh) matched; /* those of `fresh`, by number */
};

static bool is_mixed(const struct state *s, const struct delta_file *file)
{
    return store_generation_of(&s->store, file) == NULL &&
           (delta_map_get(&file->tags, "varve.stream").data == NULL ||
            delta_map_get(&file->tags, "varve.created").data == NULL);
}

/* Whose rows a file has that is not mixed: by its tags, or else those of the only generation that
 * there is. */
static struct seqset *rows_of(const struct state *s, const struct delta_file *file,
                              struct delta_follower *out)
{
    const struct delta_generation *g = store_generation_of(&s->store, file);
    struct slice stream = delta_map_get(&file->tags, "varve.stream");
    struct slice created = delta_map_get(&file->tags, "varve.created");
    char *texts[] = {g != NULL ? text_copy(g->stream) : text_copy_slice(stream),
                     g != NULL ? text_copy(g->created) : text_copy_slice(created)};
    struct seqset *rows = delta_follower_rows(out, texts[0], texts[1], true);
    free(texts[0]);
    free(texts[1]);
    return rows;
}

/* Add the rows of a file, of the table in `objects`, to a set of its generation. */
static int add_rows(struct state *s, struct object_store *objects, const struct delta_file *file,
                    struct delta_follower *out, struct err *err)
{
    struct slice sequences = delta_map_get(&file->tags, "varve.sequences");
    struct seqset set = {0}, *rows = rows_of(s, file, out);
    int result = 0;
    if (sequences.data == NULL)
        result = store_scan_file(&set, objects, &event_schema, file, NULL, err);
    else if (!seqset_parse_text(&set, sequences))
        result = err_set(err, ERR_FORMAT, "%.*s has no list of sequences", (int)file->path.len,
                         (const char *)file->path.data);
    if (result == 0)
        seqset_add_all(rows, &set);
    seqset_free(&set);
    return result;
}

static bool meets(const struct delta_follower *rows, struct slice stream, struct slice created,
                  const struct seqset *set)
{
    uint64_t first;
    for (size_t i = 0; i < rows->generations.count; i++) {
        const struct delta_followed *g = &rows->generations.list[i];
        if (slice_is(stream, g->stream) && slice_is(created, g->created))
            return seqset_meet(&g->rows, set, &first);
    }
    return false;
}

/* Of the archive's files, those that the store has, and those that may have to go. */
static enum delta_keep keep_related(void *context, const struct delta_add *add,
                                    struct delta_mark *mark)
{
    const struct state *s = context;
    struct seqset set = {0};
    (void)mark;
    if (delta_snapshot_file(&s->store, add->path) != NULL)
        return DELTA_KEEP_BRIEF;
    struct slice stream = delta_map_get(&add->tags, "varve.stream");
    struct slice sequences = delta_map_get(&add->tags, "varve.sequences");
    bool known = stream.data != NULL && sequences.data != NULL && !s->vague &&
                 seqset_parse_text(&set, sequences);
    bool keep =
        !known || meets(&s->there, stream, delta_map_get(&add->tags, "varve.created"), &set);
    seqset_free(&set);
    return keep ? DELTA_KEEP_ALL : DELTA_KEEP_NOTHING;
}

static int load(struct state *s, struct err *err)
{
    struct account *account = &s->archive->target.account;
    s->store = (struct delta_snapshot){.want_files = true, .want_varve = true, .account = account};
    s->view->failed = true;
    if (delta_snapshot_load(&s->store, s->view->store, err) != 0 ||
        delta_expired_apply(&s->store, s->view->store, err) != 0 ||
        delta_table_check_state(&s->store.protocol, &s->store.metadata, err) != 0)
        return -1;
    for (size_t i = 0; i < s->store.files.count; i++) {
        const struct delta_file *file = s->store.files.list[i];
        if (file != NULL && file->vector != 0)
            return err_set(err, ERR_UNSUPPORTED,
                           "another engine has deleted rows of %.*s; varve can't tell which",
                           (int)file->path.len, (const char *)file->path.data);
        s->vague = s->vague ||
                   (file != NULL && delta_map_get(&file->tags, "varve.sequences").data == NULL);
    }
    for (size_t i = 0; i < s->store.generation_list.count; i++) {
        const struct delta_generation *g = &s->store.generation_list.list[i];
        seqset_add_new(delta_follower_rows(&s->there, g->stream, g->created, true), &g->rows,
                       &g->expired, 0);
    }
    s->view->failed = false;
    s->archived = (struct delta_snapshot){
        .want_files = true, .keep = keep_related, .keep_context = s, .account = account};
    if (s->archive->there && delta_snapshot_load(&s->archived, s->archive->store, err) != 0)
        return -1;
    s->described = slice_equal(s->archived.metadata.schema_string, s->store.metadata.schema_string);
    return 0;
}

/* A file of the archive that may have to go. */
static bool is_candidate(const struct state *s, const struct delta_file *file)
{
    return file != NULL && delta_snapshot_file(&s->store, file->path) == NULL;
}

/* What the archive lacks, and whether anything of it may be in other files there. */
static bool find_fresh(struct state *s)
{
    bool candidates = false;
    for (size_t i = 0; i < s->store.files.count; i++) {
        struct delta_file *file = s->store.files.list[i];
        if (file == NULL || delta_snapshot_file(&s->archived, file->path) != NULL)
            continue;
        *array_add(&s->fresh) = file;
        s->mixed = s->mixed || is_mixed(s, file);
    }
    for (size_t i = 0; i < s->archived.files.count; i++) {
        const struct delta_file *file = s->archived.files.list[i];
        if (!is_candidate(s, file))
            continue;
        candidates = true;
        s->mixed = s->mixed || is_mixed(s, file);
    }
    return candidates && s->fresh.count > 0;
}

static int refuse_torn(const struct state *s, const struct delta_file *file, struct err *err)
{
    return err_set(
        err, ERR_UNSUPPORTED,
        "%s: of %.*s some rows lie in other files now, and some are gone from the store: "
        "they would be lost; give the archive a new target",
        s->archive->root, (int)file->path.len, (const char *)file->path.data);
}

/* All of its rows come back with those that take its place. */
static int check_whole(struct state *s, const struct delta_file *file,
                       const struct delta_followed *g, struct err *err)
{
    struct seqset lacking = {0};
    seqset_add_new(&lacking, &g->rows, delta_follower_rows(&s->rows, g->stream, g->created, true),
                   0);
    bool whole = lacking.count == 0;
    seqset_free(&lacking);
    return whole ? 0 : refuse_torn(s, file, err);
}

/* By generations and sequences. */
static int compare_sequences(struct state *s, struct err *err)
{
    struct delta_follower going = {0}, one = {0};
    int result = 0;
    s->view->failed = true;
    for (size_t i = 0; i < s->fresh.count && result == 0; i++)
        result = add_rows(s, s->view->store, s->fresh.list[i], &s->rows, err);
    s->view->failed = result != 0;
    for (size_t i = 0; i < s->archived.files.count && result == 0; i++) {
        const struct delta_file *file = s->archived.files.list[i];
        if (!is_candidate(s, file))
            continue;
        result = add_rows(s, s->archive->store, file, &one, err);
        const struct delta_followed *g = result == 0 ? &one.generations.list[0] : NULL;
        if (g != NULL && meets(&s->rows, slice_of(g->stream), slice_of(g->created), &g->rows)) {
            *array_add(&s->old) = file->path;
            seqset_add_all(delta_follower_rows(&going, g->stream, g->created, true), &g->rows);
            result = check_whole(s, file, g, err);
        }
        delta_follower_free(&one);
    }
    delta_follower_free(&s->rows);
    s->rows = going;
    return result;
}

/* By all that rows have, but for those that are older or newer than what is fresh: an archive may
 * have years that the store has not. */
static int compare_contents(struct state *s, struct err *err)
{
    ARRAY(struct archive_old) old = {.account = &s->archive->target.account};
    uint64_t low = UINT64_MAX, high = 0, first, last;
    for (size_t i = 0; i < s->fresh.count; i++) {
        *array_add(&s->matched) = (struct archive_fresh){.file = s->fresh.list[i]};
        follow_file_bounds(s->fresh.list[i], &first, &last);
        low = first < low ? first : low;
        high = last > high ? last : high;
    }
    for (size_t i = 0; i < s->archived.files.count; i++) {
        const struct delta_file *file = s->archived.files.list[i];
        if (!is_candidate(s, file))
            continue;
        follow_file_bounds(file, &first, &last);
        if (first <= high && last >= low)
            *array_add(&old) = (struct archive_old){.file = file};
    }
    int result = archive_match(s->archive, s->view, old.list, old.count, s->matched.list,
                               s->matched.count, err);
    for (size_t i = 0; i < old.count && result == 0; i++) {
        if (old.list[i].found == ARCHIVE_FOUND_SOME)
            result = refuse_torn(s, old.list[i].file, err);
        else if (old.list[i].found == ARCHIVE_FOUND_ALL)
            *array_add(&s->old) = old.list[i].file->path;
    }
    array_free(&old);
    return result;
}

static void put_add(struct archive_commit *c, const struct delta_file *file)
{
    *array_add(&c->adds) = (struct delta_add){.path = file->path,
                                              .size = file->size,
                                              .modification_time = file->modification_time,
                                              .stats = file->stats,
                                              .tags = file->tags};
}

/* The head of the next commit: with the first, what table it is. */
static void begin(struct state *s, struct archive_commit *c, bool swaps)
{
    struct delta_action action = {.kind = DELTA_PROTOCOL};
    archive_commit_reset(c);
    c->data_change = true;
    archive_put_info(c, clock_wall() / CLOCK_MILLISECOND, (struct slice){0}, swaps);
    if (!s->archive->there) {
        action.protocol = s->store.protocol;
        delta_action_write(&c->head, &action);
    }
    if (!s->described)
        archive_put_metadata(c, s->archive, s->store.metadata);
}

/* True if rows of a fresh file, which had this number, are in one that goes. */
static int is_related(struct state *s, size_t number, const struct delta_file *file, bool *related,
                      struct err *err)
{
    struct delta_follower one = {0};
    *related = s->mixed && s->old.count > 0 && s->matched.list[number].related;
    if (s->mixed || s->old.count == 0)
        return 0;
    int result = add_rows(s, s->view->store, file, &one, err);
    for (size_t i = 0; i < one.generations.count; i++) {
        const struct delta_followed *g = &one.generations.list[i];
        *related = *related || meets(&s->rows, slice_of(g->stream), slice_of(g->created), &g->rows);
    }
    delta_follower_free(&one);
    return result;
}

static int commit_and_begin(struct state *s, struct archive_commit *c, struct err *err)
{
    if (archive_make_commit(s->archive, s->view, c, err) != 0)
        return -1;
    s->described = true;
    begin(s, c, false);
    return 0;
}

/* The files that have only rows that the archive has not, some at a time; then the others, all at
 * once with those that they take the place of. */
static int take_files(struct state *s, struct archive_commit *c, struct err *err)
{
    uint64_t bytes = 0;
    size_t kept = 0;
    begin(s, c, false);
    for (size_t i = 0; i < s->fresh.count; i++) {
        struct delta_file *file = s->fresh.list[i];
        bool related;
        if (is_related(s, i, file, &related, err) != 0)
            return -1;
        if (related) {
            s->fresh.list[kept++] = file;
            continue;
        }
        put_add(c, file);
        bytes += file->size;
        if (c->adds.count < ARCHIVE_PATHS && bytes < ARCHIVE_BATCH_BYTES)
            continue;
        if (commit_and_begin(s, c, err) != 0)
            return -1;
        bytes = 0;
    }
    if (kept > 0 && c->adds.count > 0 && commit_and_begin(s, c, err) != 0)
        return -1;
    if (kept > 0)
        begin(s, c, true);
    for (size_t i = 0; i < kept; i++)
        put_add(c, s->fresh.list[i]);
    for (size_t i = 0; i < s->old.count; i++)
        *array_add(&c->removes) = s->old.list[i];
    return 0;
}

/* What the entries that are gone have said of positions: with the last of these commits. */
static void put_positions(struct state *s, struct archive_commit *c)
{
    for (uint32_t i = 0; i < s->store.app_ids.count; i++) {
        const struct delta_app *app = &s->store.apps.list[i];
        struct slice id = map_key(&s->store.app_ids, i);
        struct delta_action action = {.kind = DELTA_TXN};
        action.txn = (struct delta_txn){.app_id = id,
                                        .version = app->version,
                                        .has_last_updated = app->last_updated != 0,
                                        .last_updated = app->last_updated};
        if (!slice_starts_with(id, ARCHIVE_APP))
            delta_action_write(&c->head, &action);
    }
}

int archive_save_positions(struct archive *a, const struct delta_snapshot *table,
                           struct object_store *store, bool partly, struct err *err)
{
    const struct delta_snapshot archived = {.version = a->next - 1,
                                            .metadata = {.id = slice_of(a->id)}};
    struct map done = {0};
    int result = 0;
    for (uint32_t i = 0; i < table->app_ids.count && result == 0; i++) {
        struct delta_app_name name;
        struct positions positions = {0};
        struct buf subjects = {0};
        bool added = false, complete = false, saved, forgotten;
        if (!delta_app_id_parse(&name, map_key(&table->app_ids, i)))
            continue;
        (void)map_put(&done, slice_of(name.instance), &added);
        if (added)
            result = delta_durable_read(&positions, table, store, name.instance, &complete, &saved,
                                        &forgotten, &subjects, err);
        if (added && result == 0 && (complete || partly))
            result = delta_saved_write(a->store, name.instance, &archived, &positions,
                                       buf_slice(&subjects), err);
        positions_free(&positions);
        buf_free(&subjects);
        delta_app_name_free(&name);
    }
    map_free(&done);
    return result;
}

int archive_take_state(struct archive *a, struct follow_view *view, uint64_t first,
                       uint64_t *version, struct err *err)
{
    struct state s = {.archive = a, .view = view};
    struct account *account = &a->target.account;
    struct archive_commit c = {.head.account = account, .arena.account = account};
    s.fresh.account = s.old.account = s.matched.account = account;
    int result = load(&s, err);
    if (result == 0)
        result = archive_copy_beside(a, view, NULL, err);
    if (result == 0 && find_fresh(&s))
        result = s.mixed ? compare_contents(&s, err) : compare_sequences(&s, err);
    if (result == 0)
        result = take_files(&s, &c, err);
    *version = s.store.version;
    if (result == 0) {
        put_positions(&s, &c);
        if (first > 0)
            archive_put_through(&c, s.store.metadata.id, first <= *version ? first - 1 : *version);
        result = archive_make_commit(a, view, &c, err);
    }
    if (result == 0)
        result = archive_save_positions(a, &s.store, view->store, true, err);
    archive_commit_free(&c);
    array_free(&s.fresh);
    array_free(&s.old);
    array_free(&s.matched);
    delta_follower_free(&s.rows);
    delta_follower_free(&s.there);
    delta_snapshot_free(&s.store);
    delta_snapshot_free(&s.archived);
    return result;
}

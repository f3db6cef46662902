/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "delta/log.h"
#include "delta/snapshot.h"
#include "follow/archive_part.h"

void archive_commit_reset(struct archive_commit *c)
{
    buf_reset(&c->head);
    arena_reset(&c->arena);
    c->adds.count = c->removes.count = 0;
    c->data_change = false;
}

void archive_commit_free(struct archive_commit *c)
{
    buf_free(&c->head);
    arena_free(&c->arena);
    array_free(&c->adds);
    array_free(&c->removes);
}

void archive_put_info(struct archive_commit *c, int64_t timestamp, struct slice varve, bool swaps)
{
    struct delta_action action = {.kind = DELTA_COMMIT_INFO};
    action.commit_info = (struct delta_commit_info){
        .timestamp = timestamp,
        .operation = swaps ? "OPTIMIZE" : "WRITE",
        .parameters = swaps ? "{\"predicate\":\"[]\"}" : "{\"mode\":\"Append\"}",
        .blind_append = !swaps,
        .engine = ARCHIVE_ENGINE,
        .varve = varve,
    };
    delta_action_write(&c->head, &action);
}

void archive_put_through(struct archive_commit *c, struct slice source, uint64_t version)
{
    struct buf id = {0};
    buf_append_text(&id, ARCHIVE_APP);
    buf_append_slice(&id, source);
    struct delta_action action = {.kind = DELTA_TXN};
    action.txn = (struct delta_txn){.app_id = buf_slice(&id),
                                    .version = (int64_t)version,
                                    .has_last_updated = true,
                                    .last_updated = clock_wall() / CLOCK_MILLISECOND};
    delta_action_write(&c->head, &action);
    buf_free(&id);
}

void archive_put_metadata(struct archive_commit *c, const struct archive *a,
                          struct delta_metadata metadata)
{
    struct delta_action action = {.kind = DELTA_METADATA};
    metadata.id = slice_of(a->id);
    action.metadata = metadata;
    delta_action_write(&c->head, &action);
}

static void put_remove(struct buf *out, struct slice path)
{
    struct delta_action action = {.kind = DELTA_REMOVE};
    action.remove = (struct delta_remove){.path = path,
                                          .has_deletion_timestamp = true,
                                          .deletion_timestamp = clock_wall() / CLOCK_MILLISECOND};
    delta_action_write(out, &action);
}

/* Before any file comes or goes: which ones. */
static int announce(struct archive *a, const struct archive_commit *c, struct err *err)
{
    struct buf text = {0};
    for (size_t i = 0; i < c->adds.count; i++) {
        struct delta_action action = {.kind = DELTA_ADD};
        action.add = (struct delta_add){.path = c->adds.list[i].path};
        delta_action_write(&text, &action);
    }
    for (size_t i = 0; i < c->removes.count; i++)
        put_remove(&text, c->removes.list[i]);
    int result = object_put(a->store, DELTA_ANNOUNCED, buf_slice(&text), err);
    buf_free(&text);
    return result;
}

/* Append the action of a file as it is in the archive; its hash lives in the arena of the commit.
 */
static int copy_file(struct archive *a, struct follow_view *view, struct archive_commit *c,
                     struct delta_add *add, struct buf *text, struct err *err)
{
    struct delta_pair *tags = arena_calloc(&c->arena, add->tags.count + 2, sizeof(*tags));
    struct delta_map map = {tags, 0};
    char *sha256 = arena_alloc(&c->arena, SHA256_TEXT_MAX);
    char *level = arena_alloc(&c->arena, ARCHIVE_LEVEL);
    uint64_t size;
    if (archive_copy(a, view, c->source, add, true, &size, sha256, err) != 0)
        return -1;
    archive_level(a, level);
    for (size_t i = 0; i < add->tags.count; i++)
        if (!slice_is(add->tags.list[i].key, "varve.sha256"))
            tags[map.count++] = add->tags.list[i];
    tags[map.count++] = (struct delta_pair){slice_of("varve.sha256"), slice_of(sha256)};
    if (a->level != 0 && c->source != ARCHIVE_FROM_ITSELF)
        tags[map.count++] = (struct delta_pair){slice_of(ARCHIVE_LEVEL_TAG), slice_of(level)};
    struct delta_action action = {.kind = DELTA_ADD};
    add->size = size;
    add->tags = map;
    add->data_change = c->data_change;
    action.add = *add;
    delta_action_write(text, &action);
    return 0;
}

static int put_entry(struct archive *a, const struct buf *text, struct err *err)
{
    bool taken = false;
    if (delta_entry_append(a->store, a->next, buf_slice(text), &taken, err) != 0)
        return -1;
    if (taken)
        return err_set(err, ERR_REFUSED, "%s: somebody else has written entry %" PRIu64 " of it",
                       a->root, a->next);
    a->next++;
    a->there = true;
    return 0;
}

/* But for those that are `added` under the same name, by delta_path_key: another engine may have
 * put a file back into the log of the store with its path in another encoding. */
static int remove_files(struct archive *a, const struct slice *paths, size_t count,
                        const struct map *added, struct err *err)
{
    struct buf name = {0}, key = {0};
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        buf_reset(&name);
        if (map_find(added, delta_path_key(&key, paths[i])) >= 0 ||
            !delta_path_decode(&name, paths[i]) || !object_name_is_valid(buf_slice(&name)))
            continue; /* or it never was one of the archive */
        result = object_remove(a->store, buf_text(&name), err);
        if (result == 0)
            result = object_tidy(a->store, buf_text(&name), err);
    }
    buf_free(&name);
    buf_free(&key);
    return result;
}

static int remove_replaced(struct archive *a, const struct archive_commit *c, struct err *err)
{
    struct map added = {.account = &a->target.account};
    struct buf key = {0};
    bool new;
    for (size_t i = 0; i < c->adds.count && c->removes.count > 0; i++)
        (void)map_put(&added, delta_path_key(&key, c->adds.list[i].path), &new);
    int result = remove_files(a, c->removes.list, c->removes.count, &added, err);
    map_free(&added);
    buf_free(&key);
    return result;
}

static int note_sums(struct archive *a, const struct archive_commit *c, struct err *err)
{
    ARRAY(struct archive_sum) sums = {0};
    for (size_t i = 0; i < c->removes.count; i++)
        *array_add(&sums) = (struct archive_sum){.path = c->removes.list[i]};
    for (size_t i = 0; i < c->adds.count; i++)
        *array_add(&sums) = (struct archive_sum){
            c->adds.list[i].path, delta_map_get(&c->adds.list[i].tags, "varve.sha256")};
    int result = archive_note_sums(a, sums.list, sums.count, err);
    array_free(&sums);
    return result;
}

static void count_rows(struct archive *a, struct follow_view *view, const struct archive_commit *c)
{
    uint64_t rows;
    for (size_t i = 0; i < c->adds.count && c->data_change; i++) {
        struct delta_file file = {.stats = c->adds.list[i].stats};
        if (!delta_file_rows(&file, &rows))
            continue;
        view->rows += rows;
        a->target.counts.rows += rows;
    }
    view->tell(view->context);
}

int archive_make_commit(struct archive *a, struct follow_view *view, struct archive_commit *c,
                        struct err *err)
{
    struct buf text = {.account = &a->target.account};
    bool files = c->adds.count + c->removes.count > 0;
    int result = files ? announce(a, c, err) : 0;
    buf_append_slice(&text, buf_slice(&c->head));
    for (size_t i = 0; i < c->adds.count && result == 0; i++)
        result = copy_file(a, view, c, &c->adds.list[i], &text, err);
    for (size_t i = 0; i < c->removes.count; i++)
        put_remove(&text, c->removes.list[i]);
    if (result == 0)
        result = put_entry(a, &text, err);
    if (result == 0 && files)
        result = remove_replaced(a, c, err);
    if (result == 0 && files && a->manifest)
        result = note_sums(a, c, err);
    if (result == 0)
        count_rows(a, view, c);
    buf_free(&text);
    return result;
}

/* Of the archive, what the announcement names. */
static enum delta_keep keep_announced(void *context, const struct delta_add *add,
                                      struct delta_mark *mark)
{
    const struct map *announced = context;
    struct buf key = {0};
    bool named = map_find(announced, delta_path_key(&key, add->path)) >= 0;
    (void)mark;
    buf_free(&key);
    return named ? DELTA_KEEP_ALL : DELTA_KEEP_NOTHING;
}

/* What is not in the table goes; the manifests get what is. */
static int finish_announced(struct archive *a, const struct map *announced, struct err *err)
{
    struct delta_snapshot table = {.want_files = true,
                                   .keep = keep_announced,
                                   .keep_context = (void *)announced,
                                   .account = &a->target.account};
    ARRAY(struct slice) dead = {0};
    ARRAY(struct archive_sum) sums = {0};
    int result = delta_snapshot_load(&table, a->store, err);
    for (uint32_t i = 0; i < announced->count; i++) {
        struct slice path = map_key(announced, i);
        const struct delta_file *file = delta_snapshot_file(&table, path);
        *array_add(&sums) = (struct archive_sum){.path = path};
        if (file == NULL)
            *array_add(&dead) = path;
        else
            sums.list[i].sha256 = delta_map_get(&file->tags, "varve.sha256");
    }
    if (result == 0)
        result = remove_files(a, dead.list, dead.count, &(struct map){0}, err);
    if (result == 0 && a->manifest)
        result = archive_note_sums(a, sums.list, sums.count, err);
    array_free(&dead);
    array_free(&sums);
    delta_snapshot_free(&table);
    return result;
}

int archive_recover(struct archive *a, struct err *err)
{
    struct buf text = {0}, key = {0};
    struct arena arena = {0};
    struct map announced = {0};
    struct slice rest, line;
    bool found = false, added;
    int result = object_get_all(a->store, DELTA_ANNOUNCED, DELTA_ENTRY_MAX, &text, &found, err);
    for (rest = buf_slice(&text); result == 0 && delta_next_line(&rest, &line);) {
        struct delta_action action;
        result = delta_action_parse(&action, &arena, line, err);
        if (result == 0 && action.kind == DELTA_ADD)
            (void)map_put(&announced, delta_path_key(&key, action.add.path), &added);
        if (result == 0 && action.kind == DELTA_REMOVE)
            (void)map_put(&announced, delta_path_key(&key, action.remove.path), &added);
    }
    if (result == 0 && announced.count > 0)
        result = finish_announced(a, &announced, err);
    if (result != 0)
        (void)err_prefix(err, "%s", a->root);
    map_free(&announced);
    arena_free(&arena);
    buf_free(&key);
    buf_free(&text);
    return result;
}

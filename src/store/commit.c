/* SPDX-License-Identifier: MIT */
#include "store/commit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/text.h"
#include "store/path.h"
#include "store/publish.h"

/* Choose a name for a file that nobody has, neither on disk nor in this epoch (`names`). */
static int choose_path(const struct store *store, const struct store_epoch_file *file,
                       struct map *names, struct buf *path, struct err *err)
{
    const struct seqset *set = file->sequences;
    ASSERT(file->file->finished && set->count > 0 && file->rows > 0);
    for (uint32_t suffix = 0;; suffix++) {
        struct stat st;
        bool added;
        buf_reset(path);
        store_path_name(path, slice_of(file->key), set->list[0].first,
                        set->list[set->count - 1].last, suffix);
        if (map_find(names, buf_slice(path)) >= 0)
            continue;
        if (store_system_stat(&store->system, store->root_dir, buf_text(path), &st) == 0)
            continue;
        if (errno != ENOENT && errno != ENOTDIR)
            return err_set_system(err, errno, "commit to %s: can't stat %s", store->root,
                                  buf_text(path));
        (void)map_put(names, buf_slice(path), &added);
        return 0;
    }
}

static void free_paths(char **paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    free(paths);
}

static char **choose_paths(const struct store *store, const struct store_epoch *epoch,
                           struct err *err)
{
    struct map names = {0};
    struct buf path = {0};
    char **paths = calloc(epoch->file_count + 1, sizeof(*paths));
    if (paths == NULL)
        out_of_memory((epoch->file_count + 1) * sizeof(*paths));
    for (size_t i = 0; i < epoch->file_count; i++) {
        if (choose_path(store, &epoch->files[i], &names, &path, err) < 0) {
            free_paths(paths, i);
            paths = NULL;
            break;
        }
        paths[i] = text_copy_slice(buf_slice(&path));
    }
    map_free(&names);
    buf_free(&path);
    return paths;
}

/* Nothing is changed before all that can fail is done. */
static int prepare(struct store *store, const struct store_epoch *epoch, struct err *err)
{
    for (size_t i = 0; i < epoch->position_count; i++) {
        if (epoch->positions[i].above.count > SEQSET_RANGES_MAX)
            return err_set(err, ERR_LIMIT,
                           "commit to %s: stream %s: more than %d gaps above sequence %llu",
                           store->root, epoch->positions[i].stream, SEQSET_RANGES_MAX,
                           (unsigned long long)epoch->positions[i].through);
    }
    char **paths = choose_paths(store, epoch, err);
    if (paths == NULL)
        return -1;
    positions_free(&store->coming);
    positions_copy(&store->coming, &store->current);
    for (size_t i = 0; i < epoch->position_count; i++)
        positions_put(&store->coming, &epoch->positions[i]);
    store_entry_build(&store->entry, store, epoch, &store->coming, paths, clock_wall());
    store->epoch = epoch;
    store->stage = STORE_STAGE_PENDING;
    free_paths(paths, epoch->file_count);
    return 0;
}

int store_commit(struct store *store, const struct store_epoch *epoch, struct err *err)
{
    if (store->stage == STORE_IDLE && prepare(store, epoch, err) < 0)
        return -1;
    ASSERT(store->epoch == epoch);
    return store_publish(store, err);
}

/* SPDX-License-Identifier: MIT */
#include "store/publish.h"

#include <errno.h>
#include <string.h>

#include "base/map.h"
#include "object/directory.h"
#include "delta/entry.h"
#include "object/file.h"
#include "store/log.h"
#include "store/path.h"

/* Directories of which we remember that they are durable, some 100 bytes each. */
enum { DURABLE_MAX = 1 << 14 };

void store_pending_name(struct buf *out, const struct store *store)
{
    buf_reset(out);
    buf_printf(out, ".pending-%s", store->instance_name);
}

void store_writing_name(struct buf *out, const struct store *store)
{
    buf_reset(out);
    buf_printf(out, ".writing-%s", store->instance_name);
}

/* ---- step 2: the entry, under a name that no reader looks at ---- */

static int write_pending(struct store *store, struct err *err)
{
    const struct store_system *system = &store->system;
    struct buf writing = {0};
    struct buf pending = {0};
    int result = -1;
    store_writing_name(&writing, store);
    store_pending_name(&pending, store);
    /* The files that it names must be found after a crash, so their names come first. By the
     * rename .pending is there whole or not at all. */
    if (store_directory_sync(system, store->temporary_dir, ".", err) < 0 ||
        store_log_write(system, store->log_dir, buf_text(&writing), buf_slice(&store->entry.text),
                        err) < 0)
        goto out;
    if (store_system_rename(system, store->log_dir, buf_text(&writing), store->log_dir,
                            buf_text(&pending)) < 0) {
        (void)err_set_system(err, errno, "can't rename to _delta_log/%s", buf_text(&pending));
        goto out;
    }
    result = store_directory_sync(system, store->log_dir, ".", err);
out:
    buf_free(&writing);
    buf_free(&pending);
    return result;
}

/* ---- step 3: each file to its place ---- */

enum moved { MOVE_DONE, MOVE_TAKEN, MOVE_FAILED };

/* Whether `name` is there; false with `err` set if nobody can tell. */
static bool exists(const struct store *store, int dir, const char *name, struct stat *st,
                   struct err *err)
{
    if (store_system_stat(&store->system, dir, name, st) == 0)
        return true;
    if (errno != ENOENT && errno != ENOTDIR)
        (void)err_set_system(err, errno, "can't stat %s", name);
    return false;
}

/* The place is taken: by this very file, if a crash or an error came between link and unlink. */
static enum moved judge_taken(struct store *store, const char *name, const char *path,
                              struct err *err)
{
    struct stat here, there;
    if (!exists(store, store->temporary_dir, name, &here, err) ||
        !exists(store, store->root_dir, path, &there, err))
        return err_is_set(err) ? MOVE_FAILED : MOVE_TAKEN;
    if (here.st_ino != there.st_ino || here.st_dev != there.st_dev)
        return MOVE_TAKEN;
    if (store_system_unlink(&store->system, store->temporary_dir, name) == 0)
        return MOVE_DONE;
    (void)err_set_system(err, errno, "can't remove the temporary name of %s", path);
    return MOVE_FAILED;
}

/* The directory of `path` is missing. If we know it as durable, somebody has removed it, and what
 * else of that knowledge is true nobody can say. */
static void doubt_durable(struct store *store, const char *path)
{
    struct buf dir = {0};
    store_directory_parent(&dir, slice_of(path));
    if (map_find(&store->durable, buf_slice(&dir)) >= 0)
        map_reset(&store->durable);
    buf_free(&dir);
}

/* Either the directory is missing, or the file has been moved by an earlier attempt. */
static enum moved move_to_new_directory(struct store *store, const char *name, const char *path,
                                        struct err *err)
{
    struct stat st;
    if (!exists(store, store->temporary_dir, name, &st, err)) {
        if (!err_is_set(err) && exists(store, store->root_dir, path, &st, err))
            return MOVE_DONE;
        (void)err_set(err, ERR_FORMAT,
                      "%s is to be committed, but is gone, as is .varve/%s/%s; to give that commit "
                      "up, remove _delta_log/.pending-%s while varve is stopped",
                      path, store->instance_name, name, store->instance_name);
        return MOVE_FAILED;
    }
    doubt_durable(store, path);
    if (store_directory_make_parents(&store->system, store->root_dir, path, NULL, err) < 0)
        return MOVE_FAILED;
    if (store_system_rename_noreplace(&store->system, store->temporary_dir, name, store->root_dir,
                                      path) == 0)
        return MOVE_DONE;
    if (errno == EEXIST)
        return judge_taken(store, name, path, err);
    (void)err_set_system(err, errno, "can't move a file to %s", path);
    return MOVE_FAILED;
}

static enum moved move_file(struct store *store, const char *id, const char *path, struct err *err)
{
    char name[STORE_FILE_NAME_MAX];
    store_file_name(name, id);
    if (store_system_rename_noreplace(&store->system, store->temporary_dir, name, store->root_dir,
                                      path) == 0)
        return MOVE_DONE;
    if (errno == EEXIST)
        return judge_taken(store, name, path, err);
    if (errno == ENOENT)
        return move_to_new_directory(store, name, path, err);
    (void)err_set_system(err, errno, "can't move a file to %s", path);
    return MOVE_FAILED;
}

/* Somebody else has taken the name since it was chosen: choose another one. .pending is written
 * anew before the file is moved, so it always tells where a moved file is. */
static int choose_again(struct store *store, size_t move, const struct buf *path, struct err *err)
{
    struct buf other = {0};
    struct stat st;
    uint32_t suffix = 0;
    do {
        buf_reset(&other);
        store_path_name(&other, buf_slice(path), 0, 0, ++suffix);
    } while (exists(store, store->root_dir, buf_text(&other), &st, err));
    if (!err_is_set(err)) {
        store_entry_set_path(&store->entry, move, buf_slice(&other));
        store->stage = STORE_STAGE_PENDING;
    }
    buf_free(&other);
    return err_is_set(err) ? -1 : 0;
}

/*
 * Note what must be synced for a file at `path`: its directory, and, unless a commit of this run
 * has found it durable, those above it. Somebody else may have made them a moment ago.
 */
static void touch(const struct store *store, struct map *touched, const struct buf *path)
{
    struct buf dir = {0};
    struct buf parent = {0};
    bool added;
    store_directory_parent(&dir, buf_slice(path));
    (void)map_put(touched, buf_slice(&dir), &added);
    while (!slice_is(buf_slice(&dir), ".") && map_find(&store->durable, buf_slice(&dir)) < 0) {
        store_directory_parent(&parent, buf_slice(&dir));
        buf_reset(&dir);
        buf_append_slice(&dir, buf_slice(&parent));
        (void)map_put(touched, buf_slice(&dir), &added);
    }
    buf_free(&dir);
    buf_free(&parent);
}

static int sync_touched(struct store *store, const struct map *touched, struct err *err)
{
    if (store_directory_sync_all(&store->system, store->root_dir, touched, err) < 0)
        return -1;
    if (store->durable.count > DURABLE_MAX)
        map_reset(&store->durable);
    for (uint32_t i = 0; i < touched->count; i++) {
        bool added;
        (void)map_put(&store->durable, map_key(touched, i), &added);
    }
    return 0;
}

/* Leaves the stage as it is, or sets it back if a name was taken. */
static int move_files(struct store *store, struct err *err)
{
    struct map touched = {0};
    struct buf path = {0};
    int result = 0;
    for (size_t i = 0; i < store->entry.count && result == 0; i++) {
        buf_reset(&path);
        store_entry_path(&path, &store->entry, i);
        switch (move_file(store, store->entry.moves[i].id, buf_text(&path), err)) {
        case MOVE_DONE:
            touch(store, &touched, &path);
            break;
        case MOVE_TAKEN:
            result = choose_again(store, i, &path, err);
            break;
        case MOVE_FAILED:
            result = -1;
            break;
        }
    }
    if (result == 0 && store->stage == STORE_STAGE_MOVE)
        result = sync_touched(store, &touched, err);
    map_free(&touched);
    buf_free(&path);
    return result;
}

/* ---- step 4: the entry, under the next number ---- */

static int link_pending(struct store *store, struct err *err)
{
    struct buf pending = {0};
    char name[STORE_LOG_NAME_MAX];
    struct stat mine, other;
    int result = -1;
    store_pending_name(&pending, store);
    for (;; store->next_version++) {
        store_log_name(name, store->next_version);
        if (store_system_rename_noreplace(&store->system, store->log_dir, buf_text(&pending),
                                          store->log_dir, name) == 0)
            break;
        if (errno != EEXIST) {
            (void)err_set_system(err, errno, "can't make _delta_log/%s", name);
            goto out;
        }
        if (!exists(store, store->log_dir, name, &other, err) ||
            !exists(store, store->log_dir, buf_text(&pending), &mine, err)) {
            (void)err_set(err, ERR_SYSTEM, "_delta_log/%s is gone", buf_text(&pending));
            goto out;
        }
        if (mine.st_ino != other.st_ino)
            continue; /* somebody else's: an append conflicts with nothing, so take the next */
        if (store_system_unlink(&store->system, store->log_dir, buf_text(&pending)) < 0) {
            (void)err_set_system(err, errno, "can't remove _delta_log/%s", buf_text(&pending));
            goto out;
        }
        break;
    }
    store->next_version++;
    result = 0;
out:
    buf_free(&pending);
    return result;
}

/* ---- all of it ---- */

static void adopt_positions(struct store *store)
{
    positions_free(&store->current);
    store->current = store->coming;
    store->coming = (struct positions){0};
    store_entry_free(&store->entry); /* ten thousand files make 10 MB of it */
    store->stage = STORE_IDLE;
    store->epoch = NULL;
}

/* Do the step of the current stage; on success the stage is the next one. */
static int step(struct store *store, struct err *err)
{
    switch (store->stage) {
    case STORE_STAGE_PENDING:
        if (write_pending(store, err) < 0)
            return -1;
        store->stage = STORE_STAGE_MOVE;
        return 0;
    case STORE_STAGE_MOVE:
        if (move_files(store, err) < 0)
            return -1;
        if (store->stage == STORE_STAGE_MOVE)
            store->stage = STORE_STAGE_LINK;
        return 0;
    case STORE_STAGE_LINK:
        if (link_pending(store, err) < 0)
            return -1;
        store->stage = STORE_STAGE_SYNC;
        return 0;
    case STORE_STAGE_SYNC:
        if (store_directory_sync(&store->system, store->log_dir, ".", err) < 0)
            return -1;
        adopt_positions(store);
        return 0;
    case STORE_IDLE:
        break;
    }
    return 0;
}

int store_publish(struct store *store, struct err *err)
{
    while (store->stage != STORE_IDLE) {
        if (step(store, err) < 0)
            return err_prefix(err, "commit to %s", store->root);
    }
    return 0;
}

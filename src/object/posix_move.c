/* SPDX-License-Identifier: MIT */
#include "object/posix_part.h"

#include <errno.h>
#include <string.h>

#include "object/directory.h"

/* Folders of which we remember that they are durable, some 100 bytes each. */
enum { DURABLE_MAX = 1 << 14 };

/* The folder of `path` is missing. If we know it as durable, somebody has removed it, and what else
 * of that knowledge is true nobody can say. */
static void doubt_durable(struct posix *p, const char *path)
{
    struct buf folder = {0};
    directory_parent(&folder, slice_of(path));
    if (map_find(&p->durable, buf_slice(&folder)) >= 0)
        map_reset(&p->durable);
    buf_free(&folder);
}

/* A folder's own, without the last part; empty: the root. */
static struct slice above_of(struct slice folder)
{
    while (folder.len > 0 && folder.data[folder.len - 1] != '/')
        folder.len--;
    folder.len -= folder.len > 0;
    return folder;
}

/* Note `folder` and those above it that are not known to be durable as `fresh`, and the folders
 * that have their names as `holders`. Returns the length of what is known of it. */
static size_t note_fresh(const struct posix *p, struct slice folder, bool doubt, struct map *fresh,
                         struct map *holders)
{
    bool added;
    while (folder.len > 0 &&
           (doubt || (map_find(&p->durable, folder) < 0 && map_find(fresh, folder) < 0))) {
        struct slice above = above_of(folder);
        (void)map_put(fresh, folder, &added);
        (void)map_put(holders, above.len > 0 ? above : slice_of("."), &added);
        folder = above;
    }
    return folder.len;
}

/*
 * Make the folder of `path` where it is missing, unless it is known to be durable. Noted are those
 * whose names don't last for all we know (`fresh`), and the folders that have these names
 * (`holders`): somebody else may have made them a moment ago.
 */
static int make_folder(struct posix *p, const char *path, struct map *fresh, struct map *holders,
                       struct err *err)
{
    struct slice folder = above_of(slice_of(path));
    size_t known = note_fresh(p, folder, false, fresh, holders);
    if (known == folder.len)
        return 0;
    struct err why = {0};
    int result = directory_make(&p->system, p->root_dir, folder, known, &why);
    if (result != 0 && why.system == ENOENT && known > 0) {
        /* Somebody has removed one that we know, and perhaps others. */
        map_reset(&p->durable);
        why = (struct err){0};
        (void)note_fresh(p, folder, true, fresh, holders);
        result = directory_make(&p->system, p->root_dir, folder, 0, &why);
    }
    if (result != 0)
        *err = why;
    return result;
}

int posix_make_folders(struct posix *p, const char *const *paths, size_t count, struct err *err)
{
    struct map fresh = {0};
    struct map holders = {0};
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = make_folder(p, paths[i], &fresh, &holders, err);
    if (result == 0)
        result = directory_sync_all(&p->system, p->root_dir, &holders, POSIX_SYNC_EACH_MAX, err);
    if (result == 0 && fresh.count > 0 && p->durable.count > DURABLE_MAX)
        map_reset(&p->durable);
    for (uint32_t i = 0; i < fresh.count && result == 0; i++) {
        bool added;
        (void)map_put(&p->durable, map_key(&fresh, i), &added);
    }
    map_free(&fresh);
    map_free(&holders);
    return result;
}

int posix_sync_folders(struct posix *p, const char *const *paths, size_t count, struct err *err)
{
    struct map folders = {0};
    struct buf folder = {0};
    for (size_t i = 0; i < count; i++) {
        bool added;
        directory_parent(&folder, slice_of(paths[i]));
        (void)map_put(&folders, buf_slice(&folder), &added);
    }
    int result = directory_sync_all(&p->system, p->root_dir, &folders, POSIX_SYNC_EACH_MAX, err);
    map_free(&folders);
    buf_free(&folder);
    return result;
}

bool posix_exists(const struct posix *p, int dir, const char *name, struct stat *st,
                  struct err *err)
{
    if (system_stat(&p->system, dir, name, st) == 0)
        return true;
    if (errno != ENOENT)
        (void)err_set_system(err, errno, "can't stat %s", name);
    return false;
}

/* The place is taken: by this very file, if a crash or an error came when it had both names. */
static enum posix_moved judge_taken(struct posix *p, const char *name, int folder, const char *path,
                                    struct err *err)
{
    struct stat here, there;
    if (!posix_exists(p, p->own_dir, name, &here, err) ||
        !posix_exists(p, folder, directory_base(path), &there, err))
        return err_is_set(err) ? POSIX_MOVE_FAILED : POSIX_MOVE_TAKEN;
    if (here.st_ino != there.st_ino || here.st_dev != there.st_dev)
        return POSIX_MOVE_TAKEN;
    p->linked = true;
    return POSIX_MOVE_DONE;
}

static enum posix_moved move_failed(const char *path, int error, struct err *err)
{
    (void)err_set_system(err, error, "can't move a file to %s", path);
    return POSIX_MOVE_FAILED;
}

/* Without a judgement: errno says why it failed. */
static enum posix_moved try_move(struct posix *p, const char *name, int folder, const char *path)
{
    bool linked;
    if (system_rename_noreplace(&p->system, p->own_dir, name, folder, directory_base(path),
                                &linked) != 0)
        return errno == EEXIST ? POSIX_MOVE_TAKEN : POSIX_MOVE_FAILED;
    p->linked = p->linked || linked;
    return POSIX_MOVE_DONE;
}

/* The file has no temporary name: an earlier attempt has moved it, or it is lost. */
static enum posix_moved judge_gone(struct posix *p, const char *name, const char *path,
                                   struct err *err)
{
    struct stat st;
    bool missing;
    int folder = posix_folder(p, path, false, &missing, err);
    if (folder >= 0 && posix_exists(p, folder, directory_base(path), &st, err))
        return POSIX_MOVE_DONE;
    if (!err_is_set(err))
        (void)err_set(err, ERR_FORMAT,
                      "%s is to be committed, but is gone, as is .varve/%s/%s; to give that commit "
                      "up, remove %s/.pending-%s while varve is stopped",
                      path, p->writer_name, name, p->entries, p->writer_name);
    return POSIX_MOVE_FAILED;
}

enum posix_moved posix_move(struct posix *p, const char *id, const char *path, struct err *err)
{
    char name[POSIX_STAGED_NAME_MAX];
    struct stat st;
    posix_staged_name(name, id);
    for (bool again = false;; again = true) {
        bool missing;
        int folder = posix_folder(p, path, false, &missing, err);
        if (folder < 0 && !missing)
            return POSIX_MOVE_FAILED;
        enum posix_moved moved = folder < 0 ? POSIX_MOVE_FAILED : try_move(p, name, folder, path);
        if (moved == POSIX_MOVE_DONE)
            return moved;
        if (moved == POSIX_MOVE_TAKEN)
            return judge_taken(p, name, folder, path, err);
        int error = errno;
        if (folder >= 0 && error != ENOENT)
            return move_failed(path, error, err);
        if (!posix_exists(p, p->own_dir, name, &st, err))
            return err_is_set(err) ? POSIX_MOVE_FAILED : judge_gone(p, name, path, err);
        if (again)
            return move_failed(path, error, err);
        posix_folder_forget(p); /* if it was open, it is none any more */
        doubt_durable(p, path);
        if (posix_make_folders(p, &path, 1, err) != 0)
            return POSIX_MOVE_FAILED;
    }
}

static int put_staged(struct posix *p, const char *id, const char *name, bool replace, bool *taken,
                      struct err *err)
{
    char staged[POSIX_STAGED_NAME_MAX];
    posix_staged_name(staged, id);
    doubt_durable(p, name); /* rare enough to look at the folders each time */
    if (posix_make_folders(p, &name, 1, err) != 0)
        return -1;
    int folder = posix_folder(p, name, true, NULL, err);
    if (folder < 0)
        return -1;
    if (replace && system_rename(&p->system, p->own_dir, staged, folder, directory_base(name)) != 0)
        return err_set_system(err, errno, "can't move a file to %s", name);
    if (!replace) {
        enum posix_moved moved = try_move(p, staged, folder, name);
        int error = errno;
        if (moved == POSIX_MOVE_TAKEN)
            moved = judge_taken(p, staged, folder, name, err);
        else if (moved == POSIX_MOVE_FAILED)
            (void)move_failed(name, error, err);
        if (moved == POSIX_MOVE_FAILED)
            return -1;
        *taken = moved == POSIX_MOVE_TAKEN;
    }
    return posix_sync_folders(p, &name, 1, err); /* also if taken: the caller relies on it */
}

int posix_put(struct object_store *store, const char *name, struct slice content, bool replace,
              bool *taken, struct err *err)
{
    struct posix *p = posix_of(store);
    *taken = false;
    struct object_staged *staged = posix_stage_whole(p, content, err);
    if (staged == NULL)
        return -1;
    p->linked = false;
    int result = put_staged(p, object_staged_id(staged), name, replace, taken, err);
    posix_folder_forget(p);
    if (result != 0 || *taken || p->linked)
        posix_abandon(staged); /* where it was moved, this removes nothing */
    else
        posix_staged_free(staged);
    return result;
}

int posix_place(struct object_staged *staged, const char *name, struct err *err)
{
    struct posix *p = posix_of(staged->store);
    bool taken;
    int result = put_staged(p, object_staged_id(staged), name, true, &taken, err);
    posix_folder_forget(p);
    return result;
}

/* SPDX-License-Identifier: MIT */
#include "object/posix_part.h"

#include <errno.h>
#include <string.h>

#include "object/directory.h"

/* Folders of which we remember that they are durable, some 100 bytes each. */
enum { DURABLE_MAX = 1 << 14 };

bool posix_exists(const struct posix *p, int dir, const char *name, struct stat *st,
                  struct err *err)
{
    if (system_stat(&p->system, dir, name, st) == 0)
        return true;
    if (errno != ENOENT)
        (void)err_set_system(err, errno, "can't stat %s", name);
    return false;
}

/* The place is taken: by this very file, if a crash or an error came between link and unlink. */
static enum posix_moved judge_taken(const struct posix *p, const char *name, int folder,
                                    const char *path, struct err *err)
{
    struct stat here, there;
    if (!posix_exists(p, p->own_dir, name, &here, err) ||
        !posix_exists(p, folder, directory_base(path), &there, err))
        return err_is_set(err) ? POSIX_MOVE_FAILED : POSIX_MOVE_TAKEN;
    if (here.st_ino != there.st_ino || here.st_dev != there.st_dev)
        return POSIX_MOVE_TAKEN;
    if (system_unlink(&p->system, p->own_dir, name) == 0)
        return POSIX_MOVE_DONE;
    (void)err_set_system(err, errno, "can't remove the temporary name of %s", path);
    return POSIX_MOVE_FAILED;
}

static enum posix_moved move_failed(const char *path, int error, struct err *err)
{
    (void)err_set_system(err, error, "can't move a file to %s", path);
    return POSIX_MOVE_FAILED;
}

/* Without a judgement: errno says why it failed. */
static enum posix_moved try_move(const struct posix *p, const char *name, int folder,
                                 const char *path)
{
    if (system_rename_noreplace(&p->system, p->own_dir, name, folder, directory_base(path)) == 0)
        return POSIX_MOVE_DONE;
    return errno == EEXIST ? POSIX_MOVE_TAKEN : POSIX_MOVE_FAILED;
}

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
    for (bool make = false;; make = true) {
        bool missing;
        int folder = posix_folder(p, path, make, &missing, err);
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
        if (make)
            return move_failed(path, error, err);
        doubt_durable(p, path);
        posix_folder_forget(p); /* if it was open, it is none any more */
    }
}

void posix_touch(const struct posix *p, struct map *touched, const char *path)
{
    struct buf folder = {0};
    struct buf parent = {0};
    bool added;
    directory_parent(&folder, slice_of(path));
    (void)map_put(touched, buf_slice(&folder), &added);
    while (!slice_is(buf_slice(&folder), ".") && map_find(&p->durable, buf_slice(&folder)) < 0) {
        directory_parent(&parent, buf_slice(&folder));
        buf_reset(&folder);
        buf_append_slice(&folder, buf_slice(&parent));
        (void)map_put(touched, buf_slice(&folder), &added);
    }
    buf_free(&folder);
    buf_free(&parent);
}

int posix_sync_touched(struct posix *p, const struct map *touched, struct err *err)
{
    if (directory_sync_all(&p->system, p->root_dir, touched, POSIX_SYNC_EACH_MAX, err) != 0)
        return -1;
    if (p->durable.count > DURABLE_MAX)
        map_reset(&p->durable);
    for (uint32_t i = 0; i < touched->count; i++) {
        bool added;
        (void)map_put(&p->durable, map_key(touched, i), &added);
    }
    return 0;
}

static int put_staged(struct posix *p, const char *id, const char *name, bool replace, bool *taken,
                      struct err *err)
{
    char staged[POSIX_STAGED_NAME_MAX];
    struct map touched = {0};
    posix_staged_name(staged, id);
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
    posix_touch(p, &touched, name);
    int result = posix_sync_touched(p, &touched, err); /* also if taken: the caller relies on it */
    map_free(&touched);
    return result;
}

int posix_put(struct object_store *store, const char *name, struct slice content, bool replace,
              bool *taken, struct err *err)
{
    struct posix *p = posix_of(store);
    struct object_staged *staged = posix_stage_whole(p, content, err);
    if (staged == NULL)
        return -1;
    int result = put_staged(p, object_staged_id(staged), name, replace, taken, err);
    posix_folder_forget(p);
    if (result != 0 || *taken)
        posix_abandon(staged); /* where it was moved, this removes nothing */
    else
        posix_staged_free(staged);
    return result;
}

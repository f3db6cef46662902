/* SPDX-License-Identifier: MIT */
#include "follow/rebuild.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "object/directory.h"

#define BESIDE ".restart"
enum { OPEN_MAX = 16 }; /* descriptors of nftw */

static const struct system plain;

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static int remove_all(const char *path, struct err *err)
{
    if (nftw(path, remove_one, OPEN_MAX, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
        return 0;
    return err_set_system(err, errno, "%s can't be removed", path);
}

static char *below(const char *folder, const char *name)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", folder, name);
    char *copy = text_copy_slice(buf_slice(&path));
    buf_free(&path);
    return copy;
}

/* Rather now than when all is done. */
static int try_exchange(const char *beside, struct err *err)
{
    char *a = below(beside, "a"), *b = below(beside, "b");
    int result = 0;
    if (system_mkdir(&plain, SYSTEM_WORKING_DIR, beside, 0777) != 0 ||
        system_mkdir(&plain, SYSTEM_WORKING_DIR, a, 0777) != 0 ||
        system_mkdir(&plain, SYSTEM_WORKING_DIR, b, 0777) != 0)
        result = err_set_system(err, errno, "%s", beside);
    else if (system_exchange(&plain, SYSTEM_WORKING_DIR, a, SYSTEM_WORKING_DIR, b) != 0)
        result = err_set(err, ERR_UNSUPPORTED,
                         "on this file system two folders can't change places (%s): give the "
                         "follower another target, and --forget it",
                         strerror(errno));
    free(a);
    free(b);
    return result;
}

char *follow_rebuild_begin(const char *target, struct err *err)
{
    char *beside = below(target, BESIDE);
    if (remove_all(beside, err) == 0 && try_exchange(beside, err) == 0 &&
        remove_all(beside, err) == 0)
        return beside;
    free(beside);
    return NULL;
}

static int place(const char *target, const char *beside, const char *name, struct err *err)
{
    char *from = below(beside, name), *to = below(target, name);
    int result = system_exchange(&plain, SYSTEM_WORKING_DIR, from, SYSTEM_WORKING_DIR, to);
    if (result != 0 && errno == ENOENT)
        result = system_rename(&plain, SYSTEM_WORKING_DIR, from, SYSTEM_WORKING_DIR, to);
    if (result != 0)
        (void)err_set_system(err, errno, "%s can't take the place of %s", from, to);
    free(from);
    free(to);
    return result;
}

int follow_rebuild_end(const char *target, const char *beside, struct err *err)
{
    const struct dirent *entry;
    int result = 0;
    DIR *folder = opendir(beside);
    if (folder == NULL && errno == ENOENT)
        return 0; /* the store has no row for any table */
    if (folder == NULL)
        return err_set_system(err, errno, "%s", beside);
    while (result == 0 && (entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.')
            result = place(target, beside, entry->d_name, err);
    (void)closedir(folder); /* it was only read */
    if (result != 0)
        return -1;
    int fd = directory_open(&plain, SYSTEM_WORKING_DIR, target, DIRECTORY_FOLLOW, err);
    if (fd < 0)
        return -1;
    if (system_fsync(&plain, fd) != 0)
        result = err_set_system(err, errno, "fsync of %s", target);
    (void)system_close(&plain, fd); /* nothing was written through it */
    return result == 0 ? remove_all(beside, err) : -1;
}

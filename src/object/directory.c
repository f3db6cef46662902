/* SPDX-License-Identifier: MIT */
#include "object/directory.h"

#include <errno.h>
#include <string.h>

void directory_parent(struct buf *out, struct slice path)
{
    size_t len = path.len;
    while (len > 0 && path.data[len - 1] != '/')
        len--;
    while (len > 1 && path.data[len - 1] == '/')
        len--; /* but the root stays "/" */
    buf_reset(out);
    if (len == 0)
        buf_append_byte(out, '.');
    else
        buf_append(out, path.data, len);
}

const char *directory_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static int open_failed(const char *path, int error, struct err *err)
{
    if (error == ELOOP)
        return err_set_system(
            err, error,
            "%s is a symbolic link, or lies behind one, and varve follows none in its output",
            path);
    return err_set_system(err, error, "can't open the directory %s", path);
}

/* Make the last part of `path`; what is there but no directory is found out by who opens it. */
static int make_one(const struct system *system, int parent, const char *path, unsigned flags,
                    struct err *err)
{
    if (system_mkdir(system, parent, directory_base(path), 0755) != 0 && errno != EEXIST)
        return err_set_system(err, errno, "can't make the directory %s", path);
    if ((flags & DIRECTORY_DURABLE) != 0 && system_fsync(system, parent) != 0)
        return err_set_system(err, errno, "can't make the directory %s durable", path);
    return 0;
}

static int open_here(const struct system *system, int dir, const char *path, unsigned flags)
{
    int open_flags = (flags & DIRECTORY_FOLLOW) != 0 ? O_RDONLY | O_DIRECTORY : SYSTEM_OPEN_FOLDER;
    return system_openat(system, dir, path, open_flags, 0);
}

int directory_open(const struct system *system, int dir, const char *path, unsigned flags,
                   struct err *err)
{
    int fd = open_here(system, dir, path, flags);
    if (fd < 0 && errno == ENOENT && (flags & DIRECTORY_MAKE) != 0 && strcmp(path, ".") != 0) {
        struct buf above = {0};
        struct buf clean = {0}; /* without slashes at the end */
        buf_append_text(&clean, path);
        while (clean.len > 1 && clean.data[clean.len - 1] == '/')
            clean.len--;
        directory_parent(&above, buf_slice(&clean));
        int parent = directory_open(system, dir, buf_text(&above), flags, err);
        int result = parent < 0 ? -1 : make_one(system, parent, buf_text(&clean), flags, err);
        if (parent >= 0)
            (void)system_close(system, parent); /* only a directory */
        buf_free(&above);
        buf_free(&clean);
        if (result != 0)
            return -1;
        fd = open_here(system, dir, path, flags);
    }
    return fd < 0 ? open_failed(path, errno, err) : fd;
}

int directory_sync(const struct system *system, int dir, const char *path, struct err *err)
{
    int fd = system_openat(system, dir, path, SYSTEM_OPEN_FOLDER, 0);
    if (fd < 0)
        return open_failed(path, errno, err);
    int result = system_fsync(system, fd);
    int error = errno;
    (void)system_close(system, fd); /* only synced */
    if (result != 0)
        return err_set_system(err, error, "can't make the directory %s durable", path);
    return 0;
}

int directory_sync_all(const struct system *system, int dir, const struct map *paths,
                       uint32_t each_max, struct err *err)
{
    struct buf path = {0};
    int result = 0;
    if (paths->count > each_max) {
        if (system_syncfs(system, dir) == 0)
            return 0;
        if (errno != ENOSYS)
            return err_set_system(err, errno, "can't make %u directories durable",
                                  (unsigned)paths->count);
    }
    for (uint32_t i = 0; i < paths->count && result == 0; i++) {
        buf_reset(&path);
        buf_append_slice(&path, map_key(paths, i));
        result = directory_sync(system, dir, buf_text(&path), err);
    }
    buf_free(&path);
    return result;
}

/* SPDX-License-Identifier: MIT */
#include "object/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

void store_directory_parent(struct buf *out, struct slice path)
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

/* Make one directory if it is not there; what is not a directory is found out by its user. */
static int make_one(const struct store_system *system, int dir, const char *path, struct map *made,
                    struct err *err)
{
    if (store_system_mkdir(system, dir, path, 0755) < 0) {
        if (errno == EEXIST)
            return 0;
        return err_set_system(err, errno, "can't make the directory %s", path);
    }
    if (made != NULL) {
        struct buf parent = {0};
        bool added;
        store_directory_parent(&parent, slice_of(path));
        (void)map_put(made, buf_slice(&parent), &added);
        buf_free(&parent);
    }
    return 0;
}

int store_directory_make_parents(const struct store_system *system, int dir, const char *path,
                                 struct map *made, struct err *err)
{
    struct buf prefix = {0};
    int result = 0;
    for (const char *slash = strchr(path + 1, '/'); slash != NULL && result == 0;
         slash = strchr(slash + 1, '/')) {
        buf_reset(&prefix);
        buf_append(&prefix, path, (size_t)(slash - path));
        result = make_one(system, dir, buf_text(&prefix), made, err);
    }
    buf_free(&prefix);
    return result;
}

int store_directory_sync(const struct store_system *system, int dir, const char *path,
                         struct err *err)
{
    int fd = store_system_openat(system, dir, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return err_set_system(err, errno, "can't open the directory %s", path);
    int result = store_system_fsync(system, fd);
    int error = errno;
    (void)close(fd); /* only synced */
    if (result < 0)
        return err_set_system(err, error, "can't make the directory %s durable", path);
    return 0;
}

int store_directory_sync_all(const struct store_system *system, int dir, const struct map *paths,
                             struct err *err)
{
    struct buf path = {0};
    int result = 0;
    for (uint32_t i = 0; i < paths->count && result == 0; i++) {
        buf_reset(&path);
        buf_append_slice(&path, map_key(paths, i));
        result = store_directory_sync(system, dir, buf_text(&path), err);
    }
    buf_free(&path);
    return result;
}

/* Make a directory and those above it, so that they last. */
static int make_all(const struct store_system *system, int dir, const char *path, struct err *err)
{
    struct map made = {0};
    int result = store_directory_make_parents(system, dir, path, &made, err);
    if (result == 0)
        result = make_one(system, dir, path, &made, err);
    if (result == 0)
        result = store_directory_sync_all(system, dir, &made, err);
    map_free(&made);
    return result;
}

int store_directory_open(const struct store_system *system, int dir, const char *path,
                         struct err *err)
{
    int fd = store_system_openat(system, dir, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 && errno == ENOENT) {
        if (make_all(system, dir, path, err) < 0)
            return -1;
        fd = store_system_openat(system, dir, path, O_RDONLY | O_DIRECTORY, 0);
    }
    if (fd < 0)
        (void)err_set_system(err, errno, "can't open the directory %s", path);
    return fd;
}

/* SPDX-License-Identifier: MIT */
#include "object/directory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

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

int directory_open_failed(const char *what, const char *path, int error, struct err *err)
{
    if (error == ELOOP)
        return err_set_system(
            err, error,
            "%s is a symbolic link, or lies behind one, and varve follows none in its output",
            path);
    return err_set_system(err, error, "can't open %s%s", what, path);
}

static int open_here(const struct system *system, int dir, const char *path, unsigned flags)
{
    int open_flags = (flags & DIRECTORY_FOLLOW) != 0 ? O_RDONLY | O_DIRECTORY : SYSTEM_OPEN_FOLDER;
    return system_openat(system, dir, path, open_flags, 0);
}

/* Make the last part of `path`, whose parent may be missing, too; what is there but no directory is
 * found out by who opens it. */
static int make(const struct system *system, int dir, struct slice path, unsigned flags,
                struct err *err)
{
    struct buf whole = {0};
    struct buf above = {0};
    buf_append_slice(&whole, path);
    directory_parent(&above, path);
    int result = -1;
    int parent =
        directory_open(system, dir, buf_text(&above), flags & ~(unsigned)DIRECTORY_DURABLE, err);
    if (parent >= 0) {
        result = system_mkdir(system, parent, directory_base(buf_text(&whole)), 0755);
        if (result != 0 && errno == EEXIST)
            result = 0; /* somebody else has made it */
        if (result != 0)
            (void)err_set_system(err, errno, "can't make the directory %s", buf_text(&whole));
        (void)system_close(system, parent); /* only a directory */
    }
    buf_free(&whole);
    buf_free(&above);
    return result;
}

/* Make the folders of `path`, one in the other, in `parent`, which is not closed. Only what was
 * there is opened, since it may be a link; what we have made a moment ago is none. */
static int make_each(const struct system *system, int parent, char *path, struct err *err)
{
    int at = parent;
    int result = 0;
    char *from = path; /* relative to `at` */
    for (char *end = path; result == 0 && end != NULL;) {
        char *slash = strchr(end, '/');
        if (slash != NULL)
            *slash = '\0';
        bool made = system_mkdir(system, at, from, 0755) == 0;
        if (!made && errno != EEXIST)
            result = err_set_system(err, errno, "can't make the directory %s", from);
        int above = at;
        if (result == 0 && !made && slash != NULL) {
            at = system_openat(system, above, from, SYSTEM_OPEN_FOLDER, 0);
            result = at < 0 ? directory_open_failed("the directory ", from, errno, err) : 0;
            if (above != parent)
                (void)system_close(system, above); /* only a directory */
            from = slash + 1;
        } else if (slash != NULL) {
            *slash = '/';
        }
        end = slash != NULL ? slash + 1 : NULL;
    }
    if (at >= 0 && at != parent)
        (void)system_close(system, at);
    return result;
}

int directory_make(const struct system *system, int dir, struct slice path, size_t known,
                   struct err *err)
{
    char *text = text_copy_slice(path);
    int result = 0;
    if (known == 0) {
        result = make_each(system, dir, text, err);
    } else if (known < path.len) {
        text[known] = '\0';
        int parent = system_openat(system, dir, text, SYSTEM_OPEN_FOLDER, 0);
        result = parent < 0 ? directory_open_failed("the directory ", text, errno, err)
                            : make_each(system, parent, text + known + 1, err);
        if (parent >= 0)
            (void)system_close(system, parent); /* only a directory */
    }
    free(text);
    return result == 0 ? 0 : err_prefix(err, "%.*s", (int)path.len, (const char *)path.data);
}

/* Of directories above the output, which need not be ours: not ours to read, or to sync. */
static bool is_none_of_ours(int error, unsigned flags)
{
    return (flags & DIRECTORY_FOLLOW) != 0 &&
           (error == EACCES || error == EPERM || error == EROFS || error == EINVAL);
}

/* Make the names of `path`, and of all above it, last. */
static int sync_holders(const struct system *system, int dir, struct slice path, unsigned flags,
                        struct err *err)
{
    struct buf at = {0};
    struct buf holder = {0};
    int result = 0;
    buf_append_slice(&at, path);
    while (result == 0 && strcmp(buf_text(&at), ".") != 0 && strcmp(buf_text(&at), "/") != 0) {
        directory_parent(&holder, buf_slice(&at));
        int fd = open_here(system, dir, buf_text(&holder), flags);
        if (fd < 0 || system_fsync(system, fd) != 0) {
            if (!is_none_of_ours(errno, flags))
                result = err_set_system(err, errno, "can't make the directory %s durable",
                                        buf_text(&holder));
        }
        if (fd >= 0)
            (void)system_close(system, fd); /* only synced */
        buf_reset(&at);
        buf_append_slice(&at, buf_slice(&holder));
    }
    buf_free(&at);
    buf_free(&holder);
    return result;
}

int directory_open(const struct system *system, int dir, const char *path, unsigned flags,
                   struct err *err)
{
    struct slice clean = slice_of(path); /* without slashes at the end */
    while (clean.len > 1 && clean.data[clean.len - 1] == '/')
        clean.len--;
    int fd = open_here(system, dir, path, flags);
    if (fd < 0 && errno == ENOENT && (flags & DIRECTORY_MAKE) != 0 && !slice_is(clean, ".")) {
        if (make(system, dir, clean, flags, err) != 0)
            return -1;
        fd = open_here(system, dir, path, flags);
    }
    if (fd < 0)
        return directory_open_failed("the directory ", path, errno, err);
    if ((flags & DIRECTORY_DURABLE) != 0 && sync_holders(system, dir, clean, flags, err) != 0) {
        (void)system_close(system, fd); /* only a directory */
        return -1;
    }
    return fd;
}

int directory_list(const char *path, system_visit *visit, void *context)
{
    const struct system plain = {0};
    int fd = open_here(&plain, SYSTEM_WORKING_DIR, path, DIRECTORY_FOLLOW);
    int result = fd < 0 ? -1 : system_list(&plain, fd, visit, context);
    int error = errno;
    if (fd >= 0)
        (void)system_close(&plain, fd); /* only read from */
    errno = error;
    return result;
}

int directory_sync(const struct system *system, int dir, const char *path, struct err *err)
{
    int fd = system_openat(system, dir, path, SYSTEM_OPEN_FOLDER, 0);
    if (fd < 0)
        return directory_open_failed("the directory ", path, errno, err);
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

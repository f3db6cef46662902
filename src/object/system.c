/* SPDX-License-Identifier: MIT */
#include "object/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From linux/fs.h, which musl-gcc has no path to. */
#define RENAME_NOREPLACE_FLAG 1U

const char *const store_call_names[STORE_CALL_COUNT] = {
    [STORE_CALL_OPENAT] = "openat",       [STORE_CALL_PREAD] = "pread",
    [STORE_CALL_PWRITE] = "pwrite",       [STORE_CALL_FDATASYNC] = "fdatasync",
    [STORE_CALL_FSYNC] = "fsync",         [STORE_CALL_RENAMEAT] = "renameat",
    [STORE_CALL_RENAMEAT2] = "renameat2", [STORE_CALL_LINKAT] = "linkat",
    [STORE_CALL_UNLINKAT] = "unlinkat",   [STORE_CALL_MKDIRAT] = "mkdirat",
    [STORE_CALL_FSTATAT] = "fstatat",     [STORE_CALL_FLOCK] = "flock",
    [STORE_CALL_STATVFS] = "statvfs",     [STORE_CALL_GETDENTS] = "getdents",
};

/* Ask the hook; false, with errno set, if the call is to fail. */
static bool enter(const struct store_system *s, enum store_call call)
{
    if (s->hook == NULL)
        return true;
    int system = s->hook(s->context, call, false);
    if (system <= 0)
        return true;
    errno = system;
    return false;
}

static void leave(const struct store_system *s, enum store_call call)
{
    if (s->hook == NULL)
        return;
    int system = errno;
    (void)s->hook(s->context, call, true); /* there is nothing left to fail */
    errno = system;
}

int store_system_openat(const struct store_system *s, int dir, const char *path, int flags,
                        mode_t mode)
{
    if (!enter(s, STORE_CALL_OPENAT))
        return -1;
    int fd;
    do {
        fd = openat(dir, path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    leave(s, STORE_CALL_OPENAT);
    return fd;
}

ssize_t store_system_pread(const struct store_system *s, int fd, void *data, size_t len,
                           off_t offset)
{
    if (!enter(s, STORE_CALL_PREAD))
        return -1;
    ssize_t got;
    do {
        got = pread(fd, data, len, offset);
    } while (got < 0 && errno == EINTR);
    leave(s, STORE_CALL_PREAD);
    return got;
}

ssize_t store_system_pwrite(const struct store_system *s, int fd, const void *data, size_t len,
                            off_t offset)
{
    if (!enter(s, STORE_CALL_PWRITE))
        return -1;
    ssize_t put;
    do {
        put = pwrite(fd, data, len, offset);
    } while (put < 0 && errno == EINTR);
    leave(s, STORE_CALL_PWRITE);
    return put;
}

int store_system_fdatasync(const struct store_system *s, int fd)
{
    if (!enter(s, STORE_CALL_FDATASYNC))
        return -1;
    int result;
    do {
        result = fdatasync(fd);
    } while (result < 0 && errno == EINTR);
    leave(s, STORE_CALL_FDATASYNC);
    return result;
}

int store_system_fsync(const struct store_system *s, int fd)
{
    if (!enter(s, STORE_CALL_FSYNC))
        return -1;
    int result;
    do {
        result = fsync(fd);
    } while (result < 0 && errno == EINTR);
    leave(s, STORE_CALL_FSYNC);
    return result;
}

void store_system_begin_sync(int fd)
{
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int store_system_rename(const struct store_system *s, int from_dir, const char *from, int to_dir,
                        const char *to)
{
    if (!enter(s, STORE_CALL_RENAMEAT))
        return -1;
    int result = renameat(from_dir, from, to_dir, to);
    leave(s, STORE_CALL_RENAMEAT);
    return result;
}

static int link_and_unlink(const struct store_system *s, int from_dir, const char *from, int to_dir,
                           const char *to)
{
    if (!enter(s, STORE_CALL_LINKAT))
        return -1;
    int result = linkat(from_dir, from, to_dir, to, 0);
    leave(s, STORE_CALL_LINKAT);
    return result < 0 ? -1 : store_system_unlink(s, from_dir, from);
}

int store_system_rename_noreplace(const struct store_system *s, int from_dir, const char *from,
                                  int to_dir, const char *to)
{
    int result = -1;
    if (enter(s, STORE_CALL_RENAMEAT2)) {
        result = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, RENAME_NOREPLACE_FLAG);
        leave(s, STORE_CALL_RENAMEAT2);
    }
    if (result < 0 && (errno == EINVAL || errno == ENOSYS))
        return link_and_unlink(s, from_dir, from, to_dir, to);
    return result;
}

int store_system_unlink(const struct store_system *s, int dir, const char *path)
{
    if (!enter(s, STORE_CALL_UNLINKAT))
        return -1;
    int result = unlinkat(dir, path, 0);
    leave(s, STORE_CALL_UNLINKAT);
    return result;
}

int store_system_mkdir(const struct store_system *s, int dir, const char *path, mode_t mode)
{
    if (!enter(s, STORE_CALL_MKDIRAT))
        return -1;
    int result = mkdirat(dir, path, mode);
    leave(s, STORE_CALL_MKDIRAT);
    return result;
}

int store_system_stat(const struct store_system *s, int dir, const char *path, struct stat *out)
{
    if (!enter(s, STORE_CALL_FSTATAT))
        return -1;
    int result = fstatat(dir, path, out, AT_SYMLINK_NOFOLLOW);
    leave(s, STORE_CALL_FSTATAT);
    return result;
}

int store_system_lock(const struct store_system *s, int fd)
{
    if (!enter(s, STORE_CALL_FLOCK))
        return -1;
    int result;
    do {
        result = flock(fd, LOCK_EX | LOCK_NB);
    } while (result < 0 && errno == EINTR);
    leave(s, STORE_CALL_FLOCK);
    return result;
}

int store_system_free_bytes(const struct store_system *s, int fd, uint64_t *out)
{
    if (!enter(s, STORE_CALL_STATVFS))
        return -1;
    struct statvfs fs;
    int result;
    do {
        result = fstatvfs(fd, &fs);
    } while (result < 0 && errno == EINTR);
    leave(s, STORE_CALL_STATVFS);
    if (result == 0)
        *out = (uint64_t)fs.f_bavail * (uint64_t)fs.f_frsize;
    return result;
}

int store_system_list(const struct store_system *s, int dir,
                      void (*visit)(void *context, const char *name), void *context)
{
    /* A descriptor of its own, since closedir closes it and reading moves it. */
    int fd = store_system_openat(s, dir, ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return -1;
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        (void)close(fd); /* only read from */
        return -1;
    }
    int result = -1;
    if (enter(s, STORE_CALL_GETDENTS)) {
        errno = 0;
        struct dirent *found;
        while ((found = readdir(stream)) != NULL) {
            if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0)
                visit(context, found->d_name);
            errno = 0;
        }
        result = errno == 0 ? 0 : -1;
        leave(s, STORE_CALL_GETDENTS);
    }
    int system = errno;
    (void)closedir(stream); /* only read from */
    errno = system;
    return result;
}

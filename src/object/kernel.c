/* SPDX-License-Identifier: MIT */
#include "object/system.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/buf.h"

/* From linux/fs.h and linux/openat2.h, which musl-gcc has no path to. */
#define RENAME_NOREPLACE_FLAG 1U
#define RENAME_EXCHANGE_FLAG 2U
#define RESOLVE_NO_SYMLINKS_FLAG UINT64_C(0x04)
#define RESOLVE_BENEATH_FLAG UINT64_C(0x08)
#ifndef SYS_openat2
#define SYS_openat2 437 /* the same on each architecture */
#endif

/* Names are read from a directory in pieces of so many bytes: a thousand of them. */
enum { LIST_SIZE = 64 * 1024 };

struct how {
    uint64_t flags, mode, resolve;
};

/* Once it was missing it will not come. */
static atomic_bool openat2_missing;

static int open_plain(int dir, const char *path, int flags, mode_t mode)
{
    int fd;
    do {
        fd = openat(dir, path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* One part of a path. With O_DIRECTORY the kernel says ENOTDIR of a link, which misleads. */
static int open_part(int dir, const char *name, int flags, mode_t mode)
{
    struct stat st;
    int fd = open_plain(dir, name, flags | O_NOFOLLOW, mode);
    if (fd >= 0 || errno != ENOTDIR)
        return fd;
    errno =
        fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
    return -1;
}

static int open_by_parts(int dir, const char *path, int flags, mode_t mode)
{
    char part[NAME_MAX + 1];
    int at = dir;
    for (const char *slash; (slash = strchr(path, '/')) != NULL; path = slash + 1) {
        size_t len = (size_t)(slash - path);
        int next = -1;
        errno = len == 0 ? ENOENT : ENAMETOOLONG;
        if (len > 0 && len <= NAME_MAX) {
            memcpy(part, path, len);
            part[len] = '\0';
            errno = EXDEV; /* as openat2 says of what leads out */
            if (strcmp(part, "..") != 0)
                next = open_part(at, part, O_PATH | O_DIRECTORY, 0);
        }
        int error = errno;
        if (at != dir)
            (void)close(at); /* only looked up */
        errno = error;
        if (next < 0)
            return -1;
        at = next;
    }
    errno = EXDEV;
    int fd = strcmp(path, "..") == 0 ? -1 : open_part(at, path, flags, mode);
    int error = errno;
    if (at != dir)
        (void)close(at); /* only looked up */
    errno = error;
    return fd;
}

void kernel_forget_openat2(void)
{
    atomic_store(&openat2_missing, true);
}

static int kernel_openat(void *disk, int dir, const char *path, int flags, mode_t mode)
{
    (void)disk;
    if ((flags & O_NOFOLLOW) == 0)
        return open_plain(dir, path, flags, mode);
    if (atomic_load(&openat2_missing))
        return open_by_parts(dir, path, flags, mode);
    /* With O_NOFOLLOW and O_DIRECTORY it would say ENOTDIR of a link. */
    struct how how = {(uint64_t)(unsigned)((flags & ~O_NOFOLLOW) | O_CLOEXEC), mode,
                      RESOLVE_BENEATH_FLAG | RESOLVE_NO_SYMLINKS_FLAG};
    long fd;
    do {
        fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN)); /* EAGAIN: a rename came between */
    if (fd < 0 && errno == ENOSYS)
        atomic_store(&openat2_missing, true);
    /* EPERM is what old filters for system calls say of those that they don't know. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return open_by_parts(dir, path, flags, mode);
    return (int)fd;
}

static void kernel_begin_sync(void *disk, int fd)
{
    (void)disk;
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a hint */
}

static bool kernel_set_direct(void *disk, int fd, bool direct)
{
    (void)disk;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

static int kernel_close(void *disk, int fd)
{
    (void)disk;
    return close(fd);
}

static ssize_t kernel_pread(void *disk, int fd, void *data, size_t len, off_t offset)
{
    (void)disk;
    ssize_t got;
    do {
        got = pread(fd, data, len, offset);
    } while (got < 0 && errno == EINTR);
    return got;
}

static ssize_t kernel_pwrite(void *disk, int fd, const void *data, size_t len, off_t offset)
{
    (void)disk;
    ssize_t put;
    do {
        put = pwrite(fd, data, len, offset);
    } while (put < 0 && errno == EINTR);
    return put;
}

static int kernel_fdatasync(void *disk, int fd)
{
    (void)disk;
    int result;
    do {
        result = fdatasync(fd);
    } while (result != 0 && errno == EINTR);
    return result;
}

static int kernel_fsync(void *disk, int fd)
{
    (void)disk;
    int result;
    do {
        result = fsync(fd);
    } while (result != 0 && errno == EINTR);
    return result;
}

/* Since Linux 5.8 syncfs fails if anything could not be written since `fd` was opened (syncfs(2),
 * VERSIONS). */
static bool syncfs_tells_errors(void)
{
    struct utsname name;
    if (uname(&name) != 0)
        return false;
    char *end;
    unsigned long major = strtoul(name.release, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return major > 5 || (major == 5 && minor >= 8);
}

static int kernel_syncfs(void *disk, int fd)
{
    (void)disk;
    if (!syncfs_tells_errors()) {
        errno = ENOSYS;
        return -1;
    }
    int result;
    do {
        result = syncfs(fd);
    } while (result != 0 && errno == EINTR);
    return result;
}

static int kernel_rename(void *disk, int from_dir, const char *from, int to_dir, const char *to,
                         enum system_rename how)
{
    (void)disk;
    unsigned flags = how == SYSTEM_EXCHANGE ? RENAME_EXCHANGE_FLAG : RENAME_NOREPLACE_FLAG;
    return how == SYSTEM_REPLACE ? renameat(from_dir, from, to_dir, to)
                                 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

static int kernel_link(void *disk, int from_dir, const char *from, int to_dir, const char *to)
{
    (void)disk;
    return linkat(from_dir, from, to_dir, to, 0);
}

static int kernel_unlink(void *disk, int dir, const char *name)
{
    (void)disk;
    return unlinkat(dir, name, 0);
}

static int kernel_rmdir(void *disk, int dir, const char *name)
{
    (void)disk;
    return unlinkat(dir, name, AT_REMOVEDIR);
}

static int kernel_mkdir(void *disk, int dir, const char *name, mode_t mode)
{
    (void)disk;
    return mkdirat(dir, name, mode);
}

static int kernel_stat(void *disk, int dir, const char *path, bool follow, struct stat *out)
{
    (void)disk;
    return fstatat(dir, path, out, follow ? 0 : AT_SYMLINK_NOFOLLOW);
}

static int kernel_lock(void *disk, int fd, bool shared)
{
    (void)disk;
    int result;
    do {
        result = flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    return result;
}

static int kernel_free_bytes(void *disk, int fd, uint64_t *out, bool *known)
{
    (void)disk;
    struct statvfs fs;
    int result;
    do {
        result = fstatvfs(fd, &fs);
    } while (result != 0 && errno == EINTR);
    if (result != 0)
        return -1;
    *known = fs.f_blocks > 0;
    *out = (uint64_t)fs.f_bavail * (uint64_t)fs.f_frsize;
    return 0;
}

static enum system_kind kind_of(unsigned char type)
{
    if (type == DT_UNKNOWN)
        return SYSTEM_UNKNOWN;
    if (type == DT_DIR)
        return SYSTEM_FOLDER;
    return type == DT_REG ? SYSTEM_FILE : SYSTEM_OTHER;
}

/* What getdents64 gives of a name, on each architecture: struct linux_dirent64. */
struct entry {
    uint64_t inode;
    int64_t next;
    uint16_t len; /* of all of it, a multiple of 8 */
    uint8_t type;
    char name[];
};

/* Not by readdir, which asks for 2 KiB at a time in musl: the log of a year is half a million
 * names, and took 19,000 calls. */
static int kernel_list(void *disk, int fd, system_visit *visit, void *context)
{
    (void)disk;
    struct buf names = {0};
    long got;
    buf_reserve(&names, LIST_SIZE);
    while ((got = syscall(SYS_getdents64, fd, names.data, LIST_SIZE)) > 0) {
        for (long at = 0; at < got;) {
            const struct entry *entry = (const struct entry *)(const void *)(names.data + at);
            if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0)
                visit(context, entry->name, kind_of(entry->type));
            at += entry->len;
        }
    }
    int error = errno;
    buf_free(&names);
    (void)close(fd); /* only read from */
    errno = error;
    return got == 0 ? 0 : -1;
}

const struct system_calls system_kernel = {
    .openat = kernel_openat,
    .begin_sync = kernel_begin_sync,
    .set_direct = kernel_set_direct,
    .close = kernel_close,
    .pread = kernel_pread,
    .pwrite = kernel_pwrite,
    .fdatasync = kernel_fdatasync,
    .fsync = kernel_fsync,
    .syncfs = kernel_syncfs,
    .rename = kernel_rename,
    .link = kernel_link,
    .unlink = kernel_unlink,
    .rmdir = kernel_rmdir,
    .mkdir = kernel_mkdir,
    .stat = kernel_stat,
    .lock = kernel_lock,
    .free_bytes = kernel_free_bytes,
    .list = kernel_list,
};

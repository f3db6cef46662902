/* SPDX-License-Identifier: MIT */
#include "object/system.h"

#include <errno.h>

const char *const system_call_names[SYSTEM_CALL_COUNT] = {
    [SYSTEM_CALL_OPENAT] = "openat",     [SYSTEM_CALL_PREAD] = "pread",
    [SYSTEM_CALL_PWRITE] = "pwrite",     [SYSTEM_CALL_FDATASYNC] = "fdatasync",
    [SYSTEM_CALL_FSYNC] = "fsync",       [SYSTEM_CALL_SYNCFS] = "syncfs",
    [SYSTEM_CALL_RENAMEAT] = "renameat", [SYSTEM_CALL_RENAMEAT2] = "renameat2",
    [SYSTEM_CALL_LINKAT] = "linkat",     [SYSTEM_CALL_UNLINKAT] = "unlinkat",
    [SYSTEM_CALL_MKDIRAT] = "mkdirat",   [SYSTEM_CALL_FSTATAT] = "fstatat",
    [SYSTEM_CALL_FLOCK] = "flock",       [SYSTEM_CALL_STATVFS] = "statvfs",
    [SYSTEM_CALL_GETDENTS] = "getdents",
};

static const struct system_calls *calls_of(const struct system *s)
{
    return s->calls != NULL ? s->calls : &system_kernel;
}

/* Ask the hook; false, with errno set, if the call is to fail. */
static bool enter(const struct system *s, enum system_call call)
{
    if (s->hook == NULL)
        return true;
    int error = s->hook(s->context, call, false);
    if (error <= 0)
        return true;
    errno = error;
    return false;
}

static void leave(const struct system *s, enum system_call call)
{
    if (s->hook == NULL)
        return;
    int error = errno;
    (void)s->hook(s->context, call, true); /* there is nothing left to fail */
    errno = error;
}

int system_openat(const struct system *s, int dir, const char *path, int flags, mode_t mode)
{
    if (!enter(s, SYSTEM_CALL_OPENAT))
        return -1;
    int fd = calls_of(s)->openat(s->disk, dir, path, flags, mode);
    leave(s, SYSTEM_CALL_OPENAT);
    return fd;
}

int system_close(const struct system *s, int fd)
{
    return calls_of(s)->close(s->disk, fd);
}

ssize_t system_pread(const struct system *s, int fd, void *data, size_t len, off_t offset)
{
    if (!enter(s, SYSTEM_CALL_PREAD))
        return -1;
    ssize_t got = calls_of(s)->pread(s->disk, fd, data, len, offset);
    leave(s, SYSTEM_CALL_PREAD);
    return got;
}

ssize_t system_pwrite(const struct system *s, int fd, const void *data, size_t len, off_t offset)
{
    if (!enter(s, SYSTEM_CALL_PWRITE))
        return -1;
    ssize_t put = calls_of(s)->pwrite(s->disk, fd, data, len, offset);
    leave(s, SYSTEM_CALL_PWRITE);
    return put;
}

int system_fdatasync(const struct system *s, int fd)
{
    if (!enter(s, SYSTEM_CALL_FDATASYNC))
        return -1;
    int result = calls_of(s)->fdatasync(s->disk, fd);
    leave(s, SYSTEM_CALL_FDATASYNC);
    return result;
}

int system_fsync(const struct system *s, int fd)
{
    if (!enter(s, SYSTEM_CALL_FSYNC))
        return -1;
    int result = calls_of(s)->fsync(s->disk, fd);
    leave(s, SYSTEM_CALL_FSYNC);
    return result;
}

int system_syncfs(const struct system *s, int fd)
{
    if (!enter(s, SYSTEM_CALL_SYNCFS))
        return -1;
    int result = calls_of(s)->syncfs(s->disk, fd);
    leave(s, SYSTEM_CALL_SYNCFS);
    return result;
}

void system_begin_sync(const struct system *s, int fd)
{
    calls_of(s)->begin_sync(s->disk, fd);
}

bool system_set_direct(const struct system *s, int fd, bool direct)
{
    const struct system_calls *calls = calls_of(s);
    return calls->set_direct != NULL && calls->set_direct(s->disk, fd, direct);
}

int system_rename(const struct system *s, int from_dir, const char *from, int to_dir,
                  const char *to)
{
    if (!enter(s, SYSTEM_CALL_RENAMEAT))
        return -1;
    int result = calls_of(s)->rename(s->disk, from_dir, from, to_dir, to, SYSTEM_REPLACE);
    leave(s, SYSTEM_CALL_RENAMEAT);
    return result;
}

/* What kernels, file systems and filters for system calls say of a flag or a call that they lack.
 */
static bool is_lacking(int error)
{
    return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == EPERM;
}

int system_rename_noreplace(const struct system *s, int from_dir, const char *from, int to_dir,
                            const char *to, bool *linked)
{
    int result = -1;
    *linked = false;
    if (enter(s, SYSTEM_CALL_RENAMEAT2)) {
        result = calls_of(s)->rename(s->disk, from_dir, from, to_dir, to, SYSTEM_NOREPLACE);
        leave(s, SYSTEM_CALL_RENAMEAT2);
    }
    if (result == 0 || !is_lacking(errno) || !enter(s, SYSTEM_CALL_LINKAT))
        return result;
    result = calls_of(s)->link(s->disk, from_dir, from, to_dir, to);
    leave(s, SYSTEM_CALL_LINKAT);
    *linked = result == 0;
    return result;
}

int system_exchange(const struct system *s, int from_dir, const char *from, int to_dir,
                    const char *to)
{
    if (!enter(s, SYSTEM_CALL_RENAMEAT2))
        return -1;
    int result = calls_of(s)->rename(s->disk, from_dir, from, to_dir, to, SYSTEM_EXCHANGE);
    leave(s, SYSTEM_CALL_RENAMEAT2);
    return result;
}

int system_link(const struct system *s, int from_dir, const char *from, int to_dir, const char *to)
{
    if (!enter(s, SYSTEM_CALL_LINKAT))
        return -1;
    int result = calls_of(s)->link(s->disk, from_dir, from, to_dir, to);
    leave(s, SYSTEM_CALL_LINKAT);
    return result;
}

int system_unlink(const struct system *s, int dir, const char *name)
{
    if (!enter(s, SYSTEM_CALL_UNLINKAT))
        return -1;
    int result = calls_of(s)->unlink(s->disk, dir, name);
    leave(s, SYSTEM_CALL_UNLINKAT);
    return result;
}

int system_rmdir(const struct system *s, int dir, const char *name)
{
    if (!enter(s, SYSTEM_CALL_UNLINKAT))
        return -1;
    int result = calls_of(s)->rmdir(s->disk, dir, name);
    leave(s, SYSTEM_CALL_UNLINKAT);
    return result;
}

int system_mkdir(const struct system *s, int dir, const char *name, mode_t mode)
{
    if (!enter(s, SYSTEM_CALL_MKDIRAT))
        return -1;
    int result = calls_of(s)->mkdir(s->disk, dir, name, mode);
    leave(s, SYSTEM_CALL_MKDIRAT);
    return result;
}

int system_stat(const struct system *s, int dir, const char *name, struct stat *out)
{
    if (!enter(s, SYSTEM_CALL_FSTATAT))
        return -1;
    int result = calls_of(s)->stat(s->disk, dir, name, false, out);
    leave(s, SYSTEM_CALL_FSTATAT);
    return result;
}

int system_stat_path(const struct system *s, const char *path, struct stat *out)
{
    if (!enter(s, SYSTEM_CALL_FSTATAT))
        return -1;
    int result = calls_of(s)->stat(s->disk, SYSTEM_WORKING_DIR, path, true, out);
    leave(s, SYSTEM_CALL_FSTATAT);
    return result;
}

static int take_lock(const struct system *s, int fd, bool shared)
{
    if (!enter(s, SYSTEM_CALL_FLOCK))
        return -1;
    int result = calls_of(s)->lock(s->disk, fd, shared);
    leave(s, SYSTEM_CALL_FLOCK);
    return result;
}

int system_lock(const struct system *s, int fd)
{
    return take_lock(s, fd, false);
}

int system_lock_shared(const struct system *s, int fd)
{
    return take_lock(s, fd, true);
}

int system_free_bytes(const struct system *s, int fd, uint64_t *out, bool *known)
{
    if (!enter(s, SYSTEM_CALL_STATVFS))
        return -1;
    int result = calls_of(s)->free_bytes(s->disk, fd, out, known);
    leave(s, SYSTEM_CALL_STATVFS);
    return result;
}

int system_list(const struct system *s, int dir, system_visit *visit, void *context)
{
    /* A descriptor of its own, since reading moves it, and closing the stream closes it. */
    int fd = system_openat(s, dir, ".", SYSTEM_OPEN_FOLDER, 0);
    if (fd < 0)
        return -1;
    if (!enter(s, SYSTEM_CALL_GETDENTS)) {
        int error = errno;
        (void)system_close(s, fd); /* only read from */
        errno = error;
        return -1;
    }
    int result = calls_of(s)->list(s->disk, fd, visit, context);
    leave(s, SYSTEM_CALL_GETDENTS);
    return result;
}

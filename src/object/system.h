/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_SYSTEM_H
#define VARVE_OBJECT_SYSTEM_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Every system call that a directory store makes, in one place. A test can let the n-th one fail or
 * end the process beside it (`hook`), and can put a whole disk in memory in the place of the
 * kernel's (`calls`). Each function has the meaning, the result and the errno of the call it is
 * named after; EINTR is retried, descriptors are closed on exec. A zeroed struct is the plain
 * system.
 *
 * Symbolic links: whoever may write below the output directory must not lead varve out of it. So
 * all calls but an open without O_NOFOLLOW take names of one part, and none follows a link.
 */
enum system_call {
    SYSTEM_CALL_OPENAT,
    SYSTEM_CALL_PREAD,
    SYSTEM_CALL_PWRITE,
    SYSTEM_CALL_FDATASYNC,
    SYSTEM_CALL_FSYNC,
    SYSTEM_CALL_SYNCFS,
    SYSTEM_CALL_RENAMEAT,
    SYSTEM_CALL_RENAMEAT2,
    SYSTEM_CALL_LINKAT,
    SYSTEM_CALL_UNLINKAT,
    SYSTEM_CALL_MKDIRAT,
    SYSTEM_CALL_FSTATAT,
    SYSTEM_CALL_FLOCK,
    SYSTEM_CALL_STATVFS,
    SYSTEM_CALL_GETDENTS,
    SYSTEM_CALL_COUNT,
};

enum {
    SYSTEM_WORKING_DIR = AT_FDCWD, /* of the process, where a directory is wanted */
    SYSTEM_OPEN_FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW, /* flags to open one below another */
};

/* The names above in small letters, such as "fdatasync". */
extern const char *const system_call_names[SYSTEM_CALL_COUNT];

/*
 * Called before each system call and, if that was made, once more after it. A positive result
 * before the call is the errno with which it fails without being made; the result after it is
 * ignored. Called by whichever thread makes the call.
 */
typedef int system_hook(void *context, enum system_call call, bool after);

/* What a name in a directory is, as far as the file system says so for free. */
enum system_kind { SYSTEM_UNKNOWN, SYSTEM_FILE, SYSTEM_FOLDER, SYSTEM_OTHER };

/* What becomes of what has the new name: it is replaced, it makes the call fail with EEXIST, or it
 * gets the old name. */
enum system_rename { SYSTEM_REPLACE, SYSTEM_NOREPLACE, SYSTEM_EXCHANGE };

typedef void system_visit(void *context, const char *name, enum system_kind kind);

/* What stands behind the functions below, for a disk that is not the kernel's. */
struct system_calls {
    int (*openat)(void *disk, int dir, const char *path, int flags, mode_t mode);
    void (*begin_sync)(void *disk, int fd);
    bool (*set_direct)(void *disk, int fd, bool direct); /* NULL: there is no such thing */
    int (*close)(void *disk, int fd);
    ssize_t (*pread)(void *disk, int fd, void *data, size_t len, off_t offset);
    ssize_t (*pwrite)(void *disk, int fd, const void *data, size_t len, off_t offset);
    int (*fdatasync)(void *disk, int fd);
    int (*fsync)(void *disk, int fd);
    int (*syncfs)(void *disk, int fd);
    int (*rename)(void *disk, int from_dir, const char *from, int to_dir, const char *to,
                  enum system_rename how);
    int (*link)(void *disk, int from_dir, const char *from, int to_dir, const char *to);
    int (*unlink)(void *disk, int dir, const char *name);
    int (*rmdir)(void *disk, int dir, const char *name);
    int (*mkdir)(void *disk, int dir, const char *name, mode_t mode);
    int (*stat)(void *disk, int dir, const char *path, bool follow, struct stat *out);
    int (*lock)(void *disk, int fd, bool shared);
    int (*free_bytes)(void *disk, int fd, uint64_t *out, bool *known);
    int (*list)(void *disk, int fd, system_visit *visit, void *context); /* closes fd */
};

extern const struct system_calls system_kernel;

/* For tests: do from now on what is done where there is no openat2. */
void kernel_forget_openat2(void);

struct system {
    const struct system_calls *calls; /* NULL: the kernel's */
    void *disk;                       /* their first argument */
    system_hook *hook;                /* NULL in production */
    void *context;                    /* of the hook */
};

/*
 * With O_NOFOLLOW `path` is relative to `dir` and stays below it: ELOOP where any part of it is a
 * symbolic link. By openat2 (Linux 5.6), and where that is missing, part by part. Without
 * O_NOFOLLOW it is the plain openat.
 */
int system_openat(const struct system *s, int dir, const char *path, int flags, mode_t mode);

/* Not called through the hook: a failure is told by what comes before or after it. */
int system_close(const struct system *s, int fd);

ssize_t system_pread(const struct system *s, int fd, void *data, size_t len, off_t offset);
ssize_t system_pwrite(const struct system *s, int fd, const void *data, size_t len, off_t offset);
int system_fdatasync(const struct system *s, int fd);
int system_fsync(const struct system *s, int fd);

/* Make all of the file system of `fd` durable. ENOSYS before Linux 5.8, which does not tell of
 * writes that have failed. */
int system_syncfs(const struct system *s, int fd);

/* sync_file_range: have the kernel begin to write out the whole file. A hint, which no test lets
 * fail: nobody would notice. */
void system_begin_sync(const struct system *s, int fd);

/*
 * O_DIRECT: what is written from now on goes from our memory to the device, not by way of the
 * kernel's cache. Memory, offset and length are multiples of the device's blocks then, or pwrite
 * says EINVAL; many file systems have no such thing, which is told here (false) or there. Not
 * called through the hook: nobody would notice.
 */
bool system_set_direct(const struct system *s, int fd, bool direct);

/* Replaces what is at `to`. */
int system_rename(const struct system *s, int from_dir, const char *from, int to_dir,
                  const char *to);

/*
 * Fails with EEXIST rather than replace something. renameat2, and where the file system has no such
 * flag (EINVAL, ENOSYS), linkat: *linked says that the file has both names now. The old one is to
 * be removed when the new one lasts, not before.
 */
int system_rename_noreplace(const struct system *s, int from_dir, const char *from, int to_dir,
                            const char *to, bool *linked);

/* Two names change places at once, whatever they are names of. EINVAL, ENOSYS where the file system
 * or the kernel can't. */
int system_exchange(const struct system *s, int from_dir, const char *from, int to_dir,
                    const char *to);

int system_link(const struct system *s, int from_dir, const char *from, int to_dir, const char *to);
int system_unlink(const struct system *s, int dir, const char *name);

/* Remove an empty directory: ENOTEMPTY or EEXIST if it is not. For tests the same call as the one
 * above. */
int system_rmdir(const struct system *s, int dir, const char *name);
int system_mkdir(const struct system *s, int dir, const char *name, mode_t mode);

/* Does not follow a symbolic link. "." is `dir` itself. */
int system_stat(const struct system *s, int dir, const char *name, struct stat *out);

/* The plain stat: `path` is relative to the working directory, or absolute. */
int system_stat_path(const struct system *s, const char *path, struct stat *out);

/* An exclusive lock on the open file, without waiting: EWOULDBLOCK if somebody has one. */
int system_lock(const struct system *s, int fd);

/* The same, but others may have a shared one as well. */
int system_lock_shared(const struct system *s, int fd);

/* Bytes that an ordinary user may still write to the file system of `fd`. Not known where it
 * reports no blocks at all (ramfs, and some of FUSE). */
int system_free_bytes(const struct system *s, int fd, uint64_t *out, bool *known);

/* Call `visit` with each name in the directory but "." and "..", in no particular order. The store
 * must not be changed meanwhile. */
int system_list(const struct system *s, int dir, system_visit *visit, void *context);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_SYSTEM_H
#define VARVE_OBJECT_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Every system call that the store makes, in one place, so that a test can let the n-th one fail or
 * end the process beside it. Each function has the meaning, the result and the errno of the call it
 * is named after; EINTR is retried. A zeroed struct is the plain system.
 */
enum store_call {
    STORE_CALL_OPENAT,
    STORE_CALL_PREAD,
    STORE_CALL_PWRITE,
    STORE_CALL_FDATASYNC,
    STORE_CALL_FSYNC,
    STORE_CALL_RENAMEAT,
    STORE_CALL_RENAMEAT2,
    STORE_CALL_LINKAT,
    STORE_CALL_UNLINKAT,
    STORE_CALL_MKDIRAT,
    STORE_CALL_FSTATAT,
    STORE_CALL_FLOCK,
    STORE_CALL_STATVFS,
    STORE_CALL_GETDENTS,
    STORE_CALL_COUNT,
};

/* The names above in small letters, such as "fdatasync". */
extern const char *const store_call_names[STORE_CALL_COUNT];

/*
 * Called before each system call and, if that was made, once more after it. A positive result
 * before the call is the errno with which it fails without being made; the result after it is
 * ignored. Called by whichever thread makes the call.
 */
typedef int store_hook(void *context, enum store_call call, bool after);

struct store_system {
    store_hook *hook; /* NULL in production */
    void *context;
};

int store_system_openat(const struct store_system *s, int dir, const char *path, int flags,
                        mode_t mode);
ssize_t store_system_pread(const struct store_system *s, int fd, void *data, size_t len,
                           off_t offset);
ssize_t store_system_pwrite(const struct store_system *s, int fd, const void *data, size_t len,
                            off_t offset);
int store_system_fdatasync(const struct store_system *s, int fd);
int store_system_fsync(const struct store_system *s, int fd);

/* sync_file_range: have the kernel begin to write out the whole file. A hint, which no test lets
 * fail: nobody would notice. */
void store_system_begin_sync(int fd);

/* Replaces what is at `to`. */
int store_system_rename(const struct store_system *s, int from_dir, const char *from, int to_dir,
                        const char *to);

/*
 * Fails with EEXIST rather than replace something. renameat2, and where the file system has no
 * such flag (EINVAL, ENOSYS), linkat and unlinkat: a crash between those two leaves the file under
 * both names.
 */
int store_system_rename_noreplace(const struct store_system *s, int from_dir, const char *from,
                                  int to_dir, const char *to);
int store_system_unlink(const struct store_system *s, int dir, const char *path);
int store_system_mkdir(const struct store_system *s, int dir, const char *path, mode_t mode);

/* Does not follow a symbolic link. */
int store_system_stat(const struct store_system *s, int dir, const char *path, struct stat *out);

/* An exclusive lock on the open file, without waiting: EWOULDBLOCK if somebody has it. */
int store_system_lock(const struct store_system *s, int fd);

/* Bytes that an ordinary user may still write to the file system of `fd`. */
int store_system_free_bytes(const struct store_system *s, int fd, uint64_t *out);

/* Call `visit` with each name in the directory but "." and "..", in no particular order. */
int store_system_list(const struct store_system *s, int dir,
                      void (*visit)(void *context, const char *name), void *context);

#endif

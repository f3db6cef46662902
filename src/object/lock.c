/* SPDX-License-Identifier: MIT */
#include "object/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OWNER_MAX = 32 };

/* The number that the owner has written, or "?" if it has not come to it yet. */
static void read_owner(const struct store_system *system, int fd, char out[static OWNER_MAX])
{
    ssize_t got = store_system_pread(system, fd, out, OWNER_MAX - 1, 0);
    out[got > 0 ? got : 0] = '\0';
    out[strspn(out, "0123456789")] = '\0';
    if (out[0] == '\0')
        (void)strcpy(out, "?");
}

int store_lock(const struct store_system *system, int dir, const char *where, struct err *err)
{
    char owner[OWNER_MAX];
    int fd = store_system_openat(system, dir, "lock", O_RDWR | O_CREAT, 0644);
    if (fd < 0)
        return err_set_system(err, errno, "can't open the lock of %s", where);
    if (store_system_lock(system, fd) < 0) {
        if (errno == EWOULDBLOCK) {
            read_owner(system, fd, owner);
            (void)err_set(err, ERR_REFUSED,
                          "%s is in use by process %s; stop it, or give this one another name",
                          where, owner);
        } else {
            (void)err_set_system(err, errno, "can't lock %s", where);
        }
        (void)close(fd); /* nothing was written */
        return -1;
    }
    int len = snprintf(owner, sizeof(owner), "%ld\n", (long)getpid());
    /* Only a help for people: the lock is held whether or not this can be written. */
    if (ftruncate(fd, 0) == 0)
        (void)!store_system_pwrite(system, fd, owner, (size_t)len, 0);
    return fd;
}

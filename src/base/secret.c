/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int set_failure(struct err *err)
{
    int error = errno;
    (void)err_set(err, ERR_SYSTEM, "%s", strerror(error));
    err->system = error;
    return -1;
}

static int read_open_file(int fd, size_t max, struct buf *out, mode_t *mode, struct err *err)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return set_failure(err);
    if (!S_ISREG(about.st_mode))
        return err_set(err, ERR_USAGE, "it is not a file");
    if (mode != NULL)
        *mode = about.st_mode;
    /* What has no size, as files of /proc, may have as much as it may. */
    size_t room = about.st_size > 0 && (uint64_t)about.st_size < max ? (size_t)about.st_size : max;
    buf_reserve_exact(out, room + 1);
    while (out->len <= room) {
        ssize_t got = read(fd, out->data + out->len, room + 1 - out->len);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return set_failure(err);
        out->len += got > 0 ? (size_t)got : 0;
    }
    if (room == max)
        return err_set(err, ERR_LIMIT, "it has more than %zu bytes", max);
    out->len = room; /* it grew meanwhile */
    return 0;
}

int secret_read(const char *path, size_t max, struct buf *out, mode_t *mode, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return set_failure(err);
    int result = read_open_file(fd, max, out, mode, err);
    (void)close(fd);
    return result;
}

bool secret_is_exposed(mode_t mode)
{
    return (mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0;
}

void secret_free(struct buf *b)
{
    if (b->data != NULL)
        explicit_bzero(b->data, b->cap);
    buf_free(b);
}

/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

static _Thread_local const struct secret_files *ahead;

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

static int read_file(const char *path, size_t max, struct buf *out, mode_t *mode, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return set_failure(err);
    int result = read_open_file(fd, max, out, mode, err);
    (void)close(fd);
    return result;
}

static const struct secret_file *find_ahead(const char *path)
{
    for (size_t i = 0; ahead != NULL && i < ahead->count; i++)
        if (strcmp(ahead->list[i].path, path) == 0)
            return &ahead->list[i];
    return NULL;
}

int secret_read(const char *path, size_t max, struct buf *out, mode_t *mode, struct err *err)
{
    const struct secret_file *file = find_ahead(path);
    if (file == NULL)
        return read_file(path, max, out, mode, err);
    if (mode != NULL && S_ISREG(file->mode))
        *mode = file->mode;
    if (file->result != 0) {
        if (!err_is_set(err))
            *err = file->err;
        return -1;
    }
    if (file->content.len > max)
        return err_set(err, ERR_LIMIT, "it has more than %zu bytes", max);
    buf_reserve_exact(out, file->content.len + 1);
    buf_append_slice(out, buf_slice(&file->content));
    return 0;
}

bool secret_mode(const char *path, mode_t *mode)
{
    struct stat about;
    const struct secret_file *file = find_ahead(path);
    if (file != NULL) {
        *mode = file->mode;
        return file->mode != 0;
    }
    if (stat(path, &about) != 0)
        return false;
    *mode = about.st_mode;
    return true;
}

bool secret_is_readable(const char *path)
{
    const struct secret_file *file = find_ahead(path);
    return file != NULL ? file->result == 0 : access(path, R_OK) == 0;
}

void secret_files_add(struct secret_files *files, const char *path, size_t max)
{
    if (path[0] != '\0')
        *array_add(files) = (struct secret_file){.path = text_copy(path), .max = max};
}

void secret_files_read(struct secret_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        struct secret_file *file = &files->list[i];
        if (secret_mode(file->path, &file->mode) && !S_ISREG(file->mode))
            file->result = err_set(&file->err, ERR_USAGE, "it is not a file");
        else
            file->result =
                read_file(file->path, file->max, &file->content, &file->mode, &file->err);
    }
}

void secret_files_free(struct secret_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        secret_free(&files->list[i].content);
        free(files->list[i].path);
    }
    array_free(files);
}

void secret_read_from(const struct secret_files *files)
{
    ahead = files;
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

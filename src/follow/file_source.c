/* SPDX-License-Identifier: MIT */
#include "follow/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_at(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    const struct file_source *f = context;
    uint8_t *at = data;
    while (len > 0) {
        ssize_t got = pread(f->fd, at, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_system(err, errno, "can't read at byte %llu",
                                  (unsigned long long)offset);
        if (got == 0)
            return err_set(err, ERR_SYSTEM, "the file became shorter while it was read");
        at += got;
        offset += (uint64_t)got;
        len -= (size_t)got;
    }
    return 0;
}

int file_source_open(struct file_source *f, const char *path, struct err *err)
{
    struct stat st;
    /* Without O_NONBLOCK, opening a FIFO would wait for a writer. */
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0)
        return err_set_system(err, errno, "can't open it");
    if (fstat(f->fd, &st) != 0) {
        err_set_system(err, errno, "can't look at it");
    } else if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_SYSTEM, "not a regular file");
    } else {
        f->source = (struct parquet_source){read_at, f, (uint64_t)st.st_size};
        return 0;
    }
    file_source_close(f);
    return -1;
}

void file_source_close(struct file_source *f)
{
    if (f->fd >= 0)
        (void)close(f->fd); /* it was only read */
    f->fd = -1;
}

static int get_at(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    struct object_source *o = context;
    bool found = false;
    buf_reset(&o->read);
    if (object_get(o->store, o->name, offset, len, &o->read, &found, err) != 0)
        return -1;
    if (!found || o->read.len != len)
        return err_set(err, ERR_SYSTEM, "the file is gone, or became shorter while it was read");
    memcpy(data, o->read.data, len);
    return 0;
}

int object_source_open(struct object_source *o, struct object_store *store, const char *name,
                       struct err *err)
{
    struct object_info info;
    bool found = false;
    *o = (struct object_source){.store = store, .name = name};
    if (object_head(store, name, &info, &found, err) != 0)
        return -1;
    if (!found)
        return err_set(err, ERR_SYSTEM, "there is no such file");
    o->source = (struct parquet_source){get_at, o, info.size};
    return 0;
}

void object_source_close(struct object_source *o)
{
    buf_free(&o->read);
}

/* SPDX-License-Identifier: MIT */
#include "follow/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "object/open.h"

enum {
    REMOTE_MIN = 1024 * 1024, /* what is asked for in a bucket at a time, at least */
    /* A file up to this is read at once: its parts would be some fifty reads. */
    SMALL_MAX = 64 * 1024,
};

static int read_fully(int fd, uint64_t offset, void *data, size_t len, struct err *err)
{
    uint8_t *at = data;
    while (len > 0) {
        ssize_t got = pread(fd, at, len, (off_t)offset);
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

static int read_at(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    struct file_source *f = context;
    if (f->source.size > SMALL_MAX)
        return read_fully(f->fd, offset, data, len, err);
    if (f->small.len == 0) {
        buf_reserve_exact(&f->small, (size_t)f->source.size);
        if (read_fully(f->fd, 0, f->small.data, (size_t)f->source.size, err) != 0)
            return -1;
        f->small.len = (size_t)f->source.size;
    }
    memcpy(data, f->small.data + offset, len);
    return 0;
}

bool file_source_hash(const struct file_source *f, char out[static SHA256_TEXT_MAX])
{
    if (f->small.len == 0)
        return false;
    sha256_text(buf_slice(&f->small), out);
    return true;
}

static int is_gone(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "the file is gone, or became shorter while it was read");
}

/* Without a copy: no more is appended than was asked for, and there is room for that. */
static int read_directly(struct object_source *o, uint64_t offset, void *data, size_t len,
                         struct err *err)
{
    struct buf borrowed = {.data = data, .cap = len};
    bool found = true;
    if (object_get(o->store, o->name, offset, len, &borrowed, &found, err) != 0)
        return -1;
    ASSERT(borrowed.data == data);
    return found && borrowed.len == len ? 0 : is_gone(err);
}

/* A source is read by small pieces, each of which would be a request; at its end also what is in
 * front of them. */
static int get_at(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    struct object_source *o = context;
    bool found = true;
    if (o->feed != NULL && feed_read(o->feed, &o->place, offset, data, len))
        return 0;
    o->feed = NULL; /* it is too late for it */
    if (len >= SMALL_MAX && !object_is_remote(o->store))
        return read_directly(o, offset, data, len, err);
    if (offset < o->read_at || len > o->read.len || offset - o->read_at > o->read.len - len) {
        uint64_t least = object_is_remote(o->store) ? REMOTE_MIN : SMALL_MAX;
        uint64_t want = len > least ? len : least, size = o->source.size;
        o->read_at = want < size - offset ? offset : want < size ? size - want : 0;
        buf_reset(&o->read);
        if (object_get(o->store, o->name, o->read_at, want, &o->read, &found, err) != 0)
            return -1;
    }
    if (!found || o->read.len < offset - o->read_at + len)
        return is_gone(err);
    memcpy(data, o->read.data + (offset - o->read_at), len);
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
    if (!found) {
        (void)err_set(err, ERR_SYSTEM, "there is no such file");
        err->system = ENOENT;
        return -1;
    }
    o->source = (struct parquet_source){get_at, o, info.size};
    return 0;
}

int object_source_open_fed(struct object_source *o, struct object_store *store, const char *name,
                           struct slice sha256, struct feed_reader *reader, struct err *err)
{
    struct feed_place place;
    uint64_t size = 0;
    if (reader == NULL || reader->feed == NULL || sha256.len == 0 ||
        !feed_find(reader->feed, sha256, &place, &size)) {
        if (reader != NULL)
            reader->read++;
        return object_source_open(o, store, name, err);
    }
    reader->fed++;
    *o = (struct object_source){.store = store, .name = name, .feed = reader->feed, .place = place};
    o->source = (struct parquet_source){get_at, o, size};
    return 0;
}

void object_source_close(struct object_source *o)
{
    buf_free(&o->read);
}

/* The bucket is opened as a whole: who knows what is the root of a store in it? */
static int open_object(struct file_source *f, const char *url, struct err *err)
{
    struct buf root = {0};
    const char *name = strchr(url + strlen("s3://"), '/');
    if (name == NULL)
        return err_set(err, ERR_SYSTEM, "not an object");
    buf_append(&root, url, (size_t)(name - url));
    struct object_config config = {.root = buf_text(&root), .entries = "_/"};
    f->bucket = object_open(&config, err);
    buf_free(&root);
    if (f->bucket == NULL || object_source_open(&f->object, f->bucket, name + 1, err) != 0) {
        file_source_close(f);
        return -1;
    }
    f->source = f->object.source;
    return 0;
}

int file_source_open(struct file_source *f, const char *path, struct err *err)
{
    struct stat st;
    *f = (struct file_source){.fd = -1};
    if (object_is_url(path))
        return open_object(f, path, err);
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
    buf_free(&f->small);
    object_source_close(&f->object);
    object_store_close(f->bucket);
    f->bucket = NULL;
}

/* SPDX-License-Identifier: MIT */
#include "object/posix_part.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void posix_staged_name(char out[static POSIX_STAGED_NAME_MAX], const char *id)
{
    (void)snprintf(out, POSIX_STAGED_NAME_MAX, "%s" POSIX_STAGED_ENDING, id); /* ids are short */
}

static struct posix_staged *staged_of(struct object_staged *object)
{
    return (struct posix_staged *)object;
}

/* Close the file; false: some of it may be lost. */
static bool close_file(struct posix_staged *file)
{
    struct posix *p = posix_of(file->object.store);
    if (file->fd < 0)
        return true;
    for (uint32_t i = 0; i < POSIX_OPEN_MAX; i++) {
        if (p->open[i] == file)
            p->open[i] = NULL;
    }
    int result = system_close(&p->system, file->fd); /* NFS reports late errors here */
    file->fd = -1;
    file->broken = file->broken || result != 0;
    return result == 0;
}

/* Note that the file is open; the one that was opened POSIX_OPEN_MAX files ago is closed. */
static void note_open(struct posix *p, struct posix_staged *file)
{
    if (p->open[p->open_at] != NULL)
        (void)close_file(p->open[p->open_at]); /* told by object_finish */
    p->open[p->open_at] = file;
    p->open_at = (p->open_at + 1) % POSIX_OPEN_MAX;
}

static int open_file(struct posix_staged *file, int flags)
{
    struct posix *p = posix_of(file->object.store);
    char name[POSIX_STAGED_NAME_MAX];
    posix_staged_name(name, file->object.id);
    file->fd = system_openat(&p->system, p->own_dir, name, O_WRONLY | O_NOFOLLOW | flags,
                             (flags & O_CREAT) != 0 ? 0644 : 0);
    if (file->fd < 0)
        return -1;
    note_open(p, file);
    return 0;
}

struct object_staged *posix_stage(struct object_store *store, struct err *err)
{
    struct posix *p = posix_of(store);
    struct posix_staged *file = calloc(1, sizeof(*file));
    if (file == NULL)
        out_of_memory(sizeof(*file));
    file->object.store = store;
    (void)snprintf(file->object.id, sizeof(file->object.id), "%016" PRIx64 "-%" PRIx64,
                   (uint64_t)p->opened, p->next_id++); /* at most 16 + 1 + 16 characters */
    if (open_file(file, O_CREAT | O_EXCL) == 0)
        return &file->object;
    (void)err_set_system(err, errno, "can't make a file in %s/.varve", p->root);
    free(file);
    return NULL;
}

/* Copy of all that the pieces have what begins at `from`, at most `most` bytes. How many. */
static size_t gather(uint8_t *to, size_t most, const struct slice *pieces, size_t count,
                     size_t from)
{
    size_t done = 0;
    for (size_t i = 0; i < count && done < most; i++) {
        if (from >= pieces[i].len) {
            from -= pieces[i].len;
            continue;
        }
        size_t len = pieces[i].len - from < most - done ? pieces[i].len - from : most - done;
        memcpy(to + done, pieces[i].data + from, len);
        done += len;
        from = 0;
    }
    return done;
}

/*
 * Write the beginning of `len` bytes past the kernel's cache, from where nobody is known to read
 * it: as much as there is of whole blocks. How much that was, with 0 where there is no such way or
 * it ends early; what is left, and the reason, is for an ordinary write to find out.
 */
static size_t write_direct(struct posix *p, const struct posix_staged *file,
                           const struct slice *pieces, size_t count, size_t len)
{
    size_t done = 0, whole = len - len % POSIX_DIRECT_ALIGN;
    if (p->never_direct || len < POSIX_DIRECT_BYTES || file->object.size % POSIX_DIRECT_ALIGN != 0)
        return 0;
    if (p->bounce == NULL)
        p->bounce = aligned_alloc(POSIX_DIRECT_ALIGN, POSIX_DIRECT_BYTES);
    if (p->bounce == NULL || !system_set_direct(&p->system, file->fd, true)) {
        p->never_direct = true;
        return 0;
    }
    while (done < whole) {
        size_t part = whole - done < POSIX_DIRECT_BYTES ? whole - done : POSIX_DIRECT_BYTES;
        ASSERT(gather(p->bounce, part, pieces, count, done) == part);
        ssize_t put =
            system_pwrite(&p->system, file->fd, p->bounce, part, (off_t)(file->object.size + done));
        if (put < 0 && errno == EINVAL)
            p->never_direct = true;
        if (put <= 0)
            break;
        done += (size_t)put;
        if ((size_t)put < part)
            break;
    }
    (void)system_set_direct(&p->system, file->fd, false);
    return done;
}

/* Write what comes behind the first `done` bytes of a piece to `at` of the file. */
static int write_rest(struct posix *p, const struct posix_staged *file, struct slice piece,
                      size_t done, uint64_t at, struct err *err)
{
    while (done < piece.len) {
        ssize_t put = system_pwrite(&p->system, file->fd, piece.data + done, piece.len - done,
                                    (off_t)(at + done));
        if (put <= 0)
            return err_set_system(err, put < 0 ? errno : EIO, "can't write to %s/.varve", p->root);
        done += (size_t)put;
    }
    return 0;
}

int posix_lend(struct object_staged *staged, const struct slice *pieces, size_t count,
               struct err *err)
{
    struct posix_staged *file = staged_of(staged);
    struct posix *p = posix_of(staged->store);
    size_t len = 0, at = 0;
    if (file->fd < 0 && open_file(file, 0) != 0)
        return err_set_system(err, errno, "can't write to %s/.varve", p->root);
    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;
    size_t done = write_direct(p, file, pieces, count, len);
    for (size_t i = 0; i < count; at += pieces[i++].len) {
        size_t here = done > at ? done - at : 0;
        if (write_rest(p, file, pieces[i], here, staged->size + at, err) != 0)
            return -1;
    }
    staged->size += len;
    return 0;
}

int posix_write(struct object_staged *staged, const void *data, size_t len, struct err *err)
{
    struct slice piece = {data, len};
    return posix_lend(staged, &piece, 1, err);
}

static int finish_failed(const struct posix *p, int error, struct err *err)
{
    return err_set_system(err, error, "can't make a file in %s/.varve durable", p->root);
}

static int finish_one(struct posix *p, struct posix_staged *file, struct err *err)
{
    if (!file->broken && file->fd < 0 && open_file(file, 0) != 0)
        return finish_failed(p, errno, err);
    if (file->broken)
        return finish_failed(p, EIO, err);
    if (system_fdatasync(&p->system, file->fd) != 0) {
        int error = errno;
        file->broken = true; /* a second fdatasync would succeed without what is lost */
        (void)close_file(file);
        return finish_failed(p, error, err);
    }
    if (!close_file(file))
        return finish_failed(p, EIO, err);
    file->object.finished = true;
    return 0;
}

/* All at once. `files` are closed before, so that what that has to say is known. */
static int finish_all(struct posix *p, struct object_staged *const *staged, size_t count,
                      bool *possible, struct err *err)
{
    *possible = true;
    for (size_t i = 0; i < count; i++) {
        if (staged[i]->finished)
            continue;
        (void)close_file(staged_of(staged[i]));
        if (staged_of(staged[i])->broken)
            return finish_failed(p, EIO, err);
    }
    if (system_syncfs(&p->system, p->root_dir) != 0) {
        *possible = errno != ENOSYS;
        if (!*possible)
            return 0;
        int error = errno;
        for (size_t i = 0; i < count; i++)
            staged_of(staged[i])->broken = !staged[i]->finished;
        return finish_failed(p, error, err);
    }
    for (size_t i = 0; i < count; i++)
        staged[i]->finished = true;
    return 0;
}

int posix_finish(struct object_store *store, struct object_staged *const *staged, size_t count,
                 struct err *err)
{
    struct posix *p = posix_of(store);
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        left += !staged[i]->finished;
    if (left > POSIX_SYNC_EACH_MAX) {
        bool possible;
        int result = finish_all(p, staged, count, &possible, err);
        if (result != 0 || possible)
            return result;
    }
    /* The first fdatasync of a new file waits for a commit of the file system's journal, which
     * covers all that were written before: the others then wait for their own bytes only. */
    for (size_t i = 0; i < count; i++) {
        if (staged_of(staged[i])->fd >= 0)
            system_begin_sync(&p->system, staged_of(staged[i])->fd);
    }
    for (size_t i = 0; i < count; i++) {
        if (!staged[i]->finished && finish_one(p, staged_of(staged[i]), err) != 0)
            return -1;
    }
    return 0;
}

void posix_staged_free(struct object_staged *staged)
{
    (void)close_file(staged_of(staged)); /* nobody relies on its content any more */
    free(staged);
}

void posix_abandon(struct object_staged *staged)
{
    struct posix *p = posix_of(staged->store);
    char name[POSIX_STAGED_NAME_MAX];
    posix_staged_name(name, staged->id);
    /* What stays because of an error is removed by the next object_clean. */
    (void)system_unlink(&p->system, p->own_dir, name);
    posix_staged_free(staged);
}

struct object_staged *posix_stage_whole(struct posix *p, struct slice content, struct err *err)
{
    struct object_staged *file = posix_stage(&p->store, err);
    if (file == NULL)
        return NULL;
    if (posix_write(file, content.data, content.len, err) == 0 &&
        finish_one(p, staged_of(file), err) == 0)
        return file;
    posix_abandon(file);
    return NULL;
}

static void note_staged(void *context, const char *name, enum system_kind kind)
{
    size_t len = strlen(name);
    size_t ending = strlen(POSIX_STAGED_ENDING);
    bool added;
    (void)kind;
    if (len > ending && strcmp(name + len - ending, POSIX_STAGED_ENDING) == 0)
        (void)map_put(context, slice_of(name), &added);
}

int posix_clean(struct object_store *store, uint32_t *removed, struct err *err)
{
    struct posix *p = posix_of(store);
    struct map names = {0};
    struct buf name = {0};
    int result = 0;
    if (system_list(&p->system, p->own_dir, note_staged, &names) != 0)
        result = err_set_system(err, errno, "can't list .varve/%s", p->writer_name);
    for (uint32_t i = 0; i < names.count && result == 0; i++) {
        buf_reset(&name);
        buf_append_slice(&name, map_key(&names, i));
        if (system_unlink(&p->system, p->own_dir, buf_text(&name)) != 0)
            result = err_set_system(err, errno, "can't remove .varve/%s/%s", p->writer_name,
                                    buf_text(&name));
        else
            ++*removed;
    }
    map_free(&names);
    buf_free(&name);
    return result;
}

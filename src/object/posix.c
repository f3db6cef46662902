/* SPDX-License-Identifier: MIT */
#include "object/posix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/text.h"
#include "object/directory.h"
#include "object/fault.h"
#include "object/posix_part.h"

static const struct object_operations posix_operations;

enum { OWNER_WIDTH = 20 };

/* The number that the owner has written, or "?" if it has not come to it yet. */
static void read_owner(const struct system *system, int fd, char out[static OBJECT_POSIX_OWNER_MAX])
{
    ssize_t got = system_pread(system, fd, out, OBJECT_POSIX_OWNER_MAX - 1, 0);
    out[got > 0 ? got : 0] = '\0';
    out[strspn(out, "0123456789")] = '\0';
    if (out[0] == '\0')
        (void)strcpy(out, "?");
}

/*
 * Only a help for people: the lock is held whether or not this can be written. Nothing is cut off,
 * and nothing is written to what has another name as well: it may be somebody's file.
 */
static void write_owner(const struct system *system, int dir, int fd)
{
    char owner[OBJECT_POSIX_OWNER_MAX];
    struct stat st;
    int len = snprintf(owner, sizeof(owner), "%-*ld\n", OWNER_WIDTH, (long)getpid());
    if (system_stat(system, dir, "lock", &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
        (void)!system_pwrite(system, fd, owner, (size_t)len, 0);
}

/* Lock the directory for this process: closing the descriptor, or the end of the process however it
 * comes, gives the lock back. The file stays, and says who had it last. */
static int lock_directory(const struct posix *p, int dir, struct err *err)
{
    char owner[OBJECT_POSIX_OWNER_MAX];
    int fd = system_openat(&p->system, dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
    if (fd < 0) {
        struct buf path = {0};
        int error = errno;
        buf_printf(&path, ".varve/%s/lock", p->writer_name);
        (void)directory_open_failed("", buf_text(&path), error, err);
        buf_free(&path);
        return -1;
    }
    if (system_lock(&p->system, fd) == 0) {
        write_owner(&p->system, dir, fd);
        return fd;
    }
    if (errno == EWOULDBLOCK) {
        read_owner(&p->system, fd, owner);
        (void)err_set(err, ERR_REFUSED,
                      "instance %s is in use by process %s; stop it, or give this one another name",
                      p->writer, owner);
    } else {
        (void)err_set_system(err, errno, "can't lock instance %s", p->writer);
    }
    (void)system_close(&p->system, fd); /* nothing was written */
    return -1;
}

int object_posix_is_running(const struct object_posix_config *config, bool *running,
                            char owner[static OBJECT_POSIX_OWNER_MAX], struct err *err)
{
    const struct system *system = &config->system;
    struct buf path = {0};
    int error = 0, fd = -1;
    *running = false;
    buf_printf(&path, ".varve/%s/lock", config->writer_name);
    int root = system_openat(system, SYSTEM_WORKING_DIR, config->root, O_RDONLY | O_DIRECTORY, 0);
    if (root >= 0)
        fd = system_openat(system, root, buf_text(&path), O_RDONLY | O_NOFOLLOW, 0);
    if (fd < 0 || system_lock(system, fd) != 0)
        error = errno;
    if (fd >= 0 && error == EWOULDBLOCK) {
        *running = true;
        read_owner(system, fd, owner);
    }
    if (fd >= 0)
        (void)system_close(system, fd); /* nothing was written */
    if (root >= 0)
        (void)system_close(system, root);
    buf_free(&path);
    if (error == 0 || *running || error == ENOENT)
        return 0;
    return err_set_system(err, error, "can't tell whether instance %s runs in %s", config->writer,
                          config->root);
}

/* A directory in the root. That it is durable counts, not that we made it. */
static int open_inside(const struct posix *p, const char *path, struct err *err)
{
    return directory_open(&p->system, p->root_dir, path, DIRECTORY_MAKE | DIRECTORY_DURABLE, err);
}

/* The directory of what is staged, and the lock in it. */
static int open_own(const struct posix *p, int *dir, int *lock, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, ".varve/%s", p->writer_name);
    *lock = -1;
    *dir = open_inside(p, buf_text(&path), err);
    if (*dir >= 0)
        *lock = lock_directory(p, *dir, err);
    buf_free(&path);
    return *lock < 0 ? -1 : 0;
}

static int open_root(struct posix *p, struct err *err)
{
    unsigned flags = DIRECTORY_FOLLOW;
    if (p->writer != NULL)
        flags |= DIRECTORY_MAKE | DIRECTORY_DURABLE;
    return directory_open(&p->system, SYSTEM_WORKING_DIR, p->root, flags, err);
}

/* The file system is probed behind the faults of a test, which are meant for what comes after. */
static int open_directories(struct posix *p, const struct system *probed, struct buf *doubts,
                            struct err *err)
{
    p->root_dir = open_root(p, err);
    if (p->root_dir < 0)
        return -1;
    if (p->writer == NULL)
        return 0;
    if (open_own(p, &p->own_dir, &p->lock, err) != 0) {
        struct err why = {0};
        if (doubts != NULL && err->code == ERR_SYSTEM &&
            posix_probe(probed, p->root_dir, ".varve-probe-", doubts, &why) != 0)
            *err = why;
        return -1;
    }
    if (doubts != NULL && posix_probe(probed, p->own_dir, "probe-", doubts, err) != 0)
        return -1;
    p->entries_dir = open_inside(p, p->entries, err);
    if (p->entries_dir < 0)
        return -1;
    if (system_fsync(&p->system, p->entries_dir) != 0)
        return err_set_system(err, errno, "can't make the directory %s durable", p->entries);
    return 0;
}

struct object_store *object_posix_open(const struct object_posix_config *config, struct err *err)
{
    struct posix *p = calloc(1, sizeof(*p));
    if (p == NULL)
        out_of_memory(sizeof(*p));
    p->store.operations = &posix_operations;
    p->system = config->system;
    p->root = text_copy(config->root);
    ASSERT(text_ends_with(config->entries, "/"));
    p->entries = text_copy_slice(
        (struct slice){(const uint8_t *)config->entries, strlen(config->entries) - 1});
    if (config->writer != NULL) {
        p->writer = text_copy(config->writer);
        p->writer_name = text_copy(config->writer_name);
    }
    p->root_dir = p->own_dir = p->entries_dir = p->lock = p->folder = p->hold = -1;
    p->opened = clock_wall();
    if (fault_install(&p->system, err) == 0 &&
        open_directories(p, &config->system, config->doubts, err) == 0)
        return &p->store;
    object_store_close(&p->store);
    return NULL;
}

static void close_directory(const struct posix *p, int *fd)
{
    if (*fd >= 0)
        (void)system_close(&p->system, *fd); /* nothing is written through it */
    *fd = -1;
}

static void close_store(struct object_store *store)
{
    struct posix *p = posix_of(store);
    posix_release(p);
    close_directory(p, &p->entries_dir);
    close_directory(p, &p->own_dir);
    close_directory(p, &p->root_dir);
    close_directory(p, &p->lock);
    posix_forget_commit(p);
    map_free(&p->durable);
    free(p->bounce);
    buf_free(&p->folder_path);
    buf_free(&p->text);
    buf_free(&p->entry);
    free(p->root);
    free(p->entries);
    free(p->writer);
    free(p->writer_name);
    free(p);
}

void posix_folder_forget(struct posix *p)
{
    close_directory(p, &p->folder);
    buf_reset(&p->folder_path);
}

int posix_folder(struct posix *p, const char *name, bool make, bool *missing, struct err *err)
{
    struct buf path = {0};
    if (missing != NULL)
        *missing = false;
    directory_parent(&path, slice_of(name));
    if (p->folder >= 0 && slice_equal(buf_slice(&path), buf_slice(&p->folder_path))) {
        buf_free(&path);
        return p->folder;
    }
    posix_folder_forget(p);
    if (make)
        p->folder = directory_open(&p->system, p->root_dir, buf_text(&path), DIRECTORY_MAKE, err);
    else
        p->folder = system_openat(&p->system, p->root_dir, buf_text(&path), SYSTEM_OPEN_FOLDER, 0);
    if (p->folder >= 0)
        buf_append_slice(&p->folder_path, buf_slice(&path));
    else if (!make && (errno == ENOENT || errno == ENOTDIR))
        *missing = true;
    else if (!make)
        (void)directory_open_failed("the directory ", buf_text(&path), errno, err);
    buf_free(&path);
    return p->folder;
}

bool posix_is_removed(const struct posix *p, int dir)
{
    struct stat st;
    if (system_stat(&p->system, dir, ".", &st) != 0)
        return errno == ESTALE || errno == ENOENT;
    return st.st_nlink == 0;
}

int posix_check_root(const struct posix *p, struct err *err)
{
    struct stat mine, there;
    if (system_stat(&p->system, p->root_dir, ".", &mine) != 0)
        return err_set_system(err, errno, "can't examine the directory");
    if (system_stat_path(&p->system, p->root, &there) != 0)
        return err_set_system(err, errno,
                              "the directory was moved or removed; put it back, or restart varve");
    if (mine.st_dev == there.st_dev && mine.st_ino == there.st_ino)
        return 0;
    return err_set(
        err, ERR_SYSTEM,
        "the directory was replaced by another one; put the first one back, or restart varve");
}

static int reopen_own(struct posix *p, struct err *err)
{
    int dir, lock;
    if (open_own(p, &dir, &lock, err) != 0) {
        close_directory(p, &dir);
        return -1;
    }
    close_directory(p, &p->own_dir);
    close_directory(p, &p->lock);
    p->own_dir = dir;
    p->lock = lock;
    return 0;
}

static int reopen_one(const struct posix *p, int *fd, int other)
{
    if (other < 0)
        return -1;
    close_directory(p, fd);
    *fd = other;
    return 0;
}

static int reopen(struct posix *p, struct err *err)
{
    posix_folder_forget(p);
    if (posix_is_removed(p, p->root_dir) && reopen_one(p, &p->root_dir, open_root(p, err)) != 0)
        return -1;
    if (posix_is_removed(p, p->own_dir) && reopen_own(p, err) != 0)
        return -1;
    if (posix_is_removed(p, p->entries_dir) &&
        reopen_one(p, &p->entries_dir, open_inside(p, p->entries, err)) != 0)
        return -1;
    return 0;
}

static int posix_reopen(struct object_store *store, bool *lost, struct err *err)
{
    struct posix *p = posix_of(store);
    /* With the entries in place, a commit that has begun to move files can only go on. */
    if (posix_is_removed(p, p->entries_dir) ||
        (p->stage <= POSIX_STAGE_PENDING && posix_is_removed(p, p->own_dir)))
        p->reopening = true;
    if (!p->reopening)
        return 0;
    if (reopen(p, err) != 0)
        return err_prefix(err, "%s was removed", p->root);
    map_reset(&p->durable);
    posix_forget_commit(p);
    p->reopening = false;
    *lost = true;
    return 0;
}

static int posix_remove(struct object_store *store, const char *name, struct err *err)
{
    struct posix *p = posix_of(store);
    bool missing;
    int folder = posix_folder(p, name, false, &missing, err);
    if (folder < 0)
        return missing ? 0 : -1;
    int result = 0;
    if (system_unlink(&p->system, folder, directory_base(name)) != 0 && errno != ENOENT)
        result = err_set_system(err, errno, "can't remove %s", name);
    posix_folder_forget(p);
    return result;
}

/* *gone: it was empty, or somebody else has removed it. */
static int remove_empty(const struct posix *p, const char *folder, bool *gone, struct err *err)
{
    struct buf above = {0};
    directory_parent(&above, slice_of(folder));
    int fd = system_openat(&p->system, p->root_dir, buf_text(&above), SYSTEM_OPEN_FOLDER, 0);
    int result = fd < 0 ? -1 : system_rmdir(&p->system, fd, directory_base(folder));
    int error = errno;
    if (fd >= 0)
        (void)system_close(&p->system, fd); /* only a directory */
    buf_free(&above);
    *gone = result == 0 || error == ENOENT;
    /* Not empty; or a file system of its own, or no folder at all: not for us to remove. */
    if (*gone || error == ENOTEMPTY || error == EEXIST || error == EBUSY || error == ENOTDIR)
        return 0;
    return err_set_system(err, error, "can't remove the directory %s", folder);
}

static int posix_tidy(struct object_store *store, const char *name, struct err *err)
{
    struct posix *p = posix_of(store);
    struct buf folder = {0}, inner = {0};
    bool gone = true;
    int result = 0;
    posix_folder_forget(p);
    directory_parent(&folder, slice_of(name));
    while (result == 0 && gone && !slice_is(buf_slice(&folder), ".")) {
        result = remove_empty(p, buf_text(&folder), &gone, err);
        if (result == 0 && !gone)
            break;
        buf_reset(&inner);
        buf_append_slice(&inner, buf_slice(&folder));
        directory_parent(&folder, buf_slice(&inner));
    }
    if (result == 0)
        result = directory_sync(&p->system, p->root_dir, buf_text(&folder), err);
    buf_free(&folder);
    buf_free(&inner);
    return result;
}

static int posix_free_bytes(struct object_store *store, uint64_t *bytes, bool *known,
                            struct err *err)
{
    struct posix *p = posix_of(store);
    if (system_free_bytes(&p->system, p->root_dir, bytes, known) != 0)
        return err_set_system(err, errno, "can't determine the free space of %s", p->root);
    return 0;
}

static const struct object_operations posix_operations = {
    .close = close_store,
    .put = posix_put,
    .get = posix_get,
    .head = posix_head,
    .list = posix_list,
    .remove = posix_remove,
    .tidy = posix_tidy,
    .free_bytes = posix_free_bytes,
    .stage = posix_stage,
    .write = posix_write,
    .lend = posix_lend,
    .finish = posix_finish,
    .abandon = posix_abandon,
    .staged_free = posix_staged_free,
    .place = posix_place,
    .commit = posix_commit,
    .interrupted = posix_interrupted,
    .resume = posix_resume,
    .withdraw = posix_withdraw,
    .swap = posix_swap,
    .settle = posix_settle,
    .clean = posix_clean,
    .reopen = posix_reopen,
};

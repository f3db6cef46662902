/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "disk_part.h"

/* The system calls of a disk in memory (object/system.h). */

/* False, with errno set, if the call is not made. */
static bool enter(struct disk *d, uint64_t fail)
{
    struct disk_process *p = d->process;
    if (p->dies_at > 0 && --p->dies_at == 0)
        p->dead = true;
    if (!p->dead && !sim_random_chance(&d->random, fail))
        return true;
    errno = EIO;
    return false;
}

static bool has_room(const struct disk *d, uint64_t bytes)
{
    if (d->capacity == UINT64_MAX || disk_used(d) + bytes <= d->capacity)
        return true;
    errno = ENOSPC;
    return false;
}

static struct disk_node *node_of(struct disk *d, int fd)
{
    int index = fd - DISK_FIRST;
    if (fd == AT_FDCWD)
        return d->root;
    if (index < 0 || index >= DISK_OPEN_MAX || d->open[index].node == NULL) {
        errno = EBADF;
        return NULL;
    }
    return d->open[index].node;
}

/* The folder that `path` is in, seen from `dir`; *name is its last part. */
static struct disk_node *parent(struct disk *d, int dir, const char *path, const char **name)
{
    struct disk_node *from = path[0] == '/' ? d->root : node_of(d, dir);
    const char *slash = strrchr(path, '/');
    *name = slash == NULL ? path : slash + 1;
    if (from == NULL || slash == NULL)
        return from;
    char *above = strndup(path, (size_t)(slash - path));
    struct disk_node *folder = disk_look_up(from, above, false);
    free(above);
    if (folder != NULL && !folder->folder) {
        errno = ENOTDIR;
        return NULL;
    }
    return folder;
}

static int open_node(struct disk *d, struct disk_node *n)
{
    for (int i = 0; i < DISK_OPEN_MAX; i++) {
        if (d->open[i].node != NULL)
            continue;
        d->open[i] = (struct disk_open){.node = n, .process = d->process};
        return DISK_FIRST + i;
    }
    errno = EMFILE;
    return -1;
}

static int call_openat(void *disk, int dir, const char *path, int flags, mode_t mode)
{
    struct disk *d = disk;
    const char *name;
    (void)mode;
    if (!enter(d, d->faults.fail))
        return -1;
    struct disk_node *folder = parent(d, dir, path, &name);
    if (folder == NULL)
        return -1;
    struct disk_node *n = disk_look_up(folder, name, false);
    if (n == NULL && (flags & O_CREAT) != 0 && has_room(d, DISK_NODE_BYTES))
        return open_node(d, disk_make(d, folder, name, false));
    if (n == NULL)
        return -1;
    if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) {
        errno = EEXIST;
        return -1;
    }
    if ((flags & O_DIRECTORY) != 0 && !n->folder) {
        errno = ENOTDIR;
        return -1;
    }
    if ((flags & O_TRUNC) != 0) {
        buf_reset(&n->data);
        n->dirty = true;
    }
    return open_node(d, n);
}

static void call_begin_sync(void *disk, int fd)
{
    (void)disk;
    (void)fd;
}

static int call_close(void *disk, int fd)
{
    struct disk *d = disk;
    if (node_of(d, fd) == NULL)
        return -1;
    d->open[fd - DISK_FIRST] = (struct disk_open){0};
    return 0;
}

static ssize_t call_pread(void *disk, int fd, void *data, size_t len, off_t offset)
{
    struct disk *d = disk;
    const struct disk_node *n = node_of(d, fd);
    if (!enter(d, d->faults.fail) || n == NULL)
        return -1;
    if ((size_t)offset >= n->data.len)
        return 0;
    if (len > n->data.len - (size_t)offset)
        len = n->data.len - (size_t)offset;
    if (len > 1 && sim_random_chance(&d->random, d->faults.short_writes))
        len /= 2;
    memcpy(data, n->data.data + offset, len);
    return (ssize_t)len;
}

static ssize_t call_pwrite(void *disk, int fd, const void *data, size_t len, off_t offset)
{
    struct disk *d = disk;
    struct disk_node *n = node_of(d, fd);
    if (!enter(d, d->faults.fail) || n == NULL)
        return -1;
    if (len > 1 && sim_random_chance(&d->random, d->faults.short_writes))
        len = 1 + sim_random_below(&d->random, len - 1);
    if (!has_room(d, len))
        return -1;
    size_t end = (size_t)offset + len;
    if (end > n->data.len) {
        size_t before = n->data.len;
        buf_reserve(&n->data, end - before);
        n->data.len = end;
        if ((size_t)offset > before)
            memset(n->data.data + before, 0, (size_t)offset - before);
    }
    memcpy(n->data.data + offset, data, len);
    n->modified = clock_wall();
    n->dirty = true;
    return (ssize_t)len;
}

static int sync_node(struct disk *d, int fd)
{
    struct disk_node *n = node_of(d, fd);
    if (n == NULL)
        return -1;
    if (!enter(d, d->faults.fail_sync)) {
        if (!d->process->dead && !n->folder)
            disk_lose_node(n);
        return -1;
    }
    disk_sync_node(d, n);
    return 0;
}

static int call_fdatasync(void *disk, int fd)
{
    return sync_node(disk, fd);
}

static int call_fsync(void *disk, int fd)
{
    return sync_node(disk, fd);
}

static int call_syncfs(void *disk, int fd)
{
    struct disk *d = disk;
    if (!enter(d, d->faults.fail_sync) || node_of(d, fd) == NULL)
        return -1;
    for (struct disk_node *n = d->nodes; n != NULL; n = n->next)
        disk_sync_node(d, n);
    return 0;
}

static int call_rename(void *disk, int from_dir, const char *from, int to_dir, const char *to,
                       bool replace)
{
    struct disk *d = disk;
    const char *from_name;
    const char *to_name;
    if (!enter(d, d->faults.fail))
        return -1;
    struct disk_node *source = parent(d, from_dir, from, &from_name);
    struct disk_node *target = parent(d, to_dir, to, &to_name);
    if (source == NULL || target == NULL)
        return -1;
    if (d->rival != NULL)
        d->rival(d->rival_context, to_name);
    struct disk_node *n = disk_look_up(source, from_name, false);
    if (n == NULL)
        return -1;
    if (!replace && disk_look_up(target, to_name, false) != NULL) {
        errno = EEXIST;
        return -1;
    }
    uint64_t pair = ++d->last_pair;
    disk_change(d, target, to_name, n, pair);
    disk_change(d, source, from_name, NULL, pair);
    return 0;
}

static int call_link(void *disk, int from_dir, const char *from, int to_dir, const char *to)
{
    struct disk *d = disk;
    const char *from_name;
    const char *to_name;
    if (!enter(d, d->faults.fail))
        return -1;
    struct disk_node *source = parent(d, from_dir, from, &from_name);
    struct disk_node *target = parent(d, to_dir, to, &to_name);
    struct disk_node *n =
        source == NULL || target == NULL ? NULL : disk_look_up(source, from_name, false);
    if (n == NULL)
        return -1;
    if (disk_look_up(target, to_name, false) != NULL) {
        errno = EEXIST;
        return -1;
    }
    disk_change(d, target, to_name, n, 0);
    return 0;
}

static int call_unlink(void *disk, int dir, const char *path)
{
    struct disk *d = disk;
    const char *name;
    if (!enter(d, d->faults.fail))
        return -1;
    struct disk_node *folder = parent(d, dir, path, &name);
    const struct disk_node *n = folder == NULL ? NULL : disk_look_up(folder, name, false);
    if (n == NULL)
        return -1;
    if (n->folder) {
        errno = EISDIR;
        return -1;
    }
    disk_change(d, folder, name, NULL, 0);
    return 0;
}

static int call_mkdir(void *disk, int dir, const char *path, mode_t mode)
{
    struct disk *d = disk;
    const char *name;
    (void)mode;
    if (!enter(d, d->faults.fail))
        return -1;
    struct disk_node *folder = parent(d, dir, path, &name);
    if (folder == NULL)
        return -1;
    if (disk_look_up(folder, name, false) != NULL) {
        errno = EEXIST;
        return -1;
    }
    if (!has_room(d, DISK_NODE_BYTES))
        return -1;
    (void)disk_make(d, folder, name, true);
    return 0;
}

/* How many names lead to it. */
static nlink_t count_names(const struct disk *d, const struct disk_node *wanted)
{
    nlink_t count = wanted == d->root;
    for (const struct disk_node *n = d->nodes; n != NULL; n = n->next)
        for (size_t i = 0; i < n->names.count; i++)
            count += n->names.list[i].node == wanted;
    return count;
}

static int call_stat(void *disk, int dir, const char *path, bool follow, struct stat *out)
{
    struct disk *d = disk;
    (void)follow; /* there are no links to follow */
    if (!enter(d, d->faults.fail))
        return -1;
    struct disk_node *from = path[0] == '/' ? d->root : node_of(d, dir);
    const struct disk_node *n = from == NULL ? NULL : disk_look_up(from, path, false);
    if (n == NULL)
        return -1;
    *out = (struct stat){.st_mode = n->folder ? S_IFDIR | 0755 : S_IFREG | 0644,
                         .st_ino = n->number,
                         .st_nlink = count_names(d, n),
                         .st_size = (off_t)n->data.len};
    out->st_mtim.tv_sec = n->modified / CLOCK_SECOND;
    out->st_mtim.tv_nsec = n->modified % CLOCK_SECOND;
    return 0;
}

static int call_lock(void *disk, int fd)
{
    struct disk *d = disk;
    const struct disk_node *n = node_of(d, fd);
    if (!enter(d, d->faults.fail) || n == NULL)
        return -1;
    for (int i = 0; i < DISK_OPEN_MAX; i++) {
        if (d->open[i].node != n || !d->open[i].locked || i == fd - DISK_FIRST)
            continue;
        errno = EWOULDBLOCK;
        return -1;
    }
    d->open[fd - DISK_FIRST].locked = true;
    return 0;
}

static int call_free_bytes(void *disk, int fd, uint64_t *out, bool *known)
{
    struct disk *d = disk;
    if (!enter(d, d->faults.fail) || node_of(d, fd) == NULL)
        return -1;
    uint64_t used = disk_used(d);
    *known = true;
    *out = d->capacity > used ? d->capacity - used : 0;
    return 0;
}

static int call_list(void *disk, int fd, system_visit *visit, void *context)
{
    struct disk *d = disk;
    const struct disk_node *n = node_of(d, fd);
    bool made = enter(d, d->faults.fail);
    for (size_t i = 0; made && n != NULL && i < n->names.count; i++)
        visit(context, n->names.list[i].name,
              n->names.list[i].node->folder ? SYSTEM_FOLDER : SYSTEM_FILE);
    int result = made && n != NULL ? 0 : -1;
    int system = errno;
    (void)call_close(d, fd);
    errno = system;
    return result;
}

struct system disk_system(struct disk *d)
{
    static const struct system_calls calls = {
        call_openat, call_begin_sync, call_close,      call_pread, call_pwrite, call_fdatasync,
        call_fsync,  call_syncfs,     call_rename,     call_link,  call_unlink, call_mkdir,
        call_stat,   call_lock,       call_free_bytes, call_list};
    return (struct system){.calls = &calls, .disk = d};
}

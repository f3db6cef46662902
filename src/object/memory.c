/* SPDX-License-Identifier: MIT */
#include "object/memory.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "object/memory_part.h"

static int fail(int error)
{
    errno = error;
    return -1;
}

/* Count a call; false, with errno set, if it can't be made. */
static bool enter(struct memory_disk *disk, enum system_call call)
{
    disk->calls++;
    if (disk->cut_at != 0 && disk->calls >= disk->cut_at)
        disk->off = true;
    errno = EIO;
    if (disk->off)
        return false;
    if (disk->fail_left == 0 || (disk->fail_call != SYSTEM_CALL_COUNT && disk->fail_call != call) ||
        --disk->fail_left > 0)
        return true;
    errno = disk->fail_error;
    return false;
}

/* The inode of a descriptor; MEMORY_NONE with EBADF. */
static uint32_t inode_of(const struct memory_disk *disk, int fd)
{
    size_t at = (size_t)fd - MEMORY_FD_FIRST;
    if (fd == SYSTEM_WORKING_DIR)
        return MEMORY_ROOT;
    if (fd >= MEMORY_FD_FIRST && at < disk->open.count)
        return disk->open.list[at].inode;
    errno = EBADF;
    return MEMORY_NONE;
}

static int open_inode(struct memory_disk *disk, uint32_t inode)
{
    size_t at = 0;
    while (at < disk->open.count && disk->open.list[at].inode != MEMORY_NONE)
        at++;
    if (at == disk->open.count)
        (void)array_add(&disk->open);
    disk->open.list[at] = (struct memory_open){.inode = inode, .owner = disk->owner};
    return MEMORY_FD_FIRST + (int)at;
}

/*
 * Walk to the folder in which `path` ends, whose last part goes into `name` ("." where there is
 * none). MEMORY_NONE with errno.
 */
static uint32_t walk(const struct memory_disk *disk, int dir, const char *path,
                     char name[static NAME_MAX + 1])
{
    uint32_t at = path[0] == '/' ? (uint32_t)MEMORY_ROOT : inode_of(disk, dir);
    (void)strcpy(name, ".");
    while (at != MEMORY_NONE) {
        path += strspn(path, "/");
        size_t len = strcspn(path, "/");
        if (len == 0)
            return at;
        if (strcmp(name, ".") != 0)
            at = memory_find(&disk->inodes.list[at].live, name);
        errno = len > NAME_MAX ? ENAMETOOLONG : at == MEMORY_NONE ? ENOENT : ENOTDIR;
        if (len > NAME_MAX || at == MEMORY_NONE || !disk->inodes.list[at].folder)
            return MEMORY_NONE;
        memcpy(name, path, len);
        name[len] = '\0';
        path += len;
    }
    return MEMORY_NONE;
}

/* What is at a path: MEMORY_NONE with errno. */
static uint32_t look_up(const struct memory_disk *disk, int dir, const char *path)
{
    char name[NAME_MAX + 1];
    uint32_t folder = walk(disk, dir, path, name);
    if (folder == MEMORY_NONE || strcmp(name, ".") == 0)
        return folder;
    errno = ENOENT;
    return memory_find(&disk->inodes.list[folder].live, name);
}

/* Whether a folder can get a new name; one that was removed can't. */
static bool can_grow(const struct memory_disk *disk, uint32_t folder)
{
    errno = ENOTDIR;
    if (!disk->inodes.list[folder].folder)
        return false;
    errno = ENOENT;
    return disk->inodes.list[folder].links > 0;
}

static int memory_openat(void *context, int dir, const char *path, int flags, mode_t mode)
{
    struct memory_disk *disk = context;
    char name[NAME_MAX + 1];
    (void)mode;
    if (!enter(disk, SYSTEM_CALL_OPENAT))
        return -1;
    uint32_t inode = look_up(disk, dir, path);
    if (inode == MEMORY_NONE && (errno != ENOENT || (flags & O_CREAT) == 0))
        return -1;
    if (inode == MEMORY_NONE) {
        uint32_t folder = walk(disk, dir, path, name);
        if (folder == MEMORY_NONE || !can_grow(disk, folder))
            return -1;
        inode = memory_make(disk, false);
        memory_change(disk, &(struct memory_effect){folder, inode, name}, 1);
    } else if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) {
        return fail(EEXIST);
    }
    bool folder = disk->inodes.list[inode].folder;
    if (!folder && (flags & O_DIRECTORY) != 0)
        return fail(ENOTDIR);
    if (folder && (flags & O_ACCMODE) != O_RDONLY)
        return fail(EISDIR);
    return open_inode(disk, inode);
}

static void memory_begin_sync(void *context, int fd)
{
    (void)context, (void)fd; /* a hint */
}

static int memory_close(void *context, int fd)
{
    struct memory_disk *disk = context;
    uint32_t inode = inode_of(disk, fd);
    if (inode == MEMORY_NONE)
        return -1;
    disk->open.list[fd - MEMORY_FD_FIRST] = (struct memory_open){0};
    return 0;
}

/* At least one byte of what is asked for, if it is any. */
static size_t shorten(struct memory_disk *disk, size_t len)
{
    if (len < 2 || disk->shorten == 0 || memory_disk_random(disk) % 1000 >= disk->shorten)
        return len;
    return 1 + (size_t)(memory_disk_random(disk) % (len - 1));
}

static ssize_t memory_pread(void *context, int fd, void *data, size_t len, off_t offset)
{
    struct memory_disk *disk = context;
    if (!enter(disk, SYSTEM_CALL_PREAD))
        return -1;
    uint32_t inode = inode_of(disk, fd);
    if (inode == MEMORY_NONE)
        return -1;
    const struct memory_inode *node = &disk->inodes.list[inode];
    if (node->folder)
        return fail(EISDIR);
    if ((uint64_t)offset >= node->bytes.len)
        return 0;
    size_t rest = node->bytes.len - (size_t)offset;
    size_t got = shorten(disk, len < rest ? len : rest);
    memcpy(data, node->bytes.data + offset, got);
    return (ssize_t)got;
}

/* As much as there is room for. */
static ssize_t memory_pwrite(void *context, int fd, const void *data, size_t len, off_t offset)
{
    struct memory_disk *disk = context;
    if (!enter(disk, SYSTEM_CALL_PWRITE))
        return -1;
    uint32_t inode = inode_of(disk, fd);
    if (inode == MEMORY_NONE)
        return -1;
    struct memory_inode *node = &disk->inodes.list[inode];
    size_t old = node->bytes.len;
    uint64_t room = disk->room > disk->used ? disk->room - disk->used : 0;
    uint64_t end = (uint64_t)offset + shorten(disk, len);
    if (end > old && end - old > room)
        end = old + room;
    if (end <= (uint64_t)offset && len > 0)
        return fail(ENOSPC);
    size_t put = (size_t)(end - (uint64_t)offset);
    while (node->bytes.len < (size_t)offset)
        buf_append_byte(&node->bytes, 0);
    size_t over = node->bytes.len - (size_t)offset; /* bytes that are replaced */
    over = over < put ? over : put;
    if (over > 0)
        memcpy(node->bytes.data + offset, data, over);
    buf_append(&node->bytes, (const uint8_t *)data + over, put - over);
    if (node->links > 0)
        disk->used += node->bytes.len - old;
    node->dirty = true;
    node->modified = clock_wall();
    return (ssize_t)put;
}

static int sync_one(struct memory_disk *disk, enum system_call call, int fd)
{
    bool works = enter(disk, call);
    int error = errno;
    uint32_t inode = inode_of(disk, fd);
    if (inode == MEMORY_NONE)
        return -1;
    bool folder = disk->inodes.list[inode].folder;
    if (!works) {
        if (!folder)
            memory_lose(disk, inode);
        return fail(error);
    }
    if (folder)
        memory_sync_folder(disk, inode);
    else
        memory_sync_file(disk, inode);
    return 0;
}

static int memory_fdatasync(void *context, int fd)
{
    return sync_one(context, SYSTEM_CALL_FDATASYNC, fd);
}

static int memory_fsync(void *context, int fd)
{
    return sync_one(context, SYSTEM_CALL_FSYNC, fd);
}

static int memory_syncfs(void *context, int fd)
{
    struct memory_disk *disk = context;
    (void)fd;
    if (enter(disk, SYSTEM_CALL_SYNCFS)) {
        memory_sync_all(disk);
        return 0;
    }
    for (uint32_t i = MEMORY_ROOT; i < disk->inodes.count; i++) {
        if (!disk->inodes.list[i].folder)
            memory_lose(disk, i);
    }
    return -1;
}

/* Both names are there. */
static int exchange(struct memory_disk *disk, const struct memory_effect *one,
                    const struct memory_effect *other)
{
    struct memory_effect effects[] = {{other->folder, one->inode, other->name},
                                      {one->folder, other->inode, one->name}};
    if (one->inode != other->inode)
        memory_change(disk, effects, 2);
    return 0;
}

static int memory_rename(void *context, int from_dir, const char *from, int to_dir, const char *to,
                         enum system_rename how)
{
    struct memory_disk *disk = context;
    char old[NAME_MAX + 1], new[NAME_MAX + 1];
    if (!enter(disk, how == SYSTEM_REPLACE ? SYSTEM_CALL_RENAMEAT : SYSTEM_CALL_RENAMEAT2))
        return -1;
    if (disk->before != NULL)
        disk->before(disk->before_context, to);
    uint32_t inode = look_up(disk, from_dir, from);
    uint32_t from_folder = inode == MEMORY_NONE ? inode : walk(disk, from_dir, from, old);
    uint32_t to_folder = inode == MEMORY_NONE ? inode : walk(disk, to_dir, to, new);
    if (inode == MEMORY_NONE || to_folder == MEMORY_NONE || !can_grow(disk, to_folder))
        return -1;
    uint32_t there = memory_find(&disk->inodes.list[to_folder].live, new);
    if (how == SYSTEM_EXCHANGE)
        return there == MEMORY_NONE
                   ? fail(ENOENT)
                   : exchange(disk, &(struct memory_effect){from_folder, inode, old},
                              &(struct memory_effect){to_folder, there, new});
    if (there == inode)
        return how == SYSTEM_REPLACE ? 0 : fail(EEXIST);
    if (there != MEMORY_NONE && how == SYSTEM_NOREPLACE)
        return fail(EEXIST);
    struct memory_effect effects[] = {{to_folder, inode, new}, {from_folder, MEMORY_NONE, old}};
    memory_change(disk, effects, 2);
    return 0;
}

static int memory_link(void *context, int from_dir, const char *from, int to_dir, const char *to)
{
    struct memory_disk *disk = context;
    char name[NAME_MAX + 1];
    if (!enter(disk, SYSTEM_CALL_LINKAT))
        return -1;
    uint32_t inode = look_up(disk, from_dir, from);
    uint32_t folder = inode == MEMORY_NONE ? inode : walk(disk, to_dir, to, name);
    if (inode == MEMORY_NONE || folder == MEMORY_NONE || !can_grow(disk, folder))
        return -1;
    if (memory_find(&disk->inodes.list[folder].live, name) != MEMORY_NONE)
        return fail(EEXIST);
    memory_change(disk, &(struct memory_effect){folder, inode, name}, 1);
    return 0;
}

static int memory_unlink(void *context, int dir, const char *path)
{
    struct memory_disk *disk = context;
    char name[NAME_MAX + 1];
    if (!enter(disk, SYSTEM_CALL_UNLINKAT))
        return -1;
    uint32_t inode = look_up(disk, dir, path);
    if (inode == MEMORY_NONE)
        return -1;
    if (disk->inodes.list[inode].folder)
        return fail(EISDIR);
    uint32_t folder = walk(disk, dir, path, name);
    memory_change(disk, &(struct memory_effect){folder, MEMORY_NONE, name}, 1);
    return 0;
}

static int memory_rmdir(void *context, int dir, const char *path)
{
    struct memory_disk *disk = context;
    char name[NAME_MAX + 1];
    if (!enter(disk, SYSTEM_CALL_UNLINKAT))
        return -1;
    uint32_t inode = look_up(disk, dir, path);
    if (inode == MEMORY_NONE)
        return -1;
    const struct memory_inode *node = &disk->inodes.list[inode];
    if (!node->folder)
        return fail(ENOTDIR);
    for (size_t i = 0; i < node->live.inodes.count; i++)
        if (node->live.inodes.list[i] != MEMORY_NONE)
            return fail(ENOTEMPTY);
    uint32_t folder = walk(disk, dir, path, name);
    memory_change(disk, &(struct memory_effect){folder, MEMORY_NONE, name}, 1);
    return 0;
}

static int memory_mkdir(void *context, int dir, const char *path, mode_t mode)
{
    struct memory_disk *disk = context;
    char name[NAME_MAX + 1];
    (void)mode;
    if (!enter(disk, SYSTEM_CALL_MKDIRAT))
        return -1;
    if (look_up(disk, dir, path) != MEMORY_NONE)
        return fail(EEXIST);
    if (errno != ENOENT)
        return -1;
    uint32_t folder = walk(disk, dir, path, name);
    if (folder == MEMORY_NONE || !can_grow(disk, folder))
        return -1;
    uint32_t inode = memory_make(disk, true);
    memory_change(disk, &(struct memory_effect){folder, inode, name}, 1);
    return 0;
}

static int memory_stat(void *context, int dir, const char *path, bool follow, struct stat *out)
{
    struct memory_disk *disk = context;
    (void)follow; /* there are no symbolic links */
    if (!enter(disk, SYSTEM_CALL_FSTATAT))
        return -1;
    uint32_t inode = look_up(disk, dir, path);
    if (inode == MEMORY_NONE)
        return -1;
    const struct memory_inode *node = &disk->inodes.list[inode];
    *out = (struct stat){.st_dev = 1, .st_ino = inode, .st_nlink = node->links};
    out->st_mode = node->folder ? S_IFDIR | 0755 : S_IFREG | 0644;
    out->st_size = (off_t)node->bytes.len;
    out->st_mtim.tv_sec = (time_t)(node->modified / CLOCK_SECOND);
    out->st_mtim.tv_nsec = (long)(node->modified % CLOCK_SECOND);
    return 0;
}

static int memory_lock(void *context, int fd, bool shared)
{
    struct memory_disk *disk = context;
    if (!enter(disk, SYSTEM_CALL_FLOCK))
        return -1;
    uint32_t inode = inode_of(disk, fd);
    if (inode == MEMORY_NONE)
        return -1;
    for (size_t i = 0; i < disk->open.count; i++) {
        const struct memory_open *open = &disk->open.list[i];
        if (open->inode == inode && MEMORY_FD_FIRST + (int)i != fd &&
            (open->lock == MEMORY_LOCKED || (open->lock == MEMORY_SHARED && !shared)))
            return fail(EWOULDBLOCK);
    }
    disk->open.list[fd - MEMORY_FD_FIRST].lock = shared ? MEMORY_SHARED : MEMORY_LOCKED;
    return 0;
}

static int memory_free_bytes(void *context, int fd, uint64_t *out, bool *known)
{
    struct memory_disk *disk = context;
    (void)fd;
    if (!enter(disk, SYSTEM_CALL_STATVFS))
        return -1;
    *known = true;
    *out = disk->room > disk->used ? disk->room - disk->used : 0;
    return 0;
}

static int memory_list(void *context, int fd, system_visit *visit, void *argument)
{
    struct memory_disk *disk = context;
    bool works = enter(disk, SYSTEM_CALL_GETDENTS);
    int error = errno;
    uint32_t inode = inode_of(disk, fd);
    (void)memory_close(disk, fd); /* works, or was closed before */
    if (inode == MEMORY_NONE || !works)
        return fail(inode == MEMORY_NONE ? EBADF : error);
    struct buf name = {0};
    const struct memory_names *names = &disk->inodes.list[inode].live;
    for (uint32_t i = 0; i < names->names.count; i++) {
        uint32_t found = names->inodes.list[i];
        if (found == MEMORY_NONE)
            continue;
        buf_reset(&name);
        buf_append_slice(&name, map_key(&names->names, i));
        visit(argument, buf_text(&name),
              disk->inodes.list[found].folder ? SYSTEM_FOLDER : SYSTEM_FILE);
    }
    buf_free(&name);
    return 0;
}

const struct system_calls memory_calls = {
    .openat = memory_openat,
    .begin_sync = memory_begin_sync,
    .close = memory_close,
    .pread = memory_pread,
    .pwrite = memory_pwrite,
    .fdatasync = memory_fdatasync,
    .fsync = memory_fsync,
    .syncfs = memory_syncfs,
    .rename = memory_rename,
    .link = memory_link,
    .unlink = memory_unlink,
    .rmdir = memory_rmdir,
    .mkdir = memory_mkdir,
    .stat = memory_stat,
    .lock = memory_lock,
    .free_bytes = memory_free_bytes,
    .list = memory_list,
};

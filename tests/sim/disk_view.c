/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "disk_part.h"
#include "object/memory_part.h"

/* The disk as those see it who are not varve: the oracle, operators, and the power. */

void disk_cut_power(struct disk *d)
{
    for (size_t i = 0; i < d->memory->open.count; i++) {
        const struct memory_open *open = &d->memory->open.list[i];
        if (open->inode != MEMORY_NONE)
            ((struct disk_process *)open->owner)->dead = true;
    }
    memory_disk_restart(d->memory, true);
}

bool disk_read(struct disk *d, const char *path, bool durable, struct buf *out)
{
    uint32_t inode = memory_look_up(d->memory, path, durable);
    const struct memory_inode *node = &d->memory->inodes.list[inode];
    if (inode == MEMORY_NONE || node->folder)
        return false;
    buf_append_slice(out, buf_slice(durable ? &node->spared : &node->bytes));
    return true;
}

static void walk(struct memory_disk *m, uint32_t inode, struct buf *path,
                 void (*visit)(void *context, const char *path, uint64_t size), void *context)
{
    size_t len = path->len;
    if (!m->inodes.list[inode].folder) {
        visit(context, buf_text(path), m->inodes.list[inode].bytes.len);
        return;
    }
    for (uint32_t i = 0; i < m->inodes.list[inode].live.names.count; i++) {
        const struct memory_names *names = &m->inodes.list[inode].live;
        if (names->inodes.list[i] == MEMORY_NONE)
            continue;
        buf_append_byte(path, '/');
        buf_append_slice(path, map_key(&names->names, i));
        walk(m, names->inodes.list[i], path, visit, context);
        path->len = len;
    }
}

void disk_walk(struct disk *d, const char *path,
               void (*visit)(void *context, const char *path, uint64_t size), void *context)
{
    uint32_t inode = memory_look_up(d->memory, path, false);
    struct buf name = {0};
    buf_append_text(&name, path);
    if (inode != MEMORY_NONE)
        walk(d->memory, inode, &name, visit, context);
    buf_free(&name);
}

/* The folder that a path is in, and its last part. */
static uint32_t parent_of(struct memory_disk *m, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    char *above = strndup(path, (size_t)(slash - path));
    uint32_t folder = memory_look_up(m, above, false);
    *name = slash + 1;
    free(above);
    return folder;
}

static void give_name(struct memory_disk *m, uint32_t folder, const char *name, uint32_t inode)
{
    memory_change(m, &(struct memory_effect){folder, inode, (char *)name}, 1);
}

static void set_bytes(struct memory_disk *m, uint32_t inode, struct slice bytes)
{
    struct memory_inode *node = &m->inodes.list[inode];
    buf_append_slice(&node->bytes, bytes);
    node->dirty = true;
}

static void make_file(struct memory_disk *m, uint32_t folder, const char *name,
                      struct slice content)
{
    uint32_t inode = memory_make(m, false);
    set_bytes(m, inode, content); /* before it has a name: then it takes room */
    give_name(m, folder, name, inode);
    memory_sync_file(m, inode);
    memory_sync_folder(m, folder);
}

void disk_write(struct disk *d, const char *path, struct slice content)
{
    const char *name;
    struct memory_disk *m = d->memory;
    uint32_t folder = parent_of(m, path, &name);
    if (folder != MEMORY_NONE && memory_find(&m->inodes.list[folder].live, name) == MEMORY_NONE)
        make_file(m, folder, name, content);
}

static void make_folders(struct memory_disk *m, const char *path)
{
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        const char *name;
        char *above = strndup(path, (size_t)(slash - path));
        uint32_t folder = parent_of(m, above, &name);
        if (memory_find(&m->inodes.list[folder].live, name) == MEMORY_NONE) {
            give_name(m, folder, name, memory_make(m, true));
            memory_sync_folder(m, folder);
        }
        free(above);
    }
}

void disk_put(struct disk *d, const char *path, struct slice content)
{
    const char *name;
    make_folders(d->memory, path);
    uint32_t folder = parent_of(d->memory, path, &name);
    make_file(d->memory, folder, name, content);
}

int64_t disk_modified(struct disk *d, const char *path)
{
    uint32_t inode = memory_look_up(d->memory, path, false);
    return inode == MEMORY_NONE ? 0 : d->memory->inodes.list[inode].modified;
}

void disk_remove_tree(struct disk *d, const char *path)
{
    const char *name;
    uint32_t folder = parent_of(d->memory, path, &name);
    if (folder != MEMORY_NONE &&
        memory_find(&d->memory->inodes.list[folder].live, name) != MEMORY_NONE)
        give_name(d->memory, folder, name, MEMORY_NONE);
    memory_sync_all(d->memory);
}

static uint32_t copy_of(struct memory_disk *m, uint32_t from)
{
    uint32_t to = memory_make(m, m->inodes.list[from].folder);
    if (!m->inodes.list[from].folder)
        set_bytes(m, to, buf_slice(&m->inodes.list[from].bytes));
    for (uint32_t i = 0; i < m->inodes.list[from].live.names.count; i++) {
        struct buf name = {0};
        uint32_t inode = m->inodes.list[from].live.inodes.list[i];
        buf_append_slice(&name, map_key(&m->inodes.list[from].live.names, i));
        if (inode != MEMORY_NONE)
            give_name(m, to, buf_text(&name), copy_of(m, inode));
        buf_free(&name);
    }
    return to;
}

void disk_copy_tree(struct disk *d, const char *from, const char *to)
{
    const char *name;
    uint32_t source = memory_look_up(d->memory, from, false);
    uint32_t folder = parent_of(d->memory, to, &name);
    if (source == MEMORY_NONE || folder == MEMORY_NONE)
        return;
    give_name(d->memory, folder, name, copy_of(d->memory, source));
    memory_sync_all(d->memory);
}

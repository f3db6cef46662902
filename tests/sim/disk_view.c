/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "disk_part.h"

/* The disk as those see it who are not varve: the oracle, and operators. */

bool disk_read(struct disk *d, const char *path, bool durable, struct buf *out)
{
    const struct disk_node *n = disk_look_up(d->root, path, durable);
    if (n == NULL || n->folder)
        return false;
    buf_append_slice(out, buf_slice(durable ? &n->durable : &n->data));
    return true;
}

static void walk(struct disk_node *n, struct buf *path,
                 void (*visit)(void *context, const char *path, uint64_t size), void *context)
{
    size_t len = path->len;
    if (!n->folder) {
        visit(context, buf_text(path), n->data.len);
        return;
    }
    for (size_t i = 0; i < n->names.count; i++) {
        buf_append_byte(path, '/');
        buf_append_text(path, n->names.list[i].name);
        walk(n->names.list[i].node, path, visit, context);
        path->len = len;
    }
}

void disk_walk(struct disk *d, const char *path,
               void (*visit)(void *context, const char *path, uint64_t size), void *context)
{
    struct disk_node *n = disk_look_up(d->root, path, false);
    struct buf name = {0};
    buf_append_text(&name, path);
    if (n != NULL)
        walk(n, &name, visit, context);
    buf_free(&name);
}

/* The folder that a path is in, and its last part. */
static struct disk_node *parent_of(struct disk *d, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    char *above = strndup(path, (size_t)(slash - path));
    struct disk_node *folder = disk_look_up(d->root, above, false);
    *name = slash + 1;
    free(above);
    return folder;
}

static void sync_all(struct disk *d)
{
    for (struct disk_node *n = d->nodes; n != NULL; n = n->next)
        disk_sync_node(d, n);
}

void disk_write(struct disk *d, const char *path, struct slice content)
{
    const char *name;
    struct disk_node *folder = parent_of(d, path, &name);
    if (folder == NULL || disk_find_name(&folder->names, name, strlen(name)) != NULL)
        return;
    struct disk_node *n = disk_make(d, folder, name, false);
    buf_append_slice(&n->data, content);
    n->dirty = true;
    disk_sync_node(d, n);
    disk_sync_node(d, folder);
}

void disk_remove_tree(struct disk *d, const char *path)
{
    const char *name;
    struct disk_node *folder = parent_of(d, path, &name);
    if (folder != NULL && disk_find_name(&folder->names, name, strlen(name)) != NULL)
        disk_change(d, folder, name, NULL, 0);
    sync_all(d);
}

static void copy_into(struct disk *d, const struct disk_node *from, struct disk_node *to)
{
    buf_reset(&to->data);
    buf_append_slice(&to->data, buf_slice(&from->data));
    to->dirty = true;
    for (size_t i = 0; i < from->names.count; i++) {
        const struct disk_name *n = &from->names.list[i];
        copy_into(d, n->node, disk_make(d, to, n->name, n->node->folder));
    }
}

void disk_copy_tree(struct disk *d, const char *from, const char *to)
{
    const char *name;
    struct disk_node *source = disk_look_up(d->root, from, false);
    struct disk_node *folder = parent_of(d, to, &name);
    if (source == NULL || folder == NULL)
        return;
    copy_into(d, source, disk_make(d, folder, name, source->folder));
    sync_all(d);
}

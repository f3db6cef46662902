/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "disk_part.h"

static struct disk_node *new_node(struct disk *d, bool folder)
{
    struct disk_node *n = calloc(1, sizeof(*n));
    if (n == NULL)
        abort();
    n->number = ++d->last_number;
    n->folder = folder;
    n->modified = clock_wall();
    n->next = d->nodes;
    d->nodes = n;
    return n;
}

static void free_names(struct disk_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i].name);
    free(names->list);
    *names = (struct disk_names){0};
}

static void free_node(struct disk_node *n)
{
    free_names(&n->names);
    free_names(&n->durable_names);
    for (size_t i = 0; i < n->changes.count; i++)
        free(n->changes.list[i].name);
    free(n->changes.list);
    buf_free(&n->data);
    buf_free(&n->durable);
    free(n);
}

struct disk_node *disk_find_name(const struct disk_names *names, const char *name, size_t len)
{
    for (size_t i = 0; i < names->count; i++)
        if (strlen(names->list[i].name) == len && memcmp(names->list[i].name, name, len) == 0)
            return names->list[i].node;
    return NULL;
}

static void set_name(struct disk_names *names, const char *name, struct disk_node *node)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->list[i].name, name) != 0)
            continue;
        if (node != NULL) {
            names->list[i].node = node;
            return;
        }
        free(names->list[i].name);
        memmove(&names->list[i], &names->list[i + 1],
                (names->count - i - 1) * sizeof(names->list[0]));
        names->count--;
        return;
    }
    if (node == NULL)
        return;
    names->list = array_grow(names->list, &names->cap, names->count, 1, sizeof(*names->list), NULL);
    names->list[names->count++] = (struct disk_name){strdup(name), node};
}

void disk_change(struct disk *d, struct disk_node *folder, const char *name, struct disk_node *node,
                 uint64_t pair)
{
    struct disk_changes *c = &folder->changes;
    (void)d;
    set_name(&folder->names, name, node);
    folder->modified = clock_wall();
    c->list = array_grow(c->list, &c->cap, c->count, 1, sizeof(*c->list), NULL);
    c->list[c->count++] = (struct disk_change_entry){strdup(name), node, pair, false};
}

static void apply(struct disk_node *folder, struct disk_change_entry *change)
{
    set_name(&folder->durable_names, change->name, change->node);
    free(change->name);
}

/* The other half of a rename is durable with this one, so that the file is never under no name. */
static void apply_pair(struct disk *d, uint64_t pair)
{
    for (struct disk_node *n = d->nodes; n != NULL && pair != 0; n = n->next) {
        for (size_t i = 0; i < n->changes.count; i++) {
            struct disk_change_entry *change = &n->changes.list[i];
            if (change->pair != pair || change->node == NULL)
                continue;
            apply(n, change);
            memmove(change, change + 1, (n->changes.count - i - 1) * sizeof(*change));
            n->changes.count--;
            return;
        }
    }
}

void disk_sync_node(struct disk *d, struct disk_node *n)
{
    if (!n->folder) {
        if (!n->dirty)
            return;
        buf_reset(&n->durable);
        buf_append_slice(&n->durable, buf_slice(&n->data));
        n->dirty = false;
        return;
    }
    for (size_t i = 0; i < n->changes.count; i++)
        if (n->changes.list[i].node == NULL)
            apply_pair(d, n->changes.list[i].pair);
    for (size_t i = 0; i < n->changes.count; i++)
        apply(n, &n->changes.list[i]);
    n->changes.count = 0;
}

void disk_lose_node(struct disk_node *n)
{
    n->dirty = false; /* the kernel takes its pages for clean now */
}

static bool survives_pair(const struct disk *d, uint64_t pair)
{
    for (const struct disk_node *n = d->nodes; n != NULL; n = n->next)
        for (size_t i = 0; i < n->changes.count; i++)
            if (n->changes.list[i].pair == pair && n->changes.list[i].node != NULL)
                return n->changes.list[i].survives;
    return true; /* it is durable already */
}

static void decide(struct disk *d, struct disk_node *n, uint64_t permille)
{
    for (size_t i = 0; i < n->changes.count; i++)
        n->changes.list[i].survives = sim_random_chance(&d->random, permille);
}

/* Who is in a folder is not there without it: file systems write their metadata in order. True if
 * something changed. */
static bool keep_folder(struct disk *d, const struct disk_node *folder)
{
    bool changed = false;
    bool needed = folder->durable_names.count > 0;
    for (size_t i = 0; i < folder->changes.count; i++)
        needed = needed || folder->changes.list[i].survives;
    for (struct disk_node *n = d->nodes; needed && n != NULL; n = n->next) {
        for (size_t i = 0; i < n->changes.count; i++) {
            struct disk_change_entry *change = &n->changes.list[i];
            if (change->node != folder || change->survives)
                continue;
            change->survives = true;
            changed = true;
        }
    }
    return changed;
}

static void keep_folders(struct disk *d)
{
    bool changed = true;
    while (changed) {
        changed = false;
        for (struct disk_node *n = d->nodes; n != NULL; n = n->next)
            changed = (n->folder && keep_folder(d, n)) || changed;
    }
}

static void cut_folder(struct disk *d, struct disk_node *n)
{
    for (size_t i = 0; i < n->changes.count; i++) {
        struct disk_change_entry *change = &n->changes.list[i];
        bool survives = change->survives;
        if (change->node == NULL && change->pair != 0)
            survives = survives && survives_pair(d, change->pair);
        change->survives = survives;
    }
}

static void end_folder(struct disk_node *n)
{
    for (size_t i = 0; i < n->changes.count; i++) {
        if (n->changes.list[i].survives)
            apply(n, &n->changes.list[i]);
        else
            free(n->changes.list[i].name);
    }
    n->changes.count = 0;
    free_names(&n->names);
    for (size_t i = 0; i < n->durable_names.count; i++)
        set_name(&n->names, n->durable_names.list[i].name, n->durable_names.list[i].node);
}

/* Of what was not synced a part is there: all, none, or up to some byte; behind it zeros, as where
 * the length was written before the data. */
static void cut_file(struct disk *d, struct disk_node *n)
{
    size_t same = n->durable.len < n->data.len ? n->durable.len : n->data.len;
    if (!slice_equal(buf_slice(&n->data), buf_slice(&n->durable))) {
        switch (sim_random_below(&d->random, 4)) {
        case 0:
            break; /* all of it */
        case 1:
            n->data.len = same + sim_random_below(&d->random, n->data.len - same + 1);
            break;
        case 2:
            same += sim_random_below(&d->random, n->data.len - same + 1);
            memset(n->data.data + same, 0, n->data.len - same);
            break;
        default:
            buf_reset(&n->data);
            buf_append_slice(&n->data, buf_slice(&n->durable));
            break;
        }
    }
    buf_reset(&n->durable);
    buf_append_slice(&n->durable, buf_slice(&n->data));
    n->dirty = false;
}

static void mark(struct disk_node *n)
{
    n->marked = true;
    for (size_t i = 0; i < n->names.count; i++)
        if (!n->names.list[i].node->marked)
            mark(n->names.list[i].node);
    for (size_t i = 0; i < n->durable_names.count; i++)
        if (!n->durable_names.list[i].node->marked)
            mark(n->durable_names.list[i].node);
    for (size_t i = 0; i < n->changes.count; i++)
        if (n->changes.list[i].node != NULL && !n->changes.list[i].node->marked)
            mark(n->changes.list[i].node);
}

/* Free what no name and no descriptor leads to. */
void disk_collect(struct disk *d)
{
    for (struct disk_node *n = d->nodes; n != NULL; n = n->next)
        n->marked = false;
    mark(d->root);
    for (int i = 0; i < DISK_OPEN_MAX; i++)
        if (d->open[i].node != NULL && !d->open[i].node->marked)
            mark(d->open[i].node);
    for (struct disk_node **link = &d->nodes; *link != NULL;) {
        struct disk_node *n = *link;
        if (n->marked) {
            link = &n->next;
            continue;
        }
        *link = n->next;
        free_node(n);
    }
}

void disk_cut_power(struct disk *d)
{
    static const uint64_t permilles[] = {0, 200, 500, 800, 1000};
    uint64_t permille = permilles[sim_random_below(&d->random, 5)];
    for (int i = 0; i < DISK_OPEN_MAX; i++) {
        if (d->open[i].node != NULL)
            d->open[i].process->dead = true;
        d->open[i] = (struct disk_open){0};
    }
    for (struct disk_node *n = d->nodes; n != NULL; n = n->next)
        decide(d, n, permille);
    keep_folders(d);
    for (struct disk_node *n = d->nodes; n != NULL; n = n->next)
        cut_folder(d, n);
    for (struct disk_node *n = d->nodes; n != NULL; n = n->next) {
        if (n->folder)
            end_folder(n);
        else
            cut_file(d, n);
    }
    disk_collect(d);
}

struct disk *disk_new(uint64_t seed)
{
    struct disk *d = calloc(1, sizeof(*d));
    if (d == NULL)
        abort();
    d->random.state = seed;
    d->capacity = UINT64_MAX;
    d->root = new_node(d, true);
    return d;
}

void disk_free(struct disk *d)
{
    while (d->nodes != NULL) {
        struct disk_node *n = d->nodes;
        d->nodes = n->next;
        free_node(n);
    }
    free(d);
}

struct disk_node *disk_make(struct disk *d, struct disk_node *folder, const char *name,
                            bool is_folder)
{
    struct disk_node *n = new_node(d, is_folder);
    disk_change(d, folder, name, n, 0);
    return n;
}

void disk_switch(struct disk *d, struct disk_process *process)
{
    d->process = process;
}

void disk_set_faults(struct disk *d, struct disk_faults faults)
{
    d->faults = faults;
}

void disk_set_rival(struct disk *d, disk_rival *rival, void *context)
{
    d->rival = rival;
    d->rival_context = context;
}

void disk_set_capacity(struct disk *d, uint64_t bytes)
{
    d->capacity = bytes;
}

uint64_t disk_used(const struct disk *d)
{
    uint64_t used = 0;
    for (const struct disk_node *n = d->nodes; n != NULL; n = n->next)
        used += n->data.len + DISK_NODE_BYTES;
    return used;
}

void disk_close_all(struct disk *d, struct disk_process *process)
{
    for (int i = 0; i < DISK_OPEN_MAX; i++)
        if (d->open[i].process == process)
            d->open[i] = (struct disk_open){0};
    disk_collect(d);
}

struct disk_node *disk_look_up(struct disk_node *from, const char *path, bool durable)
{
    struct disk_node *n = from;
    for (const char *at = path; n != NULL && *at != '\0';) {
        size_t len = strcspn(at, "/");
        if (!n->folder && len > 0) {
            errno = ENOTDIR;
            return NULL;
        }
        if (len > 0 && !(len == 1 && *at == '.'))
            n = disk_find_name(durable ? &n->durable_names : &n->names, at, len);
        at += len;
        at += *at == '/';
    }
    if (n == NULL)
        errno = ENOENT;
    return n;
}

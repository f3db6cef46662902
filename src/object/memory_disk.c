/* SPDX-License-Identifier: MIT */
#include "object/memory_part.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/text.h"

/* splitmix64: small, and the same everywhere. */
uint64_t memory_disk_random(struct memory_disk *disk)
{
    uint64_t z = (disk->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t memory_find(const struct memory_names *names, const char *name)
{
    int64_t at = map_find(&names->names, slice_of(name));
    return at < 0 ? (uint32_t)MEMORY_NONE : names->inodes.list[at];
}

uint32_t memory_look_up(const struct memory_disk *disk, const char *path, bool durable)
{
    struct buf part = {0};
    uint32_t at = MEMORY_ROOT;
    while (at != MEMORY_NONE && *(path += strspn(path, "/")) != '\0') {
        const struct memory_inode *node = &disk->inodes.list[at];
        size_t len = strcspn(path, "/");
        buf_reset(&part);
        buf_append(&part, path, len);
        at = memory_find(durable ? &node->durable : &node->live, buf_text(&part));
        path += len;
    }
    buf_free(&part);
    return at;
}

static void set_name(struct memory_names *names, const char *name, uint32_t inode)
{
    bool added;
    uint32_t at = map_put(&names->names, slice_of(name), &added);
    if (added)
        *array_add(&names->inodes) = inode;
    else
        names->inodes.list[at] = inode;
}

static void reset_names(struct memory_names *names)
{
    map_reset(&names->names);
    names->inodes.count = 0;
}

static void free_names(struct memory_names *names)
{
    map_free(&names->names);
    array_free(&names->inodes);
}

static void copy_names(struct memory_names *to, const struct memory_names *from)
{
    reset_names(to);
    for (uint32_t i = 0; i < from->names.count; i++) {
        bool added;
        if (from->inodes.list[i] == MEMORY_NONE)
            continue;
        (void)map_put(&to->names, map_key(&from->names, i), &added);
        *array_add(&to->inodes) = from->inodes.list[i];
    }
}

uint32_t memory_make(struct memory_disk *disk, bool folder)
{
    *array_add(&disk->inodes) =
        (struct memory_inode){.folder = folder, .dirty = true, .modified = clock_wall()};
    return (uint32_t)disk->inodes.count - 1;
}

/* A file without a name takes no room. */
static void count_link(struct memory_disk *disk, uint32_t inode, int by)
{
    struct memory_inode *node = &disk->inodes.list[inode];
    if (inode == MEMORY_NONE)
        return;
    if (by > 0 && node->links == 0)
        disk->used += node->bytes.len;
    node->links = (uint32_t)((int)node->links + by);
    if (by < 0 && node->links == 0)
        disk->used -= node->bytes.len;
}

void memory_change(struct memory_disk *disk, const struct memory_effect *effects, uint32_t count)
{
    struct memory_change change = {.count = count};
    for (uint32_t i = 0; i < count; i++) {
        const struct memory_effect *effect = &effects[i];
        struct memory_names *names = &disk->inodes.list[effect->folder].live;
        count_link(disk, effect->inode, 1);
        count_link(disk, memory_find(names, effect->name), -1);
        set_name(names, effect->name, effect->inode);
        change.effects[i] = *effect;
        change.effects[i].name = text_copy(effect->name);
    }
    *array_add(&disk->changes) = change;
}

static void append_key(struct buf *out, const struct memory_effect *effect)
{
    buf_reset(out);
    buf_printf(out, "%" PRIu32 "/%s", effect->folder, effect->name);
}

static bool touches(const struct memory_change *change, uint32_t folder, const struct map *names)
{
    struct buf key = {0};
    bool result = false;
    for (uint32_t i = 0; i < change->count && !result; i++) {
        append_key(&key, &change->effects[i]);
        result = change->effects[i].folder == folder || map_find(names, buf_slice(&key)) >= 0;
    }
    buf_free(&key);
    return result;
}

static void note_names(const struct memory_change *change, struct map *names)
{
    struct buf key = {0};
    for (uint32_t i = 0; i < change->count; i++) {
        bool added;
        append_key(&key, &change->effects[i]);
        (void)map_put(names, buf_slice(&key), &added);
    }
    buf_free(&key);
}

/* Those that are marked last now, in their order; the others wait on. */
static void apply(struct memory_disk *disk, const bool *marked)
{
    size_t left = 0;
    for (size_t i = 0; i < disk->changes.count; i++) {
        struct memory_change *change = &disk->changes.list[i];
        if (!marked[i]) {
            disk->changes.list[left++] = *change;
            continue;
        }
        for (uint32_t e = 0; e < change->count; e++) {
            struct memory_effect *effect = &change->effects[e];
            set_name(&disk->inodes.list[effect->folder].durable, effect->name, effect->inode);
            free(effect->name);
        }
    }
    disk->changes.count = left;
}

static bool *marks(const struct memory_disk *disk)
{
    bool *marked = calloc(disk->changes.count + 1, sizeof(*marked));
    if (marked == NULL)
        out_of_memory(disk->changes.count);
    return marked;
}

/* All in the folder, with the other half of a rename, and with what happened to the same names
 * before. */
void memory_sync_folder(struct memory_disk *disk, uint32_t folder)
{
    bool *marked = marks(disk);
    struct map names = {0};
    for (size_t i = disk->changes.count; i > 0; i--) {
        const struct memory_change *change = &disk->changes.list[i - 1];
        marked[i - 1] = touches(change, folder, &names);
        if (marked[i - 1])
            note_names(change, &names);
    }
    apply(disk, marked);
    map_free(&names);
    free(marked);
}

void memory_sync_file(struct memory_disk *disk, uint32_t file)
{
    struct memory_inode *node = &disk->inodes.list[file];
    if (!node->dirty || node->lost)
        return;
    buf_reset(&node->spared);
    buf_append_slice(&node->spared, buf_slice(&node->bytes));
    node->dirty = false;
}

void memory_sync_all(struct memory_disk *disk)
{
    bool *marked = marks(disk);
    memset(marked, true, disk->changes.count * sizeof(*marked));
    apply(disk, marked);
    free(marked);
    for (uint32_t i = MEMORY_ROOT; i < disk->inodes.count; i++)
        memory_sync_file(disk, i);
}

void memory_lose(struct memory_disk *disk, uint32_t file)
{
    disk->inodes.list[file].lost = disk->inodes.list[file].dirty;
}

/* Some of the changes, but no later one of a name without the earlier ones. */
static void draw_changes(struct memory_disk *disk)
{
    static const uint64_t permilles[] = {0, 200, 500, 500, 500, 800, 1000};
    uint64_t permille =
        permilles[memory_disk_random(disk) % (sizeof(permilles) / sizeof(permilles[0]))];
    bool *marked = marks(disk);
    struct map dropped = {0};
    for (size_t i = 0; i < disk->changes.count; i++) {
        const struct memory_change *change = &disk->changes.list[i];
        marked[i] = memory_disk_random(disk) % 1000 < permille &&
                    !touches(change, (uint32_t)MEMORY_NONE, &dropped);
        if (!marked[i])
            note_names(change, &dropped);
    }
    apply(disk, marked);
    for (size_t i = 0; i < disk->changes.count; i++) {
        for (uint32_t e = 0; e < disk->changes.list[i].count; e++)
            free(disk->changes.list[i].effects[e].name);
    }
    disk->changes.count = 0;
    map_free(&dropped);
    free(marked);
}

/* What there is of a file that was not synced. */
static void draw_bytes(struct memory_disk *disk, struct memory_inode *node)
{
    uint64_t draw = memory_disk_random(disk);
    size_t some = node->bytes.len == 0 ? 0 : (size_t)((draw >> 8) % node->bytes.len);
    if (node->lost || (draw & 3) == 0) {
        buf_reset(&node->bytes);
        buf_append_slice(&node->bytes, buf_slice(&node->spared));
    } else if ((draw & 3) == 1) {
        node->bytes.len = some;
    } else if ((draw & 3) == 2 && node->bytes.len > 0) {
        memset(node->bytes.data + some, 0, node->bytes.len - some);
    }
}

static void lose_power(struct memory_disk *disk)
{
    draw_changes(disk);
    for (uint32_t i = MEMORY_ROOT; i < disk->inodes.count; i++) {
        struct memory_inode *node = &disk->inodes.list[i];
        if (node->folder)
            copy_names(&node->live, &node->durable);
        else if (node->dirty)
            draw_bytes(disk, node);
        node->links = i == MEMORY_ROOT ? 1 : 0;
        node->lost = false;
    }
    disk->used = 0;
    for (uint32_t i = MEMORY_ROOT; i < disk->inodes.count; i++) {
        const struct memory_names *names = &disk->inodes.list[i].live;
        for (size_t n = 0; n < names->inodes.count; n++)
            count_link(disk, names->inodes.list[n], 1);
    }
    memory_sync_all(disk); /* what is there after a start lasts */
    for (uint32_t i = MEMORY_ROOT; i < disk->inodes.count; i++) {
        struct memory_inode *node = &disk->inodes.list[i];
        if (node->links == 0) { /* nobody can come back to it */
            buf_free(&node->bytes);
            buf_free(&node->spared);
        }
    }
}

void memory_disk_restart(struct memory_disk *disk, bool power_cut)
{
    if (power_cut)
        lose_power(disk);
    disk->open.count = 0;
    disk->off = false;
    disk->cut_at = 0;
    disk->fail_left = 0;
}

struct memory_disk *memory_disk_new(uint64_t seed)
{
    struct memory_disk *disk = calloc(1, sizeof(*disk));
    if (disk == NULL)
        out_of_memory(sizeof(*disk));
    disk->random = seed;
    disk->room = UINT64_C(1) << 40;
    (void)memory_make(disk, false);
    uint32_t root = memory_make(disk, true);
    ASSERT(root == MEMORY_ROOT);
    disk->inodes.list[root].links = 1;
    return disk;
}

void memory_disk_free(struct memory_disk *disk)
{
    for (uint32_t i = 0; i < disk->inodes.count; i++) {
        struct memory_inode *node = &disk->inodes.list[i];
        free_names(&node->live);
        free_names(&node->durable);
        buf_free(&node->bytes);
        buf_free(&node->spared);
    }
    for (size_t i = 0; i < disk->changes.count; i++) {
        for (uint32_t e = 0; e < disk->changes.list[i].count; e++)
            free(disk->changes.list[i].effects[e].name);
    }
    array_free(&disk->inodes);
    array_free(&disk->changes);
    array_free(&disk->open);
    free(disk);
}

struct system memory_disk_system(struct memory_disk *disk)
{
    return (struct system){.calls = &memory_calls, .disk = disk};
}

uint64_t memory_disk_calls(const struct memory_disk *disk)
{
    return disk->calls;
}

void memory_disk_fail(struct memory_disk *disk, enum system_call call, uint64_t number, int error)
{
    disk->fail_call = call;
    disk->fail_left = number;
    disk->fail_error = error;
}

void memory_disk_cut(struct memory_disk *disk, uint64_t number)
{
    disk->cut_at = disk->calls + number;
}

bool memory_disk_is_off(const struct memory_disk *disk)
{
    return disk->off;
}

uint64_t memory_disk_used(const struct memory_disk *disk)
{
    return disk->used;
}

void memory_disk_shorten(struct memory_disk *disk, uint64_t permille)
{
    disk->shorten = permille;
}

void memory_disk_own(struct memory_disk *disk, const void *owner)
{
    disk->owner = owner;
}

void memory_disk_close_all(struct memory_disk *disk, const void *owner)
{
    for (size_t i = 0; i < disk->open.count; i++) {
        if (disk->open.list[i].owner == owner)
            disk->open.list[i] = (struct memory_open){0};
    }
}

void memory_disk_before_rename(struct memory_disk *disk, memory_before_rename *before,
                               void *context)
{
    disk->before = before;
    disk->before_context = context;
}

void memory_disk_set_room(struct memory_disk *disk, uint64_t bytes)
{
    disk->room = bytes;
}

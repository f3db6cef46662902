/* SPDX-License-Identifier: MIT */
#include "store/group.h"

#include <string.h>

#include "base/assert.h"

/* What a file takes beside its content while it is committed: its entry in the commit log (a buffer
 * that grows), paths, statistics; and each range of its sequences as text. */
enum { FILE_ENTRY = 4096, RANGE_ENTRY = 16 };

struct store_group *group_new(struct account *account)
{
    struct store_group *g = account_alloc(account, 1, sizeof(*g));
    g->account = account;
    g->arena.account = account;
    g->staged.account = account;
    g->images.account = account;
    g->parts.account = account;
    g->files.account = account;
    return g;
}

/* Of one file of a part. */
static uint64_t entry_memory(const struct group_part *part)
{
    return FILE_ENTRY + 3 * strlen(part->key);
}

struct group_part *group_add_part(struct store_group *g, const struct store_kind *kind,
                                  const struct store_origin *origin, struct slice key)
{
    struct group_part *part = arena_calloc(&g->arena, 1, sizeof(*part));
    part->kind = kind;
    part->origin = origin;
    part->key = arena_text(&g->arena, key.data, key.len);
    part->last = &part->first;
    *array_add(&g->parts) = part;
    g->parts_memory += entry_memory(part);
    account_add(g->account, entry_memory(part));
    return part;
}

void group_stage(struct store_group *g, struct group_part *part, struct slice packed)
{
    ASSERT(packed.len <= UINT32_MAX);
    struct staged_row *row = arena_alloc(&g->staged, sizeof(*row) + packed.len);
    row->next = NULL;
    row->len = (uint32_t)packed.len;
    memcpy(row->packed, packed.data, packed.len);
    *part->last = row;
    part->last = &row->next;
}

void group_unstage(struct group_part *part, struct batch *to)
{
    for (const struct staged_row *row = part->first; row != NULL; row = row->next)
        batch_unpack(to, (struct slice){row->packed, row->len});
    part->first = NULL;
    part->last = &part->first;
}

static void book_entry(struct store_group *g, struct group_file *file, uint64_t bytes)
{
    file->entry_memory += bytes;
    account_add(g->account, bytes);
}

struct group_file *group_add_file(struct store_group *g, struct group_part *part)
{
    struct group_file *file = account_alloc(g->account, 1, sizeof(*file));
    file->part = part;
    file->image.account = g->account;
    file->stats_text.account = g->account;
    file->sequences.account = g->account;
    if (part->file != NULL)
        book_entry(g, file, entry_memory(part));
    *array_add(&g->files) = file;
    part->file = file;
    return file;
}

void group_file_add(struct store_group *g, struct group_file *file, uint64_t sequence)
{
    struct seqset *set = &file->sequences;
    file->rows++;
    if (set->count <= DELTA_ADD_RANGES_MAX) {
        size_t before = set->count;
        (void)seqset_add(set, sequence);
        if (set->count > before)
            book_entry(g, file, RANGE_ENTRY);
    } else if (sequence > set->list[set->count - 1].last) {
        set->list[set->count - 1].last = sequence;
    } else if (sequence < set->list[0].first) {
        set->list[0].first = sequence;
    }
}

void group_keep_image(struct store_group *g, struct group_file *file, struct slice image)
{
    uint8_t *data = arena_alloc(&g->images, image.len);
    memcpy(data, image.data, image.len);
    file->small = (struct slice){data, image.len};
}

void group_file_pieces(const struct group_file *file, struct slice pieces[static GROUP_FILE_PIECES])
{
    struct slice image = file->small.data != NULL ? file->small : buf_slice(&file->image);
    size_t at = file->outside_at;
    pieces[0] = (struct slice){image.data, at};
    pieces[1] = file->outside.value;
    pieces[2] = (struct slice){image.data + at, image.len - at};
}

static void file_free(struct store_group *g, struct group_file *file)
{
    parquet_writer_free(file->writer);
    account_remove(g->account, file->entry_memory);
    seqset_free(&file->sequences);
    buf_free(&file->image);
    account_free(file->outside.account, file->outside.memory, file->outside.size);
    buf_free(&file->stats_text);
    account_free(g->account, file->stats, file->stats_cap * sizeof(*file->stats));
    object_staged_free(file->stored);
    account_free(g->account, file, sizeof(*file));
}

void group_free(struct store_group *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->files.count; i++)
        file_free(g, g->files.list[i]);
    array_free(&g->files);
    array_free(&g->parts);
    positions_free(&g->others);
    arena_free(&g->arena);
    arena_free(&g->staged);
    arena_free(&g->images);
    account_remove(g->account, g->parts_memory);
    account_free(g->account, g, sizeof(*g));
}

/* SPDX-License-Identifier: MIT */
#include "store/group.h"

#include <string.h>

#include "base/assert.h"
#include "base/num.h"

/* What a file takes beside its content while it is committed: its entry in the commit log (a buffer
 * that grows), paths, statistics; and each range of its sequences as text. */
enum { FILE_ENTRY = 4096, RANGE_ENTRY = 16 };

struct store_group *group_new(struct account *account, struct staging *staging)
{
    struct store_group *g = account_alloc(account, 1, sizeof(*g));
    g->account = account;
    g->staging = staging;
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
    *array_add(&g->parts) = part;
    g->parts_memory += entry_memory(part);
    account_add(g->account, entry_memory(part));
    return part;
}

uint8_t *group_stage(struct store_group *g, struct group_part *part, size_t len)
{
    return staging_add(g->staging, &part->staged, &g->staged, len);
}

void group_unstage(struct store_group *g, const struct group_part *part, struct staged_rows *rows,
                   struct batch *to)
{
    struct staging_cursor cursor = {0};
    struct slice row;
    while (staging_next(rows, &cursor, &row))
        part->kind->unpack != NULL ? part->kind->unpack(to, row) : batch_unpack(to, row);
    staging_give_back(g->staging, rows);
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
    file->staging = g->staging;
    file->image.account = g->account;
    file->pieces.account = g->account;
    file->taken.account = g->account;
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

static bool lies_in(struct slice bytes, const uint8_t *data, size_t len)
{
    return data != NULL && bytes.data >= data && bytes.data - data < (ptrdiff_t)len;
}

static void append_whole(struct group_file *file, struct slice bytes)
{
    struct group_piece *last =
        file->pieces.count > 0 ? &file->pieces.list[file->pieces.count - 1] : NULL;
    if (last != NULL && last->data == NULL)
        last->len += bytes.len;
    else
        *array_add(&file->pieces) = (struct group_piece){.at = file->image.len, .len = bytes.len};
    buf_append_slice(&file->image, bytes);
}

/* What is in memory that goes round need not be taken from the system for each file. */
static void append_copied(struct group_file *file, struct slice bytes)
{
    while (bytes.len > 0) {
        struct group_piece *last =
            file->pieces.count > 0 ? &file->pieces.list[file->pieces.count - 1] : NULL;
        size_t len = bytes.len;
        uint8_t *to = staging_room(file->staging, &file->copied, &len);
        memcpy(to, bytes.data, len);
        if (last != NULL && last->data + last->len == to)
            last->len += len;
        else
            *array_add(&file->pieces) = (struct group_piece){.data = to, .len = len};
        bytes = (struct slice){bytes.data + len, bytes.len - len};
    }
}

void group_file_append(struct group_file *file, struct slice bytes)
{
    const struct buf *taken =
        file->taken.count > 0 ? &file->taken.list[file->taken.count - 1] : NULL;
    bool stays = (taken != NULL && lies_in(bytes, taken->data, taken->len)) ||
                 lies_in(bytes, file->outside.value.data, file->outside.value.len);
    if (stays)
        *array_add(&file->pieces) = (struct group_piece){.data = bytes.data, .len = bytes.len};
    else if (file->whole)
        append_whole(file, bytes);
    else
        append_copied(file, bytes);
}

void group_file_take(struct group_file *file, struct buf *memory)
{
    struct buf taken = {.data = memory->data, .len = memory->len, .cap = memory->cap};
    taken.account = file->image.account;
    account_add(taken.account, taken.cap);
    account_remove(memory->account, taken.cap);
    *memory = (struct buf){.account = memory->account};
    *array_add(&file->taken) = taken;
}

void group_keep_image(struct store_group *g, struct group_file *file, struct slice image)
{
    uint8_t *data = arena_alloc(&g->images, image.len);
    memcpy(data, image.data, image.len);
    file->small = (struct slice){data, image.len};
    array_free(&file->pieces);
}

size_t group_file_piece_count(const struct group_file *file)
{
    return file->small.data != NULL ? 1 : file->pieces.count;
}

struct slice group_file_piece(const struct group_file *file, size_t index)
{
    if (file->small.data != NULL)
        return file->small;
    const struct group_piece *piece = &file->pieces.list[index];
    const uint8_t *data = piece->data != NULL ? piece->data : file->image.data + piece->at;
    return (struct slice){data, piece->len};
}

uint64_t group_file_size(const struct group_file *file)
{
    uint64_t size = 0;
    for (size_t i = 0; i < group_file_piece_count(file); i++)
        size += group_file_piece(file, i).len;
    return size;
}

bool group_file_copy(const struct group_file *file, uint64_t offset, void *data, size_t len)
{
    uint8_t *to = data;
    for (size_t i = 0; i < group_file_piece_count(file) && len > 0; i++) {
        struct slice piece = group_file_piece(file, i);
        if (offset >= piece.len) {
            offset -= piece.len;
            continue;
        }
        size_t part = (size_t)num_least_u64(piece.len - offset, len);
        memcpy(to, piece.data + offset, part);
        to += part;
        len -= part;
        offset = 0;
    }
    return len == 0;
}

struct store_committed group_take_committed(struct store_group *g)
{
    struct store_committed out = {.number = g->seal.number,
                                  .version = g->version,
                                  .files = (uint32_t)g->files.count,
                                  .bytes = g->bytes_written,
                                  .encode_ns = g->encode_ns,
                                  .commit_ns = g->commit_ns,
                                  .conflicts = g->conflicts,
                                  .others = g->others};
    g->others = (struct positions){0};
    return out;
}

/* What only the way to the commit needs. */
static void trim_file(struct store_group *g, struct group_file *file)
{
    account_remove(g->account, file->entry_memory);
    file->entry_memory = 0;
    seqset_free(&file->sequences);
    buf_free(&file->stats_text);
    account_free(g->account, file->stats, file->stats_cap * sizeof(*file->stats));
    file->stats = NULL;
    file->stats_count = file->stats_cap = 0;
    object_staged_free(file->stored);
    file->stored = NULL;
    file->part = NULL;
}

static void free_parts(struct store_group *g)
{
    for (size_t i = 0; i < g->parts.count; i++)
        staging_give_back(g->staging, &g->parts.list[i]->staged);
    array_free(&g->parts);
    arena_free(&g->arena);
    arena_free(&g->staged);
    account_remove(g->account, g->parts_memory);
    g->parts_memory = 0;
}

void group_keep_files(struct store_group *g)
{
    for (size_t i = 0; i < g->files.count; i++)
        trim_file(g, g->files.list[i]);
    free_parts(g);
}

uint64_t group_memory(const struct store_group *g)
{
    uint64_t bytes = arena_memory(&g->images);
    for (size_t i = 0; i < g->files.count; i++) {
        const struct group_file *file = g->files.list[i];
        bytes += sizeof(*file) + file->image.cap + file->outside.size;
        bytes += staging_memory(&file->copied);
        for (size_t j = 0; j < file->taken.count; j++)
            bytes += file->taken.list[j].cap;
    }
    return bytes;
}

static void file_free(struct store_group *g, struct group_file *file)
{
    parquet_writer_free(file->writer);
    trim_file(g, file);
    buf_free(&file->image);
    staging_give_back(g->staging, &file->copied);
    array_free(&file->pieces);
    for (size_t i = 0; i < file->taken.count; i++)
        buf_free(&file->taken.list[i]);
    array_free(&file->taken);
    account_free(file->outside.account, file->outside.memory, file->outside.size);
    account_free(g->account, file, sizeof(*file));
}

void group_free(struct store_group *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->files.count; i++)
        file_free(g, g->files.list[i]);
    array_free(&g->files);
    free_parts(g);
    positions_free(&g->others);
    arena_free(&g->images);
    account_free(g->account, g, sizeof(*g));
}

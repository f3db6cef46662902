/* SPDX-License-Identifier: MIT */
#include "store/staging.h"

#include "base/assert.h"
#include "base/bytes.h"

struct staging_chunk {
    struct staging_chunk *next;
    size_t size; /* of `data` */
    size_t used;
    uint8_t data[]; /* of each row its length, four bytes, and the row */
};

enum {
    CHUNK_DATA = STAGING_CHUNK - sizeof(struct staging_chunk),
    LENGTH = 4,
    GROWTH = 4, /* times, from a partition's chunk to the next one */
};

static struct staging_chunk *take_idle(struct staging *s)
{
    if (s->idle == NULL)
        s->idle = atomic_exchange_explicit(&s->returned, NULL, memory_order_acquire);
    struct staging_chunk *chunk = s->idle;
    if (chunk != NULL)
        s->idle = chunk->next;
    else
        chunk = account_resize(s->account, NULL, 0, STAGING_CHUNK);
    s->taken++;
    return chunk;
}

static struct staging_chunk *new_chunk(struct staging *s, const struct staging_chunk *last,
                                       struct arena *arena, size_t least)
{
    size_t size = last == NULL ? STAGING_FIRST : last->size * GROWTH;
    if (size < least)
        size = least;
    bool whole = size > STAGING_CHUNK / 2;
    struct staging_chunk *chunk = whole ? take_idle(s) : arena_alloc(arena, sizeof(*chunk) + size);
    *chunk = (struct staging_chunk){.size = whole ? CHUNK_DATA : size};
    return chunk;
}

uint8_t *staging_add(struct staging *s, struct staged_rows *rows, struct arena *arena, size_t len)
{
    ASSERT(len <= STAGING_ROW_MAX);
    struct staging_chunk *chunk = rows->last;
    if (chunk == NULL || chunk->size - chunk->used < LENGTH + len) {
        chunk = new_chunk(s, rows->last, arena, LENGTH + len);
        if (rows->last == NULL)
            rows->first = chunk;
        else
            rows->last->next = chunk;
        rows->last = chunk;
    }
    uint8_t *row = chunk->data + chunk->used;
    store_u32le(row, (uint32_t)len);
    chunk->used += LENGTH + len;
    return row + LENGTH;
}

bool staging_next(const struct staged_rows *rows, struct staging_cursor *cursor, struct slice *row)
{
    if (cursor->chunk == NULL)
        cursor->chunk = rows->first;
    else if (cursor->at == cursor->chunk->used)
        *cursor = (struct staging_cursor){cursor->chunk->next, 0};
    if (cursor->chunk == NULL)
        return false;
    const uint8_t *at = cursor->chunk->data + cursor->at; /* a chunk is there for a row */
    *row = (struct slice){at + LENGTH, load_u32le(at)};
    cursor->at += LENGTH + row->len;
    return true;
}

void staging_give_back(struct staging *s, struct staged_rows *rows)
{
    struct staging_chunk *next;
    for (struct staging_chunk *chunk = rows->first; chunk != NULL; chunk = next) {
        next = chunk->next;
        if (chunk->size != CHUNK_DATA)
            continue; /* the arena's */
        chunk->next = atomic_load_explicit(&s->returned, memory_order_relaxed);
        while (!atomic_compare_exchange_weak_explicit(&s->returned, &chunk->next, chunk,
                                                      memory_order_release, memory_order_relaxed))
            continue;
    }
    *rows = (struct staged_rows){0};
}

/* Free those of a list behind the first `keep`; how many are left to keep. */
static uint64_t free_behind(struct staging *s, struct staging_chunk **list, uint64_t keep)
{
    for (; *list != NULL && keep > 0; keep--)
        list = &(*list)->next;
    while (*list != NULL) {
        struct staging_chunk *chunk = *list;
        *list = chunk->next;
        account_free(s->account, chunk, STAGING_CHUNK);
    }
    return keep;
}

void staging_trim(struct staging *s)
{
    struct staging_chunk *returned =
        atomic_exchange_explicit(&s->returned, NULL, memory_order_acquire);
    uint64_t keep = free_behind(s, &s->idle, s->taken);
    (void)free_behind(s, &returned, keep);
    struct staging_chunk **last = &s->idle;
    while (*last != NULL)
        last = &(*last)->next;
    *last = returned;
    s->taken = 0;
}

void staging_free(struct staging *s)
{
    s->taken = 0;
    staging_trim(s);
}

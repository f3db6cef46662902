/* SPDX-License-Identifier: MIT */
#include "store/staging.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/num.h"

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

void staging_init(struct staging *s, struct account *account)
{
    *s = (struct staging){.account = account};
    ASSERT(pthread_mutex_init(&s->lock, NULL) == 0);
}

/* One more of those that `count` counts. */
static struct staging_chunk *take_idle(struct staging *s, uint64_t *count)
{
    ASSERT(pthread_mutex_lock(&s->lock) == 0);
    struct staging_chunk *chunk = s->idle;
    if (chunk != NULL) {
        s->idle = chunk->next;
        s->idle_count--;
    }
    ++*count;
    ASSERT(pthread_mutex_unlock(&s->lock) == 0);
    return chunk != NULL ? chunk : account_resize(s->account, NULL, 0, STAGING_CHUNK);
}

static void append_chunk(struct staged_rows *rows, struct staging_chunk *chunk)
{
    if (rows->last == NULL)
        rows->first = chunk;
    else
        rows->last->next = chunk;
    rows->last = chunk;
}

static struct staging_chunk *new_chunk(struct staging *s, const struct staging_chunk *last,
                                       struct arena *arena, size_t least)
{
    size_t size = last == NULL ? STAGING_FIRST : last->size * GROWTH;
    if (size < least)
        size = least;
    bool whole = size > STAGING_SMALL_MAX;
    struct staging_chunk *chunk =
        whole ? take_idle(s, &s->taken) : arena_alloc(arena, sizeof(*chunk) + size);
    *chunk = (struct staging_chunk){.size = whole ? CHUNK_DATA : size};
    return chunk;
}

uint8_t *staging_add(struct staging *s, struct staged_rows *rows, struct arena *arena, size_t len)
{
    ASSERT(len <= STAGING_ROW_MAX);
    struct staging_chunk *chunk = rows->last;
    if (chunk == NULL || chunk->size - chunk->used < LENGTH + len) {
        chunk = new_chunk(s, rows->last, arena, LENGTH + len);
        append_chunk(rows, chunk);
    }
    uint8_t *row = chunk->data + chunk->used;
    store_u32le(row, (uint32_t)len);
    chunk->used += LENGTH + len;
    return row + LENGTH;
}

uint8_t *staging_room(struct staging *s, struct staged_rows *bytes, size_t *len)
{
    struct staging_chunk *chunk = bytes->last;
    if (chunk == NULL || chunk->used == chunk->size) {
        chunk = take_idle(s, &s->lent);
        *chunk = (struct staging_chunk){.size = CHUNK_DATA};
        append_chunk(bytes, chunk);
    }
    uint8_t *room = chunk->data + chunk->used;
    *len = (size_t)num_least_u64(*len, chunk->size - chunk->used);
    chunk->used += *len;
    return room;
}

uint64_t staging_memory(const struct staged_rows *bytes)
{
    uint64_t memory = 0;
    for (const struct staging_chunk *chunk = bytes->first; chunk != NULL; chunk = chunk->next)
        memory += STAGING_CHUNK;
    return memory;
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
    if (rows->first == NULL)
        return;
    ASSERT(pthread_mutex_lock(&s->lock) == 0);
    for (struct staging_chunk *chunk = rows->first; chunk != NULL; chunk = next) {
        next = chunk->next;
        if (chunk->size != CHUNK_DATA)
            continue; /* the arena's */
        chunk->next = s->idle;
        s->idle = chunk;
        s->idle_count++;
    }
    ASSERT(pthread_mutex_unlock(&s->lock) == 0);
    *rows = (struct staged_rows){0};
}

/* Free idle memory but `keep` chunks. */
static void free_idle(struct staging *s, uint64_t keep)
{
    while (s->idle_count > keep) {
        struct staging_chunk *chunk = s->idle;
        s->idle = chunk->next;
        s->idle_count--;
        account_free(s->account, chunk, STAGING_CHUNK);
    }
}

void staging_trim(struct staging *s)
{
    ASSERT(pthread_mutex_lock(&s->lock) == 0);
    free_idle(s, s->taken + s->lent);
    s->taken = s->lent = 0;
    ASSERT(pthread_mutex_unlock(&s->lock) == 0);
}

uint64_t staging_idle(struct staging *s)
{
    ASSERT(pthread_mutex_lock(&s->lock) == 0);
    uint64_t bytes = s->idle_count * STAGING_CHUNK;
    ASSERT(pthread_mutex_unlock(&s->lock) == 0);
    return bytes;
}

void staging_free_idle(struct staging *s)
{
    ASSERT(pthread_mutex_lock(&s->lock) == 0);
    free_idle(s, 0);
    ASSERT(pthread_mutex_unlock(&s->lock) == 0);
}

void staging_free(struct staging *s)
{
    staging_free_idle(s);
    ASSERT(pthread_mutex_destroy(&s->lock) == 0);
}

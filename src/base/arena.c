/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/account.h"
#include "base/assert.h"

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes of `data` */
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

enum {
    FIRST_BLOCK = 4096,
    /* Blocks double up to this; beyond it, one that is needed is as large as it has to be. */
    GROWN_BLOCK = 1024 * 1024,
};

static void add_block(struct arena *a, size_t size)
{
    size_t grown = a->blocks == NULL ? FIRST_BLOCK : a->blocks->size * 2;
    if (grown > GROWN_BLOCK)
        grown = GROWN_BLOCK;
    if (size < grown)
        size = grown;
    struct arena_block *block = account_resize(a->account, NULL, 0, sizeof(*block) + size);
    *block = (struct arena_block){.next = a->blocks, .size = size};
    a->blocks = block;
}

static void free_block(struct arena *a, struct arena_block *block)
{
    account_free(a->account, block, sizeof(*block) + block->size);
}

void *arena_alloc(struct arena *a, size_t size)
{
    ASSERT(size <= SIZE_MAX / 4);
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (a->blocks == NULL || size > a->blocks->size - a->blocks->used)
        add_block(a, size);
    void *data = a->blocks->data + a->blocks->used;
    a->blocks->used += size;
    a->used += size;
    return data;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
    ASSERT(size == 0 || count <= SIZE_MAX / 4 / size);
    void *data = arena_alloc(a, count * size);
    return memset(data, 0, count * size);
}

char *arena_text(struct arena *a, const void *data, size_t len)
{
    char *text = arena_alloc(a, len + 1);
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    return text;
}

size_t arena_memory(const struct arena *a)
{
    size_t bytes = 0;
    for (const struct arena_block *block = a->blocks; block != NULL; block = block->next)
        bytes += sizeof(*block) + block->size;
    return bytes;
}

void arena_reset(struct arena *a)
{
    if (a->blocks == NULL)
        return;
    struct arena_block *largest = a->blocks;
    struct arena_block *rest = largest->next;
    while (rest != NULL) {
        struct arena_block *next = rest->next;
        if (rest->size > largest->size) {
            free_block(a, largest);
            largest = rest;
        } else {
            free_block(a, rest);
        }
        rest = next;
    }
    largest->next = NULL;
    largest->used = 0;
    a->blocks = largest;
    a->used = 0;
}

void arena_free(struct arena *a)
{
    arena_reset(a);
    if (a->blocks != NULL)
        free_block(a, a->blocks);
    *a = (struct arena){.account = a->account};
}

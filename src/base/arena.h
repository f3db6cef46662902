/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_ARENA_H
#define VARVE_BASE_ARENA_H

#include <stddef.h>

/*
 * A bump allocator for what lives and dies together: the scratch of one message, the metadata of
 * one file. A zeroed struct is an empty arena that is not counted; an `account` may be set while it
 * holds no memory. Pointers stay valid until arena_reset or arena_free.
 */
struct account;
struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* bytes handed out since the last reset */
    struct account *account;    /* see base/account.h */
};

/* `size` bytes, aligned for any type, not zeroed. Never NULL: see out_of_memory. */
void *arena_alloc(struct arena *a, size_t size);

/* `count` elements of `size` bytes, zeroed. A product that overflows is a failed ASSERT: bound
 * `count` first. */
void *arena_calloc(struct arena *a, size_t count, size_t size);

/* A NUL-terminated copy of `len` bytes. */
char *arena_text(struct arena *a, const void *data, size_t len);

/* Bytes of memory held, used or not. */
size_t arena_memory(const struct arena *a);

/* Take everything back; the largest block is kept for the next round. */
void arena_reset(struct arena *a);

void arena_free(struct arena *a);

#endif

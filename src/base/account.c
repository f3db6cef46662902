/* SPDX-License-Identifier: MIT */
#include "base/account.h"

#include <stdlib.h>

#include "base/assert.h"

uint64_t account_bytes(const struct account *a)
{
    return a == NULL ? 0 : atomic_load_explicit(&a->bytes, memory_order_relaxed);
}

void account_add(struct account *a, uint64_t bytes)
{
    for (; a != NULL; a = a->parent)
        (void)atomic_fetch_add_explicit(&a->bytes, bytes, memory_order_relaxed);
}

void account_remove(struct account *a, uint64_t bytes)
{
    for (; a != NULL; a = a->parent)
        ASSERT(atomic_fetch_sub_explicit(&a->bytes, bytes, memory_order_relaxed) >= bytes);
}

void *account_alloc(struct account *a, size_t count, size_t size)
{
    ASSERT(size > 0 && count > 0 && count <= SIZE_MAX / 4 / size);
    void *memory = calloc(count, size);
    if (memory == NULL)
        out_of_memory(count * size);
    account_add(a, count * size);
    return memory;
}

void *account_resize(struct account *a, void *memory, size_t old, size_t size)
{
    ASSERT(size > 0 && size <= SIZE_MAX / 4);
    void *resized = realloc(memory, size);
    if (resized == NULL)
        out_of_memory(size);
    if (size > old)
        account_add(a, size - old);
    else
        account_remove(a, old - size);
    return resized;
}

void account_free(struct account *a, void *memory, size_t size)
{
    free(memory);
    account_remove(a, size);
}

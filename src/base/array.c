/* SPDX-License-Identifier: MIT */
#include "base/array.h"

#include <stdint.h>

#include "base/assert.h"

enum { FIRST_ELEMENTS = 8 };

void *array_grow(void *list, size_t *cap, size_t count, size_t more, size_t size,
                 struct account *account)
{
    if (more <= *cap - count)
        return list;
    ASSERT(count <= *cap && more <= SIZE_MAX / 4 / size - count);
    size_t grown = *cap < FIRST_ELEMENTS ? FIRST_ELEMENTS : *cap * 2;
    if (grown < count + more)
        grown = count + more;
    list = account_resize(account, list, *cap * size, grown * size);
    *cap = grown;
    return list;
}

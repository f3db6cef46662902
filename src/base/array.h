/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_ARRAY_H
#define VARVE_BASE_ARRAY_H

#include <stddef.h>

#include "base/account.h"

/*
 * A growing array of one type, either a member (ARRAY(struct file *) files;) or all of a struct:
 *
 *     struct versions {
 *         ARRAY(uint64_t);
 *     };
 *
 * Zeroed it is empty and not counted; `account` may be set while it holds no memory. Elements are
 * read and changed as `list[i]`, i < count, and dropped by setting `count`; growing moves them. The
 * macros evaluate `array`, a pointer, more than once.
 */
#define ARRAY(type)                                       \
    struct {                                              \
        type *list;                                       \
        size_t count;                                     \
        size_t cap;                                       \
        struct account *account; /* see base/account.h */ \
    }

/* Make room for `more` elements behind the last one. */
#define array_reserve(array, more)                                                           \
    ((void)((array)->list = array_grow((array)->list, &(array)->cap, (array)->count, (more), \
                                       sizeof(__typeof__(*(array)->list)), (array)->account)))

/* A pointer to a new last element, which is not initialised. Valid until the next one is added. */
#define array_add(array) (array_reserve(array, 1), &(array)->list[(array)->count++])

/* Give the memory back. The array is empty and usable afterwards, with the same account. */
#define array_free(array)                                             \
    (account_free((array)->account, (array)->list,                    \
                  (array)->cap * sizeof(__typeof__(*(array)->list))), \
     (array)->list = NULL, (array)->count = (array)->cap = 0)

/* The list with room for `more` elements of `size` bytes behind the first `count`; *cap follows. It
 * grows by doubling; a size that overflows is a failed ASSERT: bound what comes from outside. */
void *array_grow(void *list, size_t *cap, size_t count, size_t more, size_t size,
                 struct account *account);

#endif

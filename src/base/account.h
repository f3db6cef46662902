/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_ACCOUNT_H
#define VARVE_BASE_ACCOUNT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Memory, counted where it is allocated. Buffers, arenas, maps and arrays carry a pointer to the
 * account that their memory is booked to; whoever makes them sets it while they are empty. Without
 * one (NULL) nothing is counted. Memory goes back to the account that it came from, whoever gives
 * it back: a struct that is handed on takes its account along.
 *
 * A zeroed struct is an account without memory and without parent. Any thread may book; the numbers
 * are exact, but two that are read one after the other need not be of the same moment. An account
 * must outlive everything that is booked to it.
 */
struct account {
    _Atomic uint64_t bytes;
    struct account *parent; /* its bytes include these; NULL: none. Set before anything is booked */
};

/* Bytes that are held now, by this account and all below it. `a` may be NULL: 0. */
uint64_t account_bytes(const struct account *a);

/* Book what was allocated, or given back, by other means (a library's own allocator). */
void account_add(struct account *a, uint64_t bytes);
void account_remove(struct account *a, uint64_t bytes);

/*
 * Zeroed memory for `count` elements of `size` bytes, together at least one byte; never NULL. To be
 * given back by account_free, to the same account. Sizes are bounded by named limits before they
 * come here: a product that overflows is a failed ASSERT, memory that can't be had ends the process
 * (out_of_memory).
 */
void *account_alloc(struct account *a, size_t count, size_t size)
    __attribute__((malloc, returns_nonnull));

/* Make a piece of `old` bytes (NULL and 0: none yet) one of `size` bytes, at least one. Bytes
 * behind the old ones are not zeroed. */
void *account_resize(struct account *a, void *memory, size_t old, size_t size)
    __attribute__((returns_nonnull));

/* Give back a piece of `size` bytes. `memory` may be NULL; `size` is then 0. */
void account_free(struct account *a, void *memory, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_MAP_H
#define VARVE_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Distinct byte strings, numbered 0, 1, 2... in the order in which they were added. A zeroed struct
 * is an empty map that is not counted; an `account` may be set while it holds no memory. Keys come
 * from the network, so the hash is seeded per process.
 *
 * The keys are kept as PLAIN Parquet BYTE_ARRAY values (u32 little-endian length, then the bytes)
 * in one buffer, in order: the body of a dictionary page.
 */
struct map_slot {
    uint32_t hash;
    uint32_t index; /* number of the key + 1; 0 is an empty slot */
};

struct map {
    struct map_slot *slots;
    uint32_t mask;    /* number of slots - 1, a power of two less one; 0 without memory */
    uint32_t count;   /* keys */
    struct buf keys;  /* the keys in PLAIN form */
    uint32_t *starts; /* where each key begins in `keys` */
    uint32_t starts_cap;
    struct account *account; /* see base/account.h */
};

enum {
    /* More keys than this are refused with an ASSERT: the starts and indexes are 32 bits wide. The
     * largest user, a Parquet dictionary, gives up far below. */
    MAP_KEYS_MAX = 1 << 24,
};

/* The number of `key`, adding it if it is new (*added says so). Keys are at most 64 MiB. */
uint32_t map_put(struct map *m, struct slice key, bool *added);

/* The number of `key`, or -1. */
int64_t map_find(const struct map *m, struct slice key);

/* The key with this number, valid until the next map_put. */
struct slice map_key(const struct map *m, uint32_t index);

/* Forget the keys, keep the memory. */
void map_reset(struct map *m);
void map_free(struct map *m);

/* The seeded 64-bit hash of some bytes. */
uint64_t map_hash(struct slice key);

/* A hash of 128 bits with a seed of the caller's, for who takes equal hashes for equal bytes: of n
 * keys two collide with a chance of some n * n / 2^129. It is the same on each machine. */
void map_hash_wide(uint64_t seed, struct slice key, uint64_t out[static 2]);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_RANDOM_H
#define VARVE_TESTS_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* All chance of a history (splitmix64): the same seed, the same history. Each part of the world has
 * a generator of its own, so that a change in one does not stir up the others. */
struct sim_random {
    uint64_t state;
};

static inline uint64_t sim_random_next(struct sim_random *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 to limit - 1. */
static inline uint64_t sim_random_below(struct sim_random *r, uint64_t limit)
{
    return limit == 0 ? 0 : sim_random_next(r) % limit;
}

/* Both ends are possible. */
static inline int64_t sim_random_between(struct sim_random *r, int64_t low, int64_t high)
{
    return low + (int64_t)sim_random_below(r, (uint64_t)(high - low) + 1);
}

/* True `permille` times out of 1000. */
static inline bool sim_random_chance(struct sim_random *r, uint64_t permille)
{
    return sim_random_below(r, 1000) < permille;
}

#endif

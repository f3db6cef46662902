/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_CLOCK_H
#define VARVE_BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What time it is, for the whole program: nothing else asks the system. A simulation puts a clock
 * of its own in the system's place.
 */

/* Nanoseconds in a second and a millisecond. */
#define CLOCK_SECOND INT64_C(1000000000)
#define CLOCK_MILLISECOND INT64_C(1000000)

/* Nanoseconds since some fixed point; never steps. All deadlines are in this time, and INT64_MAX is
 * never. */
int64_t clock_monotonic(void);

/* Nanoseconds since 1970 UTC; may step. For what people and files see, never for deadlines. */
int64_t clock_wall(void);

/* Of two deadlines the first. */
static inline int64_t clock_earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Another clock. Both functions are called by any thread and get `context`. */
struct clock {
    int64_t (*monotonic)(void *context);
    int64_t (*wall)(void *context);
    void *context;
};

/* Use this clock, which is borrowed, from now on; NULL: the system's. Times of one mean nothing to
 * another, so replace it before anything is begun. For one thread, while no other runs. */
void clock_replace(const struct clock *clock);

/* Do nothing for so long, in the system's time. */
void clock_sleep(int64_t ns);

/* A condition that clock_wait_until can wait for. */
void clock_condition_init(pthread_cond_t *condition);

/* Wait for the condition, at most until `deadline`; false if that has passed. The wait itself is in
 * the system's time: a program under another clock runs no threads that wait. */
bool clock_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline);

#endif

/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "base/assert.h"

static const struct clock *replacement;

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    ASSERT(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

void clock_replace(const struct clock *clock)
{
    replacement = clock;
}

int64_t clock_monotonic(void)
{
    if (replacement != NULL)
        return replacement->monotonic(replacement->context);
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall(void)
{
    if (replacement != NULL)
        return replacement->wall(replacement->context);
    return read_clock(CLOCK_REALTIME);
}

void clock_sleep(int64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / CLOCK_SECOND),
                            .tv_nsec = (long)(ns % CLOCK_SECOND)};
    while (nanosleep(&left, &left) != 0)
        ASSERT(errno == EINTR);
}

void clock_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    ASSERT(pthread_condattr_init(&attributes) == 0);
    ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_cond_init(condition, &attributes) == 0);
    ASSERT(pthread_condattr_destroy(&attributes) == 0);
}

bool clock_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline)
{
    struct timespec until = {.tv_sec = (time_t)(deadline / CLOCK_SECOND),
                             .tv_nsec = (long)(deadline % CLOCK_SECOND)};
    int result = pthread_cond_timedwait(condition, lock, &until);
    ASSERT(result == 0 || result == ETIMEDOUT);
    return result == 0;
}

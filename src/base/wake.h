/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_WAKE_H
#define VARVE_BASE_WAKE_H

#include <stdint.h>
#include <unistd.h>

/* From another thread: have the loop, which waits for this eventfd among others, take a turn. */
static inline void wake_loop(int eventfd)
{
    /* The counter can't be full, and one wake-up is as good as two. */
    ssize_t written = write(eventfd, &(uint64_t){1}, sizeof(uint64_t));
    (void)written;
}

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_CLOCK_H
#define VARVE_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds in a second and a millisecond. */
#define CLOCK_SECOND INT64_C(1000000000)
#define CLOCK_MILLISECOND INT64_C(1000000)

/* Nanoseconds since some fixed point; never steps. All deadlines are in this time. */
int64_t clock_monotonic(void);

/* Nanoseconds since 1970 UTC; may step. For what people and files see, never for deadlines. */
int64_t clock_wall(void);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_PROCESS_H
#define VARVE_WATCH_PROCESS_H

#include <stdint.h>

/* What the system knows about this process; 0 where it does not say. */
struct process_usage {
    double cpu_seconds;
    uint64_t resident_bytes;
    uint64_t open_descriptors, max_descriptors;
};

struct process_usage process_usage(void);

#endif

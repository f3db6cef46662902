/* SPDX-License-Identifier: MIT */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *condition, const char *file, int line, const char *function)
{
    (void)fprintf(stderr, "varve: internal error: %s:%d: %s: %s does not hold\n", file, line,
                  function, condition);
    abort();
}

void out_of_memory(unsigned long bytes)
{
    (void)fprintf(stderr,
                  "varve: out of memory: %lu bytes could not be allocated; lower memory_limit or "
                  "batching.max_bytes\n",
                  bytes);
    exit(1);
}

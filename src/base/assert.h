/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_ASSERT_H
#define VARVE_BASE_ASSERT_H

/*
 * An assertion that stays on in release builds: for what can't happen unless varve itself is wrong.
 * Never for input, however hostile. Stopping is safe at any point: what is not committed is not
 * acked, and comes back.
 */
#define ASSERT(condition) \
    ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__, __func__))

_Noreturn void assert_failed(const char *condition, const char *file, int line,
                             const char *function);

/* The process can't get memory that it is entitled to by its own accounting. Says so and exits 1.
 */
_Noreturn void out_of_memory(unsigned long bytes);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CONFIG_COMPARE_H
#define VARVE_CONFIG_COMPARE_H

#include "config/config.h"

/*
 * Call `visit` with the path of each key whose values differ, such as "batching.max_age" or
 * "sources[1].stream"; with "sources" if there are more or fewer of them. Both are finished. The
 * path is borrowed for the call.
 */
void config_compare(const struct config *a, const struct config *b,
                    void (*visit)(void *context, const char *path), void *context);

#endif

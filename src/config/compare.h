/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CONFIG_COMPARE_H
#define VARVE_CONFIG_COMPARE_H

#include "config/config.h"
#include "config/keys.h"

/* Takes the path of a key such as "batching.max_age" or "sources[1].stream", borrowed for the call,
 * and what it takes to change it. */
typedef void config_visit(void *context, const char *path, enum config_change change);

/* Call `visit` for each key whose values differ; with "sources" if there are more or fewer of them.
 * Both are finished. */
void config_compare(const struct config *a, const struct config *b, config_visit *visit,
                    void *context);

#endif

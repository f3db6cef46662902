/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_QUALITY_PRINT_H
#define VARVE_CLI_QUALITY_PRINT_H

#include "quality/quality.h"

/* Print what there is to know, as one reads it in a minute, or as one JSON object a simulation.
 * Returns how many findings there are. */
uint64_t quality_print(const struct quality *q, const char *path, bool json);

#endif

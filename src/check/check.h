/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CHECK_CHECK_H
#define VARVE_CHECK_CHECK_H

#include "config/config.h"
#include "check/report.h"

/* Can this configuration, this server and this disk keep the promise? Nothing is changed: no
 * consumer is made, no directory, no event is taken. `config` is finished and linted. */

/* What follows from the configuration alone. */
void check_config(struct check_report *r, const struct config *config);

/* All the rest: takes seconds, more where a server does not answer. */
void check_live(struct check_report *r, const struct config *config);

#endif

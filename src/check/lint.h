/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CHECK_LINT_H
#define VARVE_CHECK_LINT_H

#include "base/err.h"
#include "config/config.h"

/* Check what a finished configuration can't judge by itself, since the protocol or the store says
 * what is right: URLs, names, subjects, the template; and that dead letters don't come back.
 * ERR_USAGE that begins with the key. */
int lint_config(const struct config *c, struct err *err) __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_REBUILD_H
#define VARVE_FOLLOW_REBUILD_H

#include "base/err.h"

/*
 * Tables that are made anew in a directory (anew.h does it in a bucket), beside the old ones: below
 * `<target>/.restart`, where no event type has its folder, and then each in the place of the old
 * one, at once. Readers see the old table or the new one; those who have the old one open find its
 * files gone, and begin again.
 */

/* Where they are made, emptied of what an earlier attempt has left; to be freed by the caller. NULL
 * on errors: ERR_UNSUPPORTED for a target where folders can't change places. */
char *follow_rebuild_begin(const char *target, struct err *err) __attribute__((warn_unused_result));

/* Put the new tables in the place of the old ones, durably, and remove these. A table that has no
 * new one stays. May be interrupted: some are new then, and all are whole. */
int follow_rebuild_end(const char *target, const char *beside, struct err *err)
    __attribute__((warn_unused_result));

#endif

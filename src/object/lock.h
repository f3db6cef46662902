/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_LOCK_H
#define VARVE_OBJECT_LOCK_H

#include "base/err.h"
#include "object/system.h"

/*
 * Lock a directory for this process: the file "lock" in it is made and locked. Returns its
 * descriptor; closing it, or the end of the process however it comes, gives the lock back. The file
 * stays, and says who had it last. ERR_REFUSED, naming `where` and the process, if another one has
 * it.
 */
int store_lock(const struct store_system *system, int dir, const char *where, struct err *err)
    __attribute__((warn_unused_result));

#endif

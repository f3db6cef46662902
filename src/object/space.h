/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_SPACE_H
#define VARVE_OBJECT_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "object/system.h"

/*
 * How much room a directory's file system has, asked by a thread of its own: where the disk behind
 * it hangs, as NFS does, so does the question, and who wants to know must not wait with it.
 */
#define SPACE_UNKNOWN UINT64_MAX

struct space;

/* Ask once, and start the thread unless `threaded` is false: then space_ask asks by itself. */
struct space *space_new(const char *root, const struct system *system, bool threaded,
                        struct err *err) __attribute__((warn_unused_result));

/* Have it asked again, soon. Does not wait. */
void space_ask(struct space *space);

/* Bytes that can still be written, as last heard; SPACE_UNKNOWN where the file system can't tell,
 * or the question failed: the next commit will say what is wrong. Any thread. */
uint64_t space_bytes(struct space *space);

/* Accepts NULL. A thread that still waits for an answer is left behind. */
void space_free(struct space *space);

#endif

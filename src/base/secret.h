/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_SECRET_H
#define VARVE_BASE_SECRET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Read a regular file of at most `max` bytes into `out`, which was empty: its memory never moves,
 * so that no copy of a secret is left behind, and has room for a byte more. A pipe that nobody
 * writes to holds nobody up. `mode` may be NULL. The error says why, not which file: its caller
 * knows what it is to the user. `out` is to be freed in any case, by secret_free where it is
 * secret.
 */
int secret_read(const char *path, size_t max, struct buf *out, mode_t *mode, struct err *err)
    __attribute__((warn_unused_result));

/* Whether a file of this mode can be read, or changed, by whom it should not. Its group may read
 * it: that is how systemd and Kubernetes let a service have its files. */
bool secret_is_exposed(mode_t mode);

/* Overwrite, in a way that no compiler leaves out, and free. */
void secret_free(struct buf *b);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_CONFINE_H
#define VARVE_CLI_CONFINE_H

#include <stdbool.h>

#include "config/config.h"

/*
 * What each command needs, as a sandbox (base/sandbox.h). This is the one place that names folders
 * and ports; base/sandbox_calls.c names the system calls. A key of the configuration whose name
 * ends in _file needs no line here: the folder of its file may be read.
 */

/* What was done for `varve run`, to be logged once the log has begun. A zeroed struct is empty. */
struct confinement {
    bool entered;
    struct buf lacking;  /* see confine_lacking; inside of the sandbox nobody can tell any more */
    struct buf connects; /* in words */
};

/* Make the output directory, and confine `varve run` to what `config`, which is finished, asks for;
 * `file` is where it came from, or NULL. ERR_SYSTEM if the directory can't be made; ERR_USAGE if
 * the configuration insists on what the kernel can't do. */
int confine_run(const struct config *config, const char *file, struct confinement *out,
                struct err *err) __attribute__((warn_unused_result));

/* Say in the log what holds. */
void confine_log(const struct confinement *confinement);
void confinement_free(struct confinement *confinement);

/* Confine a command to reading these files and folders and to what it has open, as far as the
 * kernel can; with `server`, how it is reached, also to asking a NATS server. */
int confine_reading(char *const *paths, int count, const struct config *server, struct err *err)
    __attribute__((warn_unused_result));

/* The same for one that changes the store at *path, or only looks at it. ERR_SYSTEM if there is
 * none. */
int confine_to_store(char *const *path, bool only_looks, struct err *err)
    __attribute__((warn_unused_result));

/* The same for a process that follows the store of `config`; NULL: that only writes to it. Targets
 * that are folders are made. */
int confine_following(const struct config *config, const struct config_follower *follower,
                      struct err *err) __attribute__((warn_unused_result));

/* Say what of the sandbox for `config` the kernel can't do; empty if it can do all. False if
 * `varve run` would refuse to start for it. */
bool confine_lacking(const struct config *config, struct buf *out);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_AHEAD_H
#define VARVE_DRAIN_AHEAD_H

#include <stdbool.h>

#include "base/errand.h"
#include "drain/login.h"
#include "drain/secure.h"

/*
 * The files that a connection needs, read on a thread: where they lie on a network that hangs, so
 * does that one, and not the loop. A zeroed struct reads on the thread that asks.
 */
struct ahead {
    bool threaded;
    struct waker waker;
    struct errand *errand;      /* NULL: nothing is read, or was */
    struct secret_files *files; /* belong to it */
};

/* Begin, unless it is under way, for a connection to `url`. False: there is nothing to be read. */
bool ahead_begin(struct ahead *a, struct login *login, const struct secure *secure,
                 const struct nats_url *url);

/* Whether all is read. */
bool ahead_is_done(const struct ahead *a);

/* What reads such a file on this thread, from now on until secret_read_from(NULL), gets it from
 * here. Where nothing was read ahead, from the file system. */
void ahead_use(const struct ahead *a);

/* Overwrite what was read; with `all`, forget what is read still, too. */
void ahead_forget(struct ahead *a, bool all);

#endif

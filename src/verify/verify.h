/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_VERIFY_H
#define VARVE_VERIFY_VERIFY_H

#include <stdbool.h>

#include "base/err.h"
#include "config/config.h"

/* `varve verify`: is all of it there, once, and undamaged? Nothing is changed anywhere. */
struct verify_options {
    bool json;           /* the report is JSON */
    bool progress;       /* on the standard error */
    const char *run;     /* only what is written down of this run, and its files; NULL: all */
    bool deep;           /* also read what an object store vouches for, see below */
    const char *against; /* another table, all of which has to be in the one that is verified */
    bool allow_gaps;     /* sequences of which nobody knows anything may be missing */
    /* How to reach a server to compare with, finished; NULL: none. Borrowed. */
    const struct config *server;
    void (*failed)(const struct err *err); /* something could not be looked at, and why */
};

/*
 * Verify files, folders and tables, and write the report to the standard output. A folder is judged
 * as a whole: by its Delta log, where it has one, and by the sequences of all rows in it. A file in
 * a bucket is not read if the store has its SHA-256 and the log has the same, with its rows and
 * sequences; unless `deep`, `server` or `run` want its rows. Returns 0 if everything could be
 * looked at and nothing was found, else 1.
 */
int verify_paths(const struct verify_options *options, char *const *paths, int count);

#endif

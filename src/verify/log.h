/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_LOG_H
#define VARVE_VERIFY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "batch/seqset.h"
#include "verify/report.h"

/* What verify knows of a file below ROOT. */
struct verified_file {
    const char *relative; /* to ROOT */
    uint64_t size;
    uint64_t rows;
    bool readable; /* rows and sequences are known */
    bool quarantine;
    char *sequences; /* as text, the way varve.sequences has them; NULL: too many */
};

/*
 * Compare the commit log in ROOT/_delta_log with the files: each file that the log adds is there,
 * with its size, rows and sequences; each file that is there is in the log. Call it last, so that
 * commits that went on meanwhile are in the log; what they added after the files were listed is
 * looked at on the disk, by size. A commit that was interrupted, and that the next start of varve
 * will finish, is no finding. `files` are in the bytewise order of `relative`.
 */
void verify_log(const char *root, struct verified_file *files, size_t count, struct report *report);

/* True if there is such a log. */
bool verify_log_exists(const char *root);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_AGAINST_H
#define VARVE_VERIFY_AGAINST_H

#include "base/err.h"
#include "verify/report.h"

/*
 * Whether a table, such as an archive, has all that another one has: each file with the bytes that
 * were committed (by the hashes in both logs; that the files of `archive` are what its log says is
 * told by the rest of verify), or each of its rows, in whatever files, with equal values of the
 * events' columns. Where another engine has mixed rows of several streams in either table, a row is
 * looked for by all its values, whatever stream it is of. What it has besides is fine. Findings are
 * of the kind "against", and name the sequence and the file of `root`. An error: it could not be
 * compared.
 */
int verify_against(const char *archive, const char *root, struct report *report, struct err *err)
    __attribute__((warn_unused_result));

#endif

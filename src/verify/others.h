/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_OTHERS_H
#define VARVE_VERIFY_OTHERS_H

#include "batch/seqset.h"
#include "verify/table.h"

/* What other engines have made of a table. */

/* Report what its log has that varve or other engines can't read: files that lie elsewhere, and a
 * hint to a checkpoint that is not there. The log is open. */
void verify_others_judge(const struct verify_table *t);

/*
 * Take out of `rows`, those of a file without tags, what no event can be: another engine has
 * appended rows with numbers that the stream had not reached, and they make no gap in front of
 * them. It is noted. The table is of one generation.
 */
void verify_others_cut(const struct verify_table *t, const char *relative, struct seqset *rows);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_HISTORY_H
#define VARVE_VERIFY_HISTORY_H

#include "verify/positions.h"
#include "verify/sequences.h"
#include "verify/table.h"
#include "verify/tree.h"

/*
 * What the entries before the checkpoint say, and no checkpoint keeps: dead letters, rows that
 * somebody has taken out since, files of the quarantine. There is an entry for each commit of a
 * month or more, so they are read where there is something to explain by them, and not else.
 */

/* Whether that is clear from the log and the list of files: some are in the quarantine, or another
 * engine has written some, of which the generations of the streams tell whose rows they have. */
bool history_is_needed(const struct verify_table *t, const struct file_list *list);

/* Whether the live ones of `files` lack a sequence that `claims` count as stored, and that was not
 * expired. Before the files are judged; `s` is sorted. */
bool history_explains(const struct verify_table *t, struct sequences *s,
                      const struct verified_file *files, const struct claims *claims);

/* Read them, once; what is wrong with them is reported as of verify_table_open. Claims are to be
 * read again then. */
void history_read(struct verify_table *t);

#endif

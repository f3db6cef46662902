/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_SNAPSHOT_PART_H
#define VARVE_DELTA_SNAPSHOT_PART_H

#include "base/json.h"
#include "delta/snapshot.h"

/* What the files of the snapshot share: snapshot.c has what any log says, snapshot_commits.c what
 * the entries of varve say of rows and positions, snapshot_load.c reads them. */

/* The generation that a transaction is of: its number, counted from 1; 0: none. A transaction
 * outlives the entries: that the generation is known is known from it. */
uint32_t delta_snapshot_note_app(struct delta_snapshot *s, struct slice app_id);

/* What the tags of an added file, and a commitInfo, say; see delta_snapshot_complete. */
void delta_snapshot_note_tags(struct delta_snapshot *s, const struct delta_map *tags);
int delta_snapshot_note_commit(struct delta_snapshot *s, const struct json *info, struct err *err)
    __attribute__((warn_unused_result));

/* The number of a file in `files`, or -1; removed ones have one, too. */
int64_t delta_snapshot_find(const struct delta_snapshot *s, struct slice path);

/* All of that is void. */
void delta_snapshot_forget_commits(struct delta_snapshot *s);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_ARCHIVE_H
#define VARVE_FOLLOW_ARCHIVE_H

#include "config/config.h"
#include "follow/target.h"

/*
 * The target of kind `archive`: a Delta table of its own, in a directory or a bucket, with what the
 * store has and had. Each entry of the store's log becomes one of the archive's, with the same
 * files under the same names, the same transactions and the same positions of instances, so that
 * the archive can take the place of the store. What a retention removes from the store stays in the
 * archive; what is swapped for other files (compaction) is swapped there, too.
 *
 * The archive's position is a transaction of its commits, "varve-archive:<id of the store's table>"
 * with the number of the last entry that it has. Files are copied before the entry that names them;
 * _delta_log/_varve/%announced.json says which, so that what a crash leaves can be removed. Where
 * entries are gone, or very many, files are compared instead (archive_state.c).
 *
 * One follower at a time writes to an archive, and nobody else.
 */

/* `config` is finished, and borrowed until the target is freed. */
struct follow_target *follow_archive_new(const struct config *config,
                                         const struct config_follower *follower);

/* Have it made anew before anything else is done: each file that the store has, too, is read, and
 * comes again where it is not what would be put there now. What the store has not any more stays.
 * It is a whole table at any moment, also where that is ended before its end. */
void follow_archive_anew(struct follow_target *target);

#endif

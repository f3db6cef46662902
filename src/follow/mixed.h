/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_MIXED_H
#define VARVE_FOLLOW_MIXED_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "delta/follower.h"
#include "follow/reader.h"
#include "object/object.h"

/*
 * Rows of files that do not say whose they are: another engine has merged files of several streams,
 * whose sequences are the same. A commit that only moves rows (dataChange: false) has no new ones:
 * all of them were in files that it takes away. The log names these, and their own tags or footers
 * say whose rows they have. So they are read in the place of what was made of them; VACUUM leaves
 * them for a week. Where all of their rows are there already, they need not be there any more.
 */

/*
 * Take the files that do not say whose rows they have out of the catalogue, but for those of
 * have->merged, which hold nothing new, and put those in, as `chosen`, that they were made of, by
 * the log up to `version`: all with a row that is not in `have`. NULL: all there are.
 * ERR_UNSUPPORTED where it can't be told which rows are new, or where these can't be read any more;
 * ERR_REFUSED soon after *stop (NULL: nobody says so) has become true.
 */
int follow_mixed_resolve(struct follow_catalogue *c, struct object_store *store, uint64_t version,
                         struct delta_follower *have, const atomic_bool *stop, struct err *err)
    __attribute__((warn_unused_result));

/* Note that nothing is new in the files of a snapshot; true if that was not known. */
bool follow_mixed_note(struct delta_follower *have, const struct delta_snapshot *snapshot);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_FOREIGN_H
#define VARVE_DELTA_FOREIGN_H

#include "base/map.h"
#include "delta/action.h"

/*
 * Which files may have rows that another engine has put into the table itself. Its own word for
 * them is dataChange, and that they have no tags of varve. What it makes of such a file later,
 * alone or together with files of varve (OPTIMIZE), is added by an entry that calls nothing in it
 * new: so it is followed from entry to entry. A checkpoint of varve goes on saying it, with
 * dataChange. Zeroed it is empty.
 */
struct delta_foreign {
    struct map paths; /* as in the log, of all that ever were */
    struct map added; /* by the entry that is read: those that have no tags and nothing new */
    bool reading;     /* an entry */
    bool taken;       /* it has removed one of `paths` */
};

/* An action of a checkpoint, or of an entry, between its begin and end. Removals in a checkpoint
 * are of long ago: nothing follows from them. */
void delta_foreign_note(struct delta_foreign *f, const struct delta_action *action);
void delta_foreign_begin(struct delta_foreign *f);

/* How many of `added` are foreign, too: all or none. */
uint32_t delta_foreign_end(struct delta_foreign *f);

bool delta_foreign_has(const struct delta_foreign *f, struct slice path);

void delta_foreign_free(struct delta_foreign *f);

#endif

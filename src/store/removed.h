/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_REMOVED_H
#define VARVE_STORE_REMOVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "delta/action.h"

/*
 * What other engines have done to rows that were stored and acked: DELETE, UPDATE, RESTORE, CREATE
 * OR REPLACE. Such events do not come again, so it is said, by the entries of the log in which that
 * was done. Zeroed, with `instance` set or NULL, it is empty.
 */
struct store_removal {
    uint64_t version; /* of the entry */
    uint64_t files;   /* whose rows it takes away, or changes */
    char *operation;  /* as the entry says it; NULL: it does not */
};

struct store_removed {
    /* Whoever made an entry had read all before it: what is before the newest one of this instance
     * was said when it was read. NULL: say all. */
    const char *instance;
    bool seen; /* an entry of this instance */
    ARRAY(struct store_removal) list;
    /* Of the entry that is read: */
    struct store_removal now;
    bool of_varve; /* retention says of itself what it removes */
    bool own;
};

/* An action of an entry. Entries come in order; where they begin again, the log is read anew. */
void store_removed_note(struct store_removed *r, uint64_t version,
                        const struct delta_action *action);

/* Log what was noted of the table at `root`, and forget it. Whether there was anything. */
bool store_removed_tell(struct store_removed *r, const char *root);
void store_removed_free(struct store_removed *r);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_ANEW_PART_H
#define VARVE_FOLLOW_ANEW_PART_H

#include "base/map.h"
#include "delta/snapshot.h"
#include "follow/anew.h"
#include "object/object.h"

/* Between the files of anew.h. */

#define ANEW_APP "varve-rebuild" /* the transaction; of no instance */
#define ANEW_ENGINE "varve-follow"

/* Other writers may come first each time, but not for ever. */
enum { ANEW_ATTEMPTS = 100 };

/* A table for writing, as the follower opens it; NULL on errors. */
struct object_store *anew_open(const struct follow_anew *a, const char *root, struct err *err)
    __attribute__((warn_unused_result));

/* Files in FOLLOW_ANEW_FOLDER that the table's log remembers to have removed. Zeroed it is empty.
 */
struct anew_gone {
    struct map paths;  /* delta_path_key; its numbers are those of */
    ARRAY(int64_t) at; /* ms since 1970 */
};

/* Of a snapshot; `context` is a struct anew_gone. */
delta_gone anew_note_gone;
void anew_gone_free(struct anew_gone *gone);

/* Step 1; `table` is as it was just before. `schema`: NULL if it is there. *number becomes a
 * greater one, by the table. */
int anew_announce(struct object_store *store, struct delta_snapshot *table,
                  const struct schema *schema, int64_t *number, struct err *err)
    __attribute__((warn_unused_result));

/* The greatest number that a folder has: there may be more of them than the table knows of, where
 * another engine has forgotten the transaction. 0: there is none. */
int anew_greatest(struct object_store *store, int64_t *number, struct err *err)
    __attribute__((warn_unused_result));

/* Of what was begun before `number`, by `table`, which is as new as the entry that began that:
 * remove all, or of what took the place of a table, and may have files of old versions, what makes
 * it a table of its own. `gone` is of `table`. */
int anew_sweep(struct object_store *store, const struct delta_snapshot *table,
               const struct anew_gone *gone, int64_t number, struct err *err)
    __attribute__((warn_unused_result));

/* Steps 3 and 4 of one table. */
int anew_replace(const struct follow_anew *a, const struct follow_anew_table *begun,
                 struct err *err) __attribute__((warn_unused_result));

#endif

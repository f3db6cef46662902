/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_TYPED_KEEP_H
#define VARVE_FOLLOW_TYPED_KEEP_H

#include <stdatomic.h>

#include "base/account.h"
#include "base/array.h"
#include "config/config.h"
#include "delta/snapshot.h"
#include "store/compact.h"
#include "store/keeper.h"
#include "store/retain.h"

/* Typed tables are kept in order as the store is (pipeline/upkeep.c), by what the configuration
 * has for it, on the thread of the follower. */

/* By what; borrowed for as long as tables are kept. */
struct typed_keeping {
    const struct config *config;
    const atomic_bool *stop; /* see struct follow_target */
    struct account *account;
};

/* The keeper of a table. A zeroed struct is none. It must not move while it is one. */
struct typed_keep {
    struct keeper *keeper;
    struct compact_counters compacted; /* nobody shows them yet */
    struct retain_counters retained;
};

/* Keep the table at `root`, which is as `table` says and has the columns of `schema`, or with NULL
 * those of its log. */
void typed_keep_begin(struct typed_keep *k, const struct typed_keeping *how, const char *root,
                      const struct schema *schema, const struct delta_snapshot *table);

/* Do what is due. */
void typed_keep_step(struct typed_keep *k);

/* Also of what is none. */
void typed_keep_end(struct typed_keep *k);

/* Tables of which no row has come since the start: whoever has rows of one has it open, and keeps
 * it. A zeroed list is empty. */
struct typed_idle {
    char *root;
    struct typed_keep keep;
};
typedef ARRAY(struct typed_idle *) typed_idle_list;

/* Add the tables that are below `target`, as it is now; what can't be read is none. */
void typed_idle_find(typed_idle_list *list, const struct typed_keeping *how, const char *target);

/* The table at `root` is idle no more; it may not be in the list. */
void typed_idle_forget(typed_idle_list *list, const char *root);

void typed_idle_free(typed_idle_list *list);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_COMPACT_PLAN_H
#define VARVE_STORE_COMPACT_PLAN_H

#include "base/arena.h"
#include "base/map.h"
#include "store/compact.h"

/* What is to be merged with what; between the files compact*.c. */

/* Files that become one. */
struct compact_bin {
    const struct compact_input *inputs; /* of the folder */
    size_t count;
    char *name; /* of the new file */
    struct compact_output out;
};

struct compact_folder {
    char *folder;                       /* ends with '/' */
    ARRAY(struct compact_input) inputs; /* its small files; by stream, then by sequence */
    ARRAY(struct compact_bin) bins;
    uint32_t files;  /* live ones, small or not */
    int64_t newest;  /* modification of the newest of them, ms since 1970 */
    const char *why; /* it is left alone; NULL: it is not */
};

/* A zeroed struct is empty. */
struct compact_plan {
    struct delta_snapshot table;
    struct arena texts;                     /* of the inputs */
    struct map names;                       /* of folders */
    struct map replaced;                    /* names of objects that are left for a while */
    ARRAY(struct compact_folder *) folders; /* by these numbers */
};

/* Read the table and choose. Folders without bins and `why` stay as they are. */
int compact_plan_make(struct compact_plan *plan, struct object_store *store,
                      const struct compact_options *options, int64_t now, struct err *err)
    __attribute__((warn_unused_result));

void compact_plan_free(struct compact_plan *plan);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_RETAIN_PLAN_H
#define VARVE_STORE_RETAIN_PLAN_H

#include "base/map.h"
#include "store/retain.h"

/* What retain.c removes; between the two files alone. */
struct retain_part {
    uint64_t files, bytes;
    int64_t newest;
    bool chosen;
};

struct retain_order {
    int64_t newest;
    uint32_t part;
};

/* A zeroed struct with `options` is empty. */
struct retain_plan {
    const struct retain_options *options;
    int64_t now;
    struct delta_snapshot table; /* each live file with its path, size and time */
    struct map folders;          /* of delta_path_key; its numbers are those of `parts` */
    ARRAY(struct retain_part) parts;
    ARRAY(struct retain_order) chosen; /* oldest first */
};

/* Read the table and choose partitions. */
int retain_plan_make(struct retain_plan *plan, struct object_store *store, struct err *err)
    __attribute__((warn_unused_result));

/* The folder of a path, as in the log: empty, or ending with '/'. */
struct slice retain_folder(struct slice path);

/* Whether a partition with such a newest row goes for its age. */
bool retain_is_due(const struct retain_plan *plan, int64_t newest);

/* modificationTime of a file as ns. */
int64_t retain_committed(int64_t ms);

/* The time of the newest row of a file, committed at `modified` (ns), by its statistics. */
struct delta_mark retain_newest(const struct retain_options *options, struct slice stats,
                                int64_t modified);

void retain_plan_free(struct retain_plan *plan);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_TREE_H
#define VARVE_VERIFY_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/err.h"

/* Which Parquet files there are: the argument itself, if it is a file; else those below it. */
struct listed_file {
    char *path;           /* as it can be opened: the argument and what is below it */
    const char *relative; /* the part of `path` below the argument; "" for the argument itself */
    bool quarantine;      /* below a folder _quarantine: messages that are no rows of the table */
};

struct file_list {
    ARRAY(struct listed_file); /* in bytewise order of their paths within a folder */
    bool tree;                 /* the argument is a folder */
};

enum {
    /* Deeper folders are an error; the deepest path that varve makes is far shorter. */
    WALK_DEPTH_MAX = 64,
};

/*
 * In a folder, or a bucket: all *.parquet and *.quarantine, but nothing whose name begins with a
 * dot, nothing in _delta_log, and no folder behind a symbolic link. `w` is zeroed; it is for
 * file_list_free even after an error, which names the path.
 */
int file_list_read(struct file_list *w, const char *path, struct err *err)
    __attribute__((warn_unused_result));
void file_list_free(struct file_list *w);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_SERIES_NOTES_H
#define VARVE_FOLLOW_SERIES_NOTES_H

#include "base/array.h"
#include "object/object.h"

/*
 * The files in which a follower notes what a database refused. A fault of every line, day after
 * day, must not fill the disk on which the store is: the oldest files go, which is no loss of rows
 * (these are in the store, and `varve follow --restart` notes them again).
 */
enum {
    /* Of one follower, while a new file is put on top: as many as a bucket names within seconds, at
     * one commit a minute those of a day, */
    SERIES_NOTES_FILES = 1024,
    SERIES_NOTES_BYTES = 64 * 1024 * 1024, /* and far less than `output.min_free` keeps free */
};

struct series_note {
    char *name;
    uint64_t size;
    int64_t modified; /* clock_wall */
};

/* A zeroed struct is empty, and knows nothing of what is there. */
struct series_notes {
    ARRAY(struct series_note) files; /* the oldest first */
    uint64_t bytes;                  /* of them */
    uint64_t removed;                /* files, since the struct was empty */
    bool known;                      /* what is there has been looked at */
};

/* Put a file of this name, in place of one that is there: all of them lie in the same folder. Then
 * remove the oldest of that folder until the others are within bounds. Only that the file can't be
 * put is an error; what can't be removed is logged with `follower`, and tried with the next. */
int series_notes_put(struct series_notes *n, struct object_store *store, const char *follower,
                     const char *name, struct slice text, struct err *err)
    __attribute__((warn_unused_result));

/* Forget what is there, but for the number of files that were removed. */
void series_notes_forget(struct series_notes *n);

#endif

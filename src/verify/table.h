/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_TABLE_H
#define VARVE_VERIFY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/sha256.h"
#include "delta/snapshot.h"
#include "object/object.h"
#include "verify/report.h"

/*
 * What the Delta log of a folder says of its files. The table is judged as it was at one version:
 * that of the newest entry before the files were listed, so that it may grow, and be rewritten by
 * other engines, meanwhile.
 */
enum verify_state {
    VERIFY_LIVE,     /* the table has its rows */
    VERIFY_BESIDE,   /* a commit of varve put it beside the table: messages that are no rows */
    VERIFY_PENDING,  /* of a commit that was interrupted: the next start of varve decides */
    VERIFY_REPLACED, /* an entry removed it: readers of older versions may still want it */
    VERIFY_LATER,    /* an entry that came after all else was read */
    VERIFY_UNKNOWN,  /* no entry that is left names it */
};

/* What verify knows of a file below the folder. */
struct verified_file {
    const char *relative; /* to the folder */
    uint64_t size;
    uint64_t rows;
    bool gone;       /* it was listed, and was not there any more */
    bool readable;   /* rows and sequences are known */
    bool quarantine; /* its rows are no rows of the table */
    bool shared;     /* nobody can tell of which generation of which stream its rows are */
    bool extra;      /* some of its sequences are in no file of the table */
    char *sequences; /* as text, the way varve.sequences has them; NULL: too many. Owned */
    char sha256[SHA256_TEXT_MAX]; /* "": it was not computed */
    enum verify_state state; /* by verify_table_judge; before, and without a log: VERIFY_LIVE */
};

/* A zeroed struct is that of a folder without a log. */
struct verify_table {
    const char *root;
    struct report *report;
    struct object_store *store; /* NULL: the log can't be read, which was reported */
    struct delta_snapshot snapshot;
    bool history;    /* entries before the checkpoint are read, too: see history.h */
    struct map live; /* relative paths of live files; numbers are those of live_files */
    ARRAY(const struct delta_file *) live_files;
    struct map beside;  /* relative paths; numbers are those of snapshot.beside */
    struct map pending; /* relative paths */
};

/* True if the folder has a Delta log. */
bool verify_table_exists(const char *root);

/* Read the log of `root`, which is borrowed as `report` is. What is wrong with it is reported. */
void verify_table_open(struct verify_table *t, const char *root, struct report *report);

/* Bring it up to date, before the files are listed. */
void verify_table_update(struct verify_table *t);

/* Read the entries before the checkpoint as well. */
void verify_table_add_history(struct verify_table *t);

/* The live file with this path, or NULL. */
const struct delta_file *verify_table_live(const struct verify_table *t, const char *relative);

/*
 * Compare the log with the files: each one that is live or beside the table is there, with its
 * size, rows and sequences. Fills in their `state`; the log is read once more, for what has changed
 * since.
 */
void verify_table_judge(struct verify_table *t, struct verified_file *files, size_t count);

/* Accepts a zeroed struct. */
void verify_table_close(struct verify_table *t);

#endif

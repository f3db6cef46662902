/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_ENTRY_H
#define VARVE_DELTA_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "batch/position.h"
#include "batch/schema.h"
#include "delta/snapshot.h"
#include "delta/stats.h"

/*
 * The text of the entries that varve writes: one JSON object a line. The first line is the
 * commitInfo, so that the head of an entry tells whose it is:
 *
 *     {"commitInfo":{..., "varve":{"instance":..., "positions":[...], "deadLetters":[...],
 *                                  "quarantine":[...]}}}
 *     {"txn":{"appId":..., "version":<through>, ...}}       one for each position that moved
 *     {"add":{"path":..., "tags":{"varve.file":<id>, ...}, ...}}      one for each file
 *
 * ("anew":true behind the instance: all that earlier entries say there is void.) "positions" and
 * "deadLetters" are what this entry adds, so that its size is bounded by it; all
 * that was added before is in other places, see durable.h. "quarantine" has the files beside the
 * table. (Delta PROTOCOL.md, "Actions".)
 */
enum {
    /* Ranges that the log keeps of one file, beyond that only first and last: a file of a table
     * with many simulations can have about as many ranges as rows. */
    DELTA_ADD_RANGES_MAX = 256,
};

struct delta_commit_file {
    const char *id;   /* of the staged object; NULL: it has its place already */
    const char *path; /* its name */
    const char *stream, *created;
    const char *sha256;             /* of its bytes, as text; NULL: not known */
    const struct seqset *sequences; /* of its rows; not empty */
    uint64_t rows, size;
    bool beside; /* it is not part of the table */
    const struct store_column_stats *columns;
    size_t column_count; /* 0: nothing is known of them */
};

/* All is borrowed. */
struct delta_commit {
    const char *instance, *engine;
    const struct schema *schema;
    int64_t wall_time;                 /* ns */
    const struct position *positions;  /* of each generation that moved; `above`: what is added */
    const struct seqset *rows_of;      /* of each of them, what is stored; NULL: not known of any */
    const struct seqset *dead_letters; /* of each of them; NULL: none of any */
    size_t position_count;
    const struct delta_commit_file *files;
    size_t file_count;
    bool anew; /* what earlier entries say of positions and rows counts no more */
};

/* Append the entry of a commit. */
void delta_commit_write(struct buf *out, const struct delta_commit *commit);

/* Files that take the place of others, whose rows they have and no more. All is borrowed. */
struct delta_rewrite {
    const char *engine;
    const struct schema *schema;
    int64_t wall_time; /* ns */
    const struct delta_file *const *removed;
    size_t removed_count;
    const struct delta_commit_file *files;
    size_t file_count;
};

/* Append the entry of a rewrite: no row of the table changes by it (dataChange: false). */
void delta_rewrite_write(struct buf *out, const struct delta_rewrite *rewrite);

/*
 * The text of a commit that was interrupted, with the files that it moves to their places. A zeroed
 * struct is empty.
 */
struct delta_move {
    char *id;       /* of the staged object */
    size_t at, len; /* where its path stands in the text, URI-encoded */
    uint64_t size;  /* of its bytes; 0: not known */
    char *sha256;   /* of its bytes, as text; NULL: not known */
};

struct delta_pending {
    struct buf text;
    ARRAY(struct delta_move) moves;
};

/* Find the moves in pending->text, which `instance` wrote. ERR_FORMAT if it did not, or if a path
 * could lead out of the root. */
int delta_pending_parse(struct delta_pending *pending, const char *instance, struct err *err)
    __attribute__((warn_unused_result));

/* Append the path of a move, relative to the root. */
void delta_pending_path(struct buf *out, const struct delta_pending *pending, size_t move);

/* Append an entry that changes nothing: it takes a version of the log from somebody. */
void delta_pending_write_instead(struct buf *out, const char *engine, int64_t wall_time);

/* Give a file another path. */
void delta_pending_set_path(struct delta_pending *pending, size_t move, struct slice path);

void delta_pending_free(struct delta_pending *pending);

#endif

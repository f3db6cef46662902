/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_ENTRY_H
#define VARVE_DELTA_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "batch/position.h"

struct store;
struct store_epoch;

/*
 * The text of an entry of the Delta log: one JSON object a line. The first line of each entry that
 * varve writes is its commitInfo, so that the head of the file tells whose it is:
 *
 *     {"commitInfo":{..., "varve":{"instance":..., "positions":[...], "deadLetters":[...],
 *                                  "quarantine":[...]}}}
 *     {"txn":{"appId":..., "version":<position>, ...}}      one for each position that moved
 *     {"add":{"path":..., "tags":{"varve.file":<id>, ...}, ...}}      one for each file
 *
 * "positions" are all positions of the instance, not only those that moved: the newest entry of an
 * instance is all that it needs to read. "deadLetters" are those of this entry: stream, created and
 * sequences. (Delta PROTOCOL.md, "Actions"; reader 1, writer 2.)
 */

/* A file that an entry moves to its place. */
struct store_move {
    char *id;       /* of the temporary file */
    size_t at, len; /* where its path stands in the text of the entry, URI-encoded */
};

/* A zeroed struct is empty. */
struct store_entry {
    struct buf text;
    struct store_move *moves;
    size_t count, cap;
};

enum {
    /* A larger entry is not read. Ten thousand files make about 10 MB, ranges above positions at
     * most 40 MB. */
    STORE_ENTRY_MAX = 256 * 1024 * 1024,
};

/*
 * Make the entry of an epoch. `positions` are all of the instance once it is committed, `paths` the
 * paths of the files of the epoch, relative to the root; `wall_time` in ns.
 */
void store_entry_build(struct store_entry *entry, const struct store *store,
                       const struct store_epoch *epoch, const struct positions *positions,
                       const char *const *paths, int64_t wall_time);

/* Find the moves in entry->text, which varve wrote earlier. ERR_FORMAT if it did not, or if a path
 * could lead out of the root. */
int store_entry_parse(struct store_entry *entry, struct err *err)
    __attribute__((warn_unused_result));

/* Append the path of a move, relative to the root. */
void store_entry_path(struct buf *out, const struct store_entry *entry, size_t move);

/* Give a file another path. */
void store_entry_set_path(struct store_entry *entry, size_t move, struct slice path);

void store_entry_reset(struct store_entry *entry);
void store_entry_free(struct store_entry *entry);

/*
 * The positions in the first line of an entry of any writer. *own says whether the entry is one of
 * `instance`; if not, *out is empty. ERR_FORMAT if it is, and is damaged.
 */
int store_entry_positions(struct positions *out, bool *own, struct slice line, const char *instance,
                          struct err *err) __attribute__((warn_unused_result));

#endif

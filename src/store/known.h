/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_KNOWN_H
#define VARVE_STORE_KNOWN_H

#include "base/err.h"
#include "parquet/read/file.h"
#include "store/store.h"

/*
 * Append to `out`, with the consumer STORE_ANYBODY, what of each generation of a stream is stored,
 * whoever fetched it: a row is known by generation and sequence. store->table was read with
 * want_varve.
 *
 * The log may not say which sequences are there: where a source has no position of its own, or
 * entries of this instance are gone, the files that it says too little of are looked into, and
 * what they have is added to store->current, too. ERR_REFUSED if even they can't tell and a source
 * without a position would store all of its stream again; ERR_LIMIT for more than SEQSET_RANGES_MAX
 * gaps.
 */
int store_read_known(struct store *store, const struct store_config *config, struct positions *out,
                     struct err *err) __attribute__((warn_unused_result));

/* ERR_FORMAT if a live file does not lie below the folder of the table, as those of a shallow
 * clone: the log of a clone has no positions, and where its files have no tags nothing tells which
 * events are in them. All of the log is read. */
int store_check_files(struct store *store, struct err *err) __attribute__((warn_unused_result));

/* An action of an entry that somebody else has made since; or, with want_varve, all of a log. */
int store_note_others(struct store *store, const struct delta_action *action, struct err *err)
    __attribute__((warn_unused_result));
void store_note_all(struct store *store, const struct delta_snapshot *table);

/*
 * ERR_REFUSED, and the store is outdated, if others have stored since what is about to be stored.
 * An epoch can't be told to leave something out; what is delivered again is judged by what is
 * there.
 */
int store_check_others(struct store *store, const struct store_epoch *epoch, struct err *err)
    __attribute__((warn_unused_result));

/* Whether it is known that others have stored something of what an entry with this text would. */
int store_find_stored(struct store *store, struct slice text, bool *stored, struct err *err)
    __attribute__((warn_unused_result));

/* Epoch `number` is committed: append what others have stored since the one before it, with the
 * consumer STORE_ANYBODY. */
void store_take_others(struct store *store, uint64_t number, struct positions *out);

/* The generation that a file's rows are of: by its tags; without tags it is the only one there is.
 * NULL: nobody can tell. */
struct delta_generation *store_generation_of(const struct delta_snapshot *s,
                                             const struct delta_file *file);

/* Add the sequences of its rows, by its column; none if it is not there. With `g`, only those that
 * rows of this generation can have: see delta_file_last. */
int store_scan_file(struct seqset *out, struct object_store *objects, const struct schema *schema,
                    const struct delta_file *file, const struct delta_generation *g,
                    struct err *err) __attribute__((warn_unused_result));

/* The same of a file that is open, up to `last`; an error if it has no such column. */
int store_scan_rows(struct seqset *out, const struct parquet_file *file,
                    const struct schema *schema, uint64_t last, struct err *err)
    __attribute__((warn_unused_result));

void store_forget_others(struct store *store);

#endif

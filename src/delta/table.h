/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_TABLE_H
#define VARVE_DELTA_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "batch/schema.h"
#include "delta/action.h"

/*
 * What table a log describes, and whether varve may write to it. The tables that varve makes are
 * append-only, reader version 1 and writer version 2, not partitioned, with the columns of a schema
 * (Delta PROTOCOL.md, "Change Metadata", "Protocol Evolution", "Table Features").
 */

/* Append the first entry of a new table. `id` is a UUID as text, `wall_time` in ns. */
void delta_table_create(struct buf *out, const struct schema *schema, const char *id,
                        const char *engine, int64_t wall_time);

/* The same without its commitInfo: the protocol and the metaData. */
void delta_table_describe(struct buf *out, const struct schema *schema, const char *id,
                          int64_t wall_time);

/*
 * Check that rows of `schema` may be appended to a table with this protocol and metaData by a
 * writer who does nothing but append: no feature, constraint, column or property asks for more.
 * *evolve says that delta_table_evolve has to come first. ERR_UNSUPPORTED with one sentence of what
 * the table asks for, which begins with "it"; ERR_FORMAT.
 */
int delta_table_check(const struct delta_protocol *protocol, const struct delta_metadata *metadata,
                      const struct schema *schema, bool *evolve, struct err *err)
    __attribute__((warn_unused_result));

/* The same without the columns: whether varve understands all that a checkpoint would have to keep.
 */
int delta_table_check_state(const struct delta_protocol *protocol,
                            const struct delta_metadata *metadata, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Append the entry that brings a table up to date: the columns of `schema` that it lacks, which are
 * null in its old files, and the list of the columns that have bounds in the statistics of all
 * files. A reader that goes by statistics (delta-rs) takes a listed column without bounds for one
 * of nulls, so columns that came later are not listed.
 */
void delta_table_evolve(struct buf *out, const struct delta_metadata *metadata,
                        const struct schema *schema, const char *engine, int64_t wall_time);

/* Whether rows may be taken out of a table: an append-only one is only ever added to (PROTOCOL.md,
 * "Append-only Tables"). Append the entry that lifts that. */
bool delta_table_is_append_only(const struct delta_metadata *metadata);
void delta_table_allow_removal(struct buf *out, const struct delta_metadata *metadata,
                               const char *engine, int64_t wall_time);

/* delta_table_check of the table whose first entry this is. */
int delta_table_check_entry(struct slice entry, const struct schema *schema, struct err *err)
    __attribute__((warn_unused_result));

#endif

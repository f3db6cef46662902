/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_SCHEMA_H
#define VARVE_DELTA_SCHEMA_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "batch/schema.h"

/*
 * The columns of a table as the log has them: metaData.schemaString, JSON in a string (Delta
 * PROTOCOL.md, "Schema Serialization Format").
 */

/* Append a schema. All columns are nullable, as readers expect of tables that may grow. */
void delta_schema_write(struct buf *out, const struct schema *schema);

/*
 * Compare the columns of a table with those that varve writes. Columns that only the table has are
 * fine if they may be null; *missing says that the table lacks some of ours, also within structs.
 * ERR_UNSUPPORTED, in a sentence that begins with "its", for a column of another type, for a name
 * that differs from one of ours in capitals only, which engines take for one, and for a column
 * that asks of a writer what varve does not do: never null, generated, an identity, an invariant;
 * and for a table that lacks an `ordered` column, which every version of varve has written: it is
 * somebody else's. ERR_FORMAT.
 */
int delta_schema_check(struct slice schema_string, const struct schema *schema, bool *missing,
                       struct err *err) __attribute__((warn_unused_result));

/* Append the schema of a table with those of our columns that it lacks behind its own, also within
 * structs; what it has stays as it is. The table has passed delta_schema_check. */
void delta_schema_extend(struct buf *out, struct slice schema_string, const struct schema *schema);

/*
 * Give our columns, which are going to be written to a table with this schema, the names that they
 * have there: a column with a number (column_spec.field) keeps the name under which the table got
 * that number first. One that the table has with another type only, or whose name is taken by
 * another one, gets a name of its own, with its type behind it. Also within structs. A column that
 * is wide (column_is_wide) becomes INT64 where the table has long. The names are in `arena`.
 * ERR_FORMAT for what is no schema; delta_schema_check still has to follow.
 */
int delta_schema_rename(struct slice schema_string, struct column_spec *columns, uint32_t count,
                        struct arena *arena, struct err *err) __attribute__((warn_unused_result));

/*
 * The columns that a table has, for who knows of it no more than its log: those of `known` as they
 * are known, all others as columns that may be null. `known` is flat. All is in `arena`, but for
 * the name of the schema. ERR_FORMAT, ERR_LIMIT, and ERR_UNSUPPORTED for types that varve does not
 * write.
 */
int delta_schema_read(struct slice schema_string, const struct schema *known, struct arena *arena,
                      struct schema *out, struct err *err) __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_SCHEMA_H
#define VARVE_DELTA_SCHEMA_H

#include <stdbool.h>

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
 * fine if they may be null; *missing says that the table lacks some of ours. ERR_UNSUPPORTED, in a
 * sentence that begins with "its", for a column of another type, and for one that asks of a writer
 * what varve does not do: never null, generated, an identity, an invariant; and for a table that
 * lacks an `ordered` column, which every version of varve has written: it is somebody else's.
 * ERR_FORMAT.
 */
int delta_schema_check(struct slice schema_string, const struct schema *schema, bool *missing,
                       struct err *err) __attribute__((warn_unused_result));

/* Append the schema of a table with those of our columns that it lacks behind its own, which stay
 * as they are. The table has passed delta_schema_check. */
void delta_schema_extend(struct buf *out, struct slice schema_string, const struct schema *schema);

#endif

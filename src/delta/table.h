/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_TABLE_H
#define VARVE_DELTA_TABLE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "batch/schema.h"

/*
 * The first entry of a log says what table it is: an append-only Delta table, reader version 1 and
 * writer version 2, not partitioned, with the columns of our schema, all nullable as readers expect
 * (Delta PROTOCOL.md, "Change Metadata", "Protocol Evolution", "Schema Serialization Format").
 */

/* Append that entry. `id` is a UUID as text, `wall_time` in ns. */
void store_table_write(struct buf *out, const struct schema *schema, const char *id,
                       const char *engine, int64_t wall_time);

/* Check that the table whose first entry this is can take rows of `schema`: each column is there
 * with its type, nothing is partitioned, and the protocol is one that varve writes. Columns that
 * only the table has are fine, they will be null. ERR_UNSUPPORTED, ERR_FORMAT. */
int store_table_check(struct slice entry, const struct schema *schema, struct err *err)
    __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_VALUE_JSON_H
#define VARVE_CLI_VALUE_JSON_H

#include "base/buf.h"
#include "parquet/write/leaf.h"

/*
 * Append a value of a column, in the form that values_read.h gives it, as JSON: null for a NULL
 * pointer; integers with all their digits; text as it is, but in base64 where it is not UTF-8, as
 * are bytes; TIMESTAMP in RFC 3339 (without an offset if it is a local time), DATE and TIME in its
 * parts; DECIMAL as a string; "NaN", "Infinity", "-Infinity". Times that RFC 3339 can't say (years
 * beyond 9999) are plain numbers. The width must be that of the type.
 */
void value_json_append(struct buf *out, const struct parquet_leaf *leaf, struct slice value);

#endif

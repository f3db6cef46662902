/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_VALUE_JSON_H
#define VARVE_CLI_VALUE_JSON_H

#include <stdbool.h>

#include "base/buf.h"
#include "parquet/read/leaf.h"
#include "parquet/read/records.h"

/*
 * Append a value of a column, in the form that values_read.h gives it, as JSON: null for a NULL
 * pointer; integers with all their digits; text as it is, but in base64 where it is not UTF-8, as
 * are bytes; TIMESTAMP in RFC 3339 (without an offset if it is a local time), DATE and TIME in its
 * parts; DECIMAL as a string; "NaN", "Infinity", "-Infinity". Times that RFC 3339 can't say (years
 * beyond 9999) are plain numbers. The width must be that of the type.
 */
void value_json_append(struct buf *out, const struct parquet_leaf *leaf, struct slice value);

/* The same for a value of any shape out of `file`: a struct is an object, a list an array, a map an
 * object whose names are its keys (those that are not text, in their JSON form). */
void value_json_append_tree(struct buf *out, const struct parquet_file *file,
                            const struct parquet_value *value);

/* True if a media type, as events state it for their payload, is one of text: text/..., JSON, or
 * what is built on JSON (RFC 6839), with or without parameters, in letters of any case. */
bool value_json_is_text(struct slice media_type);

/* Bytes that should be text, as a JSON string. What is no UTF-8 is {"base64":"..."}: a string would
 * be taken for the text. */
void value_json_append_text(struct buf *out, struct slice value);

#endif

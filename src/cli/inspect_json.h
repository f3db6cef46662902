/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_INSPECT_JSON_H
#define VARVE_CLI_INSPECT_JSON_H

#include "base/buf.h"
#include "parquet/read/file.h"

/* Append all that the footer says, as one line of JSON. */
void inspect_json(struct buf *out, const char *path, const struct parquet_file *file);

#endif

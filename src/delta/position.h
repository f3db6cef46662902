/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_POSITION_H
#define VARVE_DELTA_POSITION_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "batch/position.h"

/* Append / parse the JSON array of positions in a log entry. A failed parse leaves *out empty. */
void delta_positions_write(struct buf *out, const struct positions *positions);
int delta_positions_parse(struct positions *out, const struct json *array, struct err *err)
    __attribute__((warn_unused_result));

/* Append the Delta appId of one position: "varve:<instance>:<stream>:<consumer>:<created>". */
void delta_app_id(struct buf *out, const char *instance, const struct position *p);

#endif

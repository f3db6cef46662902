/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_POSITION_H
#define VARVE_DELTA_POSITION_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "batch/position.h"

/*
 * Write / parse an array of positions. In an entry `above` is what this entry adds, wherever it is;
 * in entries of varve up to 0.1.0 it was all that lies above `through`. Both are united with what
 * is known (positions_merge). A failed parse leaves *out empty.
 */
void delta_positions_put(struct json_writer *w, const char *name,
                         const struct positions *positions);
int delta_positions_parse(struct positions *out, const struct json *array, struct err *err)
    __attribute__((warn_unused_result));

/* Append what all appIds of an instance begin with. */
void delta_app_prefix(struct buf *out, const char *instance);

/* Append the Delta appId of one position: "varve:<instance>:<stream>:<consumer>:<created>". */
void delta_app_id(struct buf *out, const char *instance, const struct position *p);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_POSITION_H
#define VARVE_DELTA_POSITION_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "batch/position.h"

/*
 * Write / parse an array of positions. In an entry `above` is what this entry adds; in entries of
 * varve up to 0.1.0 it was all that lies above `through`. Both are united with what is known
 * (positions_merge). `rows_of`, or NULL: of each the sequences that have a row, or are dead letters
 * (member "rows"): `through` and `above` also count what was never meant for this consumer. Where
 * that makes more than DELTA_ABOVE_RANGES_MAX ranges, `above` has the rows alone: beside others who
 * drain the rest of a stream it would be all that they have stored, in each entry. A failed parse
 * leaves *out empty.
 */
enum { DELTA_ABOVE_RANGES_MAX = 1 << 16 }; /* about 1 MB of text */

void delta_positions_put(struct json_writer *w, const char *name, const struct positions *positions,
                         const struct seqset *rows_of);
int delta_positions_parse(struct positions *out, const struct json *array, struct err *err)
    __attribute__((warn_unused_result));

/* Take an appId apart into texts of one's own, to be freed. False for one that is not of varve. A
 * name that was too long to stand in it comes back as it stands there. */
struct delta_app_name {
    char *instance, *stream, *consumer, *created;
};
bool delta_app_id_parse(struct delta_app_name *out, struct slice app_id);
void delta_app_name_free(struct delta_app_name *name);

/* Append what all appIds of an instance begin with. */
void delta_app_prefix(struct buf *out, const char *instance);

/* Append the Delta appId of one position: "varve:<instance>:<stream>:<consumer>:<created>". */
void delta_app_id(struct buf *out, const char *instance, const struct position *p);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_QUALITY_STATE_H
#define VARVE_QUALITY_STATE_H

#include "base/err.h"
#include "quality/quality.h"

/*
 * What `struct quality` knows, as bytes that outlast the process. They are numbers as varints
 * (base/varint.h) and names with their lengths in front, in the order of quality_put_state; whoever
 * keeps them adds what tells whether they are whole.
 */

/* Append all but identities, which whoever has `keeps_ids` set keeps by itself. */
void quality_put_state(struct quality *q, struct buf *out);

/* Have what was put: `q` is as quality_init leaves it. *at is where it begins in the bytes, and
 * then where it ends. ERR_FORMAT if that is nothing that was put; `q` is only good to be freed
 * then. */
int quality_get_state(struct quality *q, struct slice bytes, size_t *at, struct err *err)
    __attribute__((warn_unused_result));

#endif

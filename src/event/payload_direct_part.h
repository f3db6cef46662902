/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_PAYLOAD_DIRECT_PART_H
#define VARVE_EVENT_PAYLOAD_DIRECT_PART_H

#include "batch/leaves.h"
#include "event/payload_direct.h"

/* Parts of payload_direct.h. */
struct direct_field;

/* Take what stands at `at` into its column; where it ends. NULL: it has to go the long way. */
typedef const uint8_t *direct_take(struct direct *x, const struct direct_field *f,
                                   const uint8_t *at, const uint8_t *end);

struct direct_node;

struct direct_field {
    uint32_t tag; /* of the one behind the last, which has no more than `leaf`: DIRECT_END */
    uint32_t leaf, leaves; /* those in it; `leaf` is the first one */
    uint8_t absent;        /* definition of what is not there */
    direct_take *take;
    struct column *to;         /* of the leaf, in the batch; found when that is known */
    struct direct_node *inner; /* of a message */
    struct slice nothing;      /* of byte strings: what stands for them */
    const struct plan_field *field;
};

enum { DIRECT_END = INT32_MAX }; /* above all tags */

/* A message. */
struct direct_node {
    struct direct_field *fields; /* by number */
    uint32_t count;
};

struct direct {
    struct direct_node root;
    struct batch_leaves leaves;
    struct batch *batch;    /* of the payload that is being read */
    struct column *columns; /* the first of them */
    uint64_t number;        /* of the last varint that is not short */
    uint32_t done;          /* where it could not go on: the leaves that had been put */
};

/* Set `take` from the other members. */
void direct_choose(struct direct_field *f);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_PAYLOAD_PLAN_H
#define VARVE_EVENT_PAYLOAD_PLAN_H

#include "batch/schema.h"
#include "event/descriptor.h"

/*
 * How the fields of a message become columns: a part of payload.h.
 *
 *     bool, int32, sint32, sfixed32       boolean, integer
 *     other integers                      long
 *     float, double, string, bytes        the same
 *     enum                                the name of its constant, as text
 *     message                             struct
 *     repeated, map                       list, map
 *     google.protobuf.Timestamp           timestamp, microseconds
 *     google.protobuf.Duration            long, nanoseconds
 *     google.protobuf.Int64Value...       what is in it, or null
 *     a message without fields, and one within itself: its bytes
 */
enum plan_kind {
    PLAN_SCALAR,  /* by its descriptor_type */
    PLAN_WRAPPED, /* a message with a scalar in its field 1 */
    PLAN_TIMESTAMP,
    PLAN_DURATION,
    PLAN_RAW,    /* the bytes of a message */
    PLAN_STRUCT, /* a message */
};

struct plan_field {
    const struct descriptor_field *field;
    enum plan_kind kind;
    enum descriptor_type type; /* of PLAN_SCALAR and PLAN_WRAPPED */
    bool is_map;
    uint32_t column;                    /* of the list, the map or the value itself */
    const struct descriptor *constants; /* of an enum */
    struct plan *plan;                  /* of PLAN_STRUCT; of a map: of its entry */
};

/* Of one message, where it stands. */
struct plan {
    struct plan_field *fields; /* by number */
    uint32_t count;
};

enum {
    PLAN_COLUMNS_MAX = 900, /* SCHEMA_COLUMNS_MAX, with room for the envelope */
    PLAN_DEPTH_MAX = 12,    /* messages within each other; deeper ones are bytes */
};

struct plan_columns {
    ARRAY(struct column_spec);
};

/* Plan a message. All is in `arena`, and points to the set. ERR_FORMAT if a type is not in the set,
 * ERR_LIMIT for too many columns. */
int plan_make(struct plan *out, struct plan_columns *columns, const struct descriptor_set *set,
              const struct descriptor *message, struct arena *arena, struct err *err)
    __attribute__((warn_unused_result));

#endif

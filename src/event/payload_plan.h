/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_PAYLOAD_PLAN_H
#define VARVE_EVENT_PAYLOAD_PLAN_H

#include "batch/schema.h"
#include "event/descriptor.h"
#include "event/payload.h"
#include "event/protobuf.h"

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
 *     google.protobuf.Struct, Value,
 *     ListValue                           JSON, as text
 *     a message without fields, and one within itself: its bytes
 *
 * Of FlatBuffers, whose tables lie scattered, such a one has no column; a vector of ubyte is bytes,
 * and a union a struct with a field for each member.
 */
enum plan_kind {
    PLAN_SCALAR,  /* by its descriptor_type */
    PLAN_WRAPPED, /* a message with a scalar in its field 1 */
    PLAN_TIMESTAMP,
    PLAN_DURATION,
    PLAN_JSON_STRUCT, /* google.protobuf.Struct, */
    PLAN_JSON_VALUE,  /* Value */
    PLAN_JSON_LIST,   /* and ListValue */
    PLAN_RAW,         /* the bytes of a message */
    PLAN_STRUCT,      /* a message */
};

struct plan_field {
    const struct descriptor_field *field;
    enum plan_kind kind;
    enum descriptor_type type;          /* of PLAN_SCALAR and PLAN_WRAPPED */
    bool is_map, is_message;            /* a message where editions delimit it comes as a group */
    enum wire_type wire;                /* of a single value */
    uint32_t column;                    /* of the list, the map or the value itself */
    const struct descriptor *constants; /* of an enum */
    struct plan *plan;                  /* of PLAN_STRUCT; of a map: of its entry */
};

/* Of one message, where it stands. */
struct plan {
    const struct descriptor *message;
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

/* Fields that are wanted, by their names, each with those of the messages around it: "a.b". */
struct plan_choice {
    const char *const *fields;
    size_t count; /* 0: all of them */
};

/* Plan a message. All is in `arena`, and points to the set. ERR_FORMAT if a type is not in the set,
 * ERR_LIMIT for too many columns, ERR_USAGE for a choice that is none. */
int plan_make(struct plan *out, struct plan_columns *columns, const struct descriptor_set *set,
              const struct descriptor *message, const struct plan_choice *choice,
              struct arena *arena, struct err *err) __attribute__((warn_unused_result));

/* Payloads that are decoded by a plan. */
struct planned {
    struct payload_type type;
    struct arena arena; /* of the plan */
    struct plan plan;
    struct plan_columns columns;
    struct direct *direct; /* of protobuf, see payload_direct.h; NULL: all go the long way */
    bool is_planned;       /* whether they do is known */
    struct arena values;   /* of one payload */
    struct buf text;       /* of one value */
};

enum {
    PLAN_FIT_EVERY = 1024, /* elements of lists, at which is asked whether a row fits */
};

/* A payload that is being decoded. */
struct decoding {
    struct planned *t;
    struct batch *b;
    uint32_t first;      /* the first column of the payload */
    uint32_t items;      /* elements of lists */
    bool lossy;          /* a value does not fit its column */
    struct slice buffer; /* of FlatBuffers: all of it, */
    uint64_t bytes;      /* and of texts and bytes so far: the same may be there many times */
};

/* Say why a payload, or a value of a field (may be NULL), is refused: false. */
bool plan_refuse(struct decoding *d, const char *why, const struct plan_field *f);

/* Whether there is room for another element: a bomb is a short payload that stands for very many
 * values. */
bool plan_has_room(struct decoding *d);

/* The name of a constant, in the descriptor; NULL: it has none. */
const struct slice *plan_find_constant(const struct plan_field *f, int64_t number);

/* The same, or else its number. Valid until the next one. */
struct slice plan_constant(struct decoding *d, const struct plan_field *f, int64_t number);

void plan_put_unsigned(struct decoding *d, const struct plan_field *f, uint32_t column,
                       uint64_t value);

/* The `append` of struct payload_operations of both formats. */
enum payload_result payload_proto_append(struct payload_type *type, struct batch *b, uint32_t first,
                                         struct slice payload);
enum payload_result payload_flat_append(struct payload_type *type, struct batch *b, uint32_t first,
                                        struct slice payload);

#endif

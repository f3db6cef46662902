/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_PROTOBUF_H
#define VARVE_EVENT_PROTOBUF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* A message of protobuf, field by field (protobuf.dev, "Encoding"). The bytes are hostile. */
enum wire_type { WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_GROUP, WIRE_GROUP_END, WIRE_32 };

enum {
    /* Groups within each other that are passed over; protobuf's own limit for messages. */
    WIRE_DEPTH_MAX = 100,
};

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;     /* of numbers */
    struct slice bytes; /* of WIRE_BYTES, and the content of a WIRE_GROUP; within the message */
};

/* Read the field at *at and move *at behind it: 1; 0 at the end; -1: it is malformed. */
int protobuf_next(struct slice message, size_t *at, struct wire_field *out)
    __attribute__((warn_unused_result));

/* The same in two steps: the number and the type of a field, and then what it has. */
int protobuf_tag(struct slice message, size_t *at, struct wire_field *out)
    __attribute__((warn_unused_result));
bool protobuf_content(struct slice message, size_t *at, struct wire_field *out)
    __attribute__((warn_unused_result));

/* One number of a packed list, of the wire type of its elements; the same results. */
int protobuf_packed(struct slice list, size_t *at, enum wire_type type, uint64_t *value)
    __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_PAYLOAD_SCAN_H
#define VARVE_EVENT_PAYLOAD_SCAN_H

#include "base/json.h"
#include "event/payload_plan.h"
#include "event/protobuf.h"

/* A message as it came, sorted by its fields: a part of payload.h. */

/* What a message has of a field: its last value, or all of them. */
struct item {
    struct item *next;
    struct wire_field wire;
};

struct slot {
    struct item first;
    struct item *last; /* NULL: there is none */
};

static inline const struct item *slot_first(const struct slot *slot)
{
    return slot->last != NULL ? &slot->first : NULL;
}

/*
 * The fields of a message, one slot each as in the plan, in the arena; NULL if it is malformed. Of
 * a field that comes twice the last one counts, messages are merged, of a oneof the last member
 * counts, and unknown fields are passed over (protobuf.dev, "Encoding").
 */
struct slot *payload_scan(struct arena *arena, const struct plan *plan, struct slice message);

/* Seconds and nanoseconds of a Timestamp or a Duration, and the value of a wrapper: fields 1, 2,
 * zeroed where they are absent. False: it is malformed. */
bool payload_scan_pair(struct slice message, struct wire_field pair[static 2]);

/* Write a google.protobuf.Struct, Value or ListValue as JSON. False: it is malformed, too deep, or
 * has a number that JSON has not. */
bool payload_value_json(struct json_writer *w, enum plan_kind kind, struct slice message);

/* How a single value of a type is on the wire. */
enum wire_type payload_wire_type(enum descriptor_type type);

#endif

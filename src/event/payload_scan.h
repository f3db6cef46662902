/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_PAYLOAD_SCAN_H
#define VARVE_EVENT_PAYLOAD_SCAN_H

#include "event/payload_plan.h"
#include "event/protobuf.h"

/* A message as it came, sorted by its fields: a part of payload.h. */

/* What a message has of a field: its last value, or all of them. */
struct item {
    struct item *next;
    struct wire_field wire;
};

struct slot {
    struct item *first, *last;
};

/*
 * The fields of a message, one slot each as in the plan, in the arena; NULL if it is malformed. Of
 * a field that comes twice the last one counts, messages are merged, of a oneof the last member
 * counts, and unknown fields are passed over (protobuf.dev, "Encoding").
 */
struct slot *payload_scan(struct arena *arena, const struct plan *plan, struct slice message);

/* How a single value of a type is on the wire. */
enum wire_type payload_wire_type(enum descriptor_type type);

/* A message where editions delimit it comes as a group, and the other way round it does no harm. */
bool payload_is_message(const struct plan_field *f);

#endif

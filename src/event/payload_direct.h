/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_PAYLOAD_DIRECT_H
#define VARVE_EVENT_PAYLOAD_DIRECT_H

#include "event/payload_plan.h"

/*
 * Messages of protobuf as nearly all are: each field once, in the order of the numbers, of the type
 * that the plan says, and nothing wrong with it. They need no sorting (payload_scan.h), and become
 * a row in one go. Others take the long way, which knows all there is to know.
 */
struct direct;

/* Of a plan, whose columns are these; in the arena, with the plan. NULL: it has a field that takes
 * the long way. */
struct direct *direct_make(const struct plan *plan, const struct schema *columns,
                           struct arena *arena);

/* Give each column its value; false, and none has got one: the long way has to be gone. */
bool direct_append(struct direct *x, struct batch *b, uint32_t first, struct slice payload);

#endif

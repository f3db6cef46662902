/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_ENCODE_H
#define VARVE_EVENT_ENCODE_H

#include "event/event.h"

/* Append the envelope as it goes over the wire: what event_decode makes of it is `event` again, but
 * that texts end at their first NUL. Empty fields are left out; unknown_fields go behind the known
 * ones. For alerts: it allocates. */
void event_encode(struct buf *out, const struct event *event);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_STATUS_H
#define VARVE_WATCH_STATUS_H

#include <stdint.h>

#include "watch/status_write.h"

struct pipeline;

/* Append the whole status page, or the JSON that its script asks for. Neither a secret nor anything
 * that an event says is in it. */
void status_append(struct buf *out, struct pipeline *p, enum status_form form, int64_t now);

#endif

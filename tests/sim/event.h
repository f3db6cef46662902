/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_EVENT_H
#define VARVE_TESTS_SIM_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * What publishers publish: event number n is always the same, and can be told from its row, or from
 * its bytes where it is none. Written and checked by the field numbers of proto/event.proto alone.
 */

/* Append the message. False if it is one that can't become a row. `base` is about the time of it,
 * ns since 1970. */
bool sim_event_make(uint32_t number, int64_t base, struct buf *out);

/* Append the header block that it is published with, if it is with one. */
void sim_event_header(uint32_t number, struct buf *out);

/* The number of an event_id, or of the bytes of a message; false if it is none of ours. */
bool sim_event_number(struct slice bytes, uint32_t *number);

/* What the columns of its row should hold, in the order of the table's schema up to unknown_fields;
 * an int64 as 8 bytes. A null has a NULL pointer. Valid until the next call. */
enum { SIM_EVENT_COLUMNS = 9 };
void sim_event_row(uint32_t number, int64_t base, struct slice columns[static SIM_EVENT_COLUMNS]);

#endif

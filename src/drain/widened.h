/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_WIDENED_H
#define VARVE_DRAIN_WIDENED_H

#include <stdint.h>

#include "base/buf.h"
#include "config/config.h"

/*
 * What subjects a source has taken, and from where on, as one instance notes it beside its
 * positions: a line a subject, "<stream> <consumer> <subject> <sequence>\n". A subject that is
 * added to a source that has a position is taken from there on: a position says nothing of
 * subjects, and neither a consumer that is changed nor one that starts behind the position delivers
 * what was passed over.
 */

/* Up to which sequence messages of `subject` were passed over, by the lines of before: 0 if it was
 * taken from the beginning, or nothing is known of the source. `through` is where the source is
 * now. */
uint64_t widened_after(struct slice noted, const struct config_source *source, const char *subject,
                       uint64_t through);

/* Append the line of a subject. */
void widened_note(struct buf *out, const struct config_source *source, const char *subject,
                  uint64_t after);

#endif

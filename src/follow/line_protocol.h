/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_LINE_PROTOCOL_H
#define VARVE_FOLLOW_LINE_PROTOCOL_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * InfluxDB line protocol (InfluxDB v1 documentation, "Line protocol reference"), as InfluxDB 1 to
 * 3, VictoriaMetrics and QuestDB read it:
 *
 *     measurement[,tag=value...] field=value[,field=value...] timestamp
 *
 * Only '\n' ends a line. What an event brings in is hostile: whatever it is, it stays within its
 * place.
 */

/* Whether a text can name a measurement, a tag or a field: not empty, without a '_' in front, which
 * servers keep for themselves, not "time", and without control characters, '#', '"' or '\'. */
bool line_name_ok(struct slice name);

/* Append such a name, or the value of a tag, with a '\' in front of ',', '=' and ' '. A '\' becomes
 * a '/': in one server's tags it is itself, in the other's it hides what comes behind it, and none
 * takes it at the end. Control characters become blanks. An empty value can't be written: leave out
 * the tag. */
void line_append_key(struct buf *out, struct slice text);

/* Append a text in quotes. A line feed becomes '\n', as two characters, and other control
 * characters blanks. */
void line_append_string(struct buf *out, struct slice text);

#endif

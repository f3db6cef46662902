/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_QUARANTINE_H
#define VARVE_EVENT_QUARANTINE_H

#include <stdint.h>

#include "base/buf.h"
#include "batch/batch.h"
#include "batch/schema.h"
#include "event/event.h"

/* A message that can't become an event row, kept whole. */
enum quarantine_column {
    QUARANTINE_COLUMN_STREAM,
    QUARANTINE_COLUMN_STREAM_CREATED,
    QUARANTINE_COLUMN_STREAM_SEQ,
    QUARANTINE_COLUMN_STREAM_TIME,  /* microseconds */
    QUARANTINE_COLUMN_NATS_SUBJECT, /* bytes: a bad subject may be why it is here */
    QUARANTINE_COLUMN_REASON,
    QUARANTINE_COLUMN_DETAIL,
    QUARANTINE_COLUMN_HEADER, /* the NATS header block, null where the message has none */
    QUARANTINE_COLUMN_PAYLOAD,
    QUARANTINE_COLUMNS,
};

extern const struct schema quarantine_schema;

struct quarantined {
    struct slice stream;         /* its name: UTF-8 */
    struct slice stream_created; /* RFC 3339, as the server writes it: UTF-8 */
    struct event_origin origin;
    enum event_result result;
    const char *detail;   /* event_reason */
    struct slice header;  /* empty if there is none */
    struct slice payload; /* at most BATCH_VALUE_MAX bytes, like header */
};

/* Append one row to a batch of quarantine_schema. Can't fail. */
void quarantine_append(struct batch *b, const struct quarantined *message);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef VARVE_EVENT_EVENT_H
#define VARVE_EVENT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/buf.h"
#include "batch/batch.h"
#include "batch/schema.h"

/*
 * A message of the stream (fes.common.events.GenericEventRequest, proto/event.proto) and the row
 * that it becomes: all of it, or nothing of it and a reason.
 */
enum event_column {
    EVENT_COLUMN_TIMESTAMP_NS,
    EVENT_COLUMN_EVENT_ID,
    EVENT_COLUMN_EVENT_TYPE_KEY,
    EVENT_COLUMN_EVENT_PAYLOAD,
    EVENT_COLUMN_WORKER_ID,
    EVENT_COLUMN_SIMULATION_ID,
    EVENT_COLUMN_PAYLOAD_FORMAT_HINT,
    EVENT_COLUMN_CORRELATION_ID, /* null where empty */
    EVENT_COLUMN_UNKNOWN_FIELDS, /* null where there are none */
    EVENT_COLUMN_STREAM_SEQ,
    EVENT_COLUMN_STREAM_TIME, /* microseconds */
    EVENT_COLUMN_NATS_SUBJECT,
    EVENT_COLUMN_EVENT_TIME, /* timestamp_ns in microseconds; null where it is absurd */
    EVENT_COLUMN_HEADERS,    /* null where the message has none */
    EVENT_COLUMNS,
};

/* The columns in the order of enum event_column. A new one goes behind the others: a table that is
 * extended has it there, too, and the number of a column is its field id in files. */
extern const struct schema event_schema;

enum {
    /* Larger events are refused. The server itself advises against more than 8 MiB a message, and
     * an event is held twice while it goes through: as a message, and in a batch. */
    EVENT_SIZE_MAX = 16 * 1024 * 1024,
};

/* Why a message can't become a row. */
enum event_result {
    EVENT_OK,
    EVENT_TOO_LARGE,    /* more than EVENT_SIZE_MAX bytes */
    EVENT_NOT_PROTOBUF, /* malformed, or a known field of another wire type */
    EVENT_NOT_UTF8,     /* in a string field, or in the subject */
    EVENT_RESULTS,
};

/* A short fixed name such as "not_utf8": the `reason` of metrics and of the quarantine. */
const char *event_result_name(enum event_result result);

/* One decoded message. The slices point into the message; unknown_fields may point into the decoder
 * instead, and is then valid until its next event_decode. */
struct event {
    int64_t timestamp_ns; /* as it came, plausible or not */
    struct slice event_id;
    struct slice event_type_key;
    struct slice event_payload;
    struct slice worker_id;
    struct slice simulation_id;
    struct slice payload_format_hint;
    struct slice correlation_id;
    struct slice unknown_fields; /* tags and values as they stood on the wire, in that order */
};

/* Nothing is allocated per message in steady state. A zeroed struct is ready for use. */
struct event_decoder {
    struct buf unknown; /* unknown fields that did not lie side by side */
    const char *reason;
};

void event_decoder_free(struct event_decoder *d);

/* Give back what a large message took; the unknown fields of the decoded event end here. */
void event_decoder_trim(struct event_decoder *d);

/* Where JetStream keeps the message, and what it keeps with it. */
struct event_origin {
    uint64_t stream_seq;    /* 1 to INT64_MAX */
    int64_t stream_time_ns; /* when it was stored, nanoseconds since 1970 UTC */
    struct slice subject;
    struct slice
        header; /* the header block as it came, from NATS/1.0 to the empty line; or empty */
};

/*
 * Decode and check a message, with the subject it came on. Of a field that comes twice the last
 * one counts, as proto3 has it. Strings keep a NUL. An empty message is an event whose fields are
 * all empty. Whatever protobuf-c takes is taken, with the same values, but for field numbers that
 * no schema can have (0, and more than 2^29 - 1): tests/fuzz/envelope_fuzz.c holds the two side by
 * side. On anything but EVENT_OK, *out is undefined and event_reason says what is wrong.
 */
enum event_result event_decode(struct event_decoder *d, struct slice message, struct slice subject,
                               struct event *out) __attribute__((warn_unused_result));

/* What was wrong with the last message, such as "simulation_id is not UTF-8". A literal. */
const char *event_reason(const struct event_decoder *d);

/* Append one row to a batch of event_schema. `suspect` is what event_partition_time says: the row
 * has no event_time then. Can't fail: event_decode has checked all of it, origin->subject included.
 */
void event_append(struct batch *b, const struct event *event, const struct event_origin *origin,
                  bool suspect);

/*
 * The same in two steps: packed in one place, whose size is event_size.packed, and appended from
 * there later. event_size.bytes is what the row adds to a batch.
 */
enum { EVENT_PACKED_MORE = 16 }; /* bytes: packed it takes at most so many more */

struct event_size {
    size_t packed;
    uint64_t bytes;
};
struct event_size event_size(const struct event *event, const struct event_origin *origin,
                             bool suspect);
void event_pack(uint8_t *to, const struct event *event, const struct event_origin *origin,
                bool suspect);

/* What event_pack has packed; in this process (ASSERT). */
void event_unpack(struct batch *b, struct slice packed);

/* Microseconds since 1970, rounded towards the past, as time columns hold them. */
int64_t event_micros(int64_t ns);

/* Clocks of workers disagree by seconds; one that is a day ahead is wrong. */
#define EVENT_AHEAD_MAX (24 * 3600 * CLOCK_SECOND)

/*
 * The time that files the event: its own; or, where that is not positive or more than a day ahead
 * of `now` (clock_wall), the time at which the stream stored it, and *suspect is set.
 * Nanoseconds.
 */
int64_t event_partition_time(const struct event *event, const struct event_origin *origin,
                             int64_t now, bool *suspect);

/* Append the envelope as it goes over the wire: what event_decode makes of it is `event` again.
 * Empty fields are left out; unknown_fields go behind the known ones. */
void event_encode(struct buf *out, const struct event *event);

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
    struct slice payload; /* at most BATCH_VALUE_MAX bytes, like the header */
};

/* Append one row to a batch of quarantine_schema. Can't fail. */
void quarantine_append(struct batch *b, const struct quarantined *message);

#endif

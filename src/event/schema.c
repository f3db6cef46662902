/* SPDX-License-Identifier: MIT */
#include "event/event.h"

static const struct column_spec columns[EVENT_COLUMNS] = {
    [EVENT_COLUMN_TIMESTAMP_NS] = {"timestamp_ns", COLUMN_INT64, COLUMN_RAW, .bounds = true},
    [EVENT_COLUMN_EVENT_ID] = {"event_id", COLUMN_BYTES, COLUMN_TEXT, .random = true},
    [EVENT_COLUMN_EVENT_TYPE_KEY] = {"event_type_key", COLUMN_BYTES, COLUMN_TEXT,
                                     .dictionary = true, .bounds = true},
    [EVENT_COLUMN_EVENT_PAYLOAD] = {.name = "event_payload", .type = COLUMN_BYTES},
    [EVENT_COLUMN_WORKER_ID] = {"worker_id", COLUMN_BYTES, COLUMN_TEXT, .dictionary = true,
                                .bounds = true},
    [EVENT_COLUMN_SIMULATION_ID] = {"simulation_id", COLUMN_BYTES, COLUMN_TEXT, .dictionary = true,
                                    .bounds = true},
    [EVENT_COLUMN_PAYLOAD_FORMAT_HINT] = {"payload_format_hint", COLUMN_BYTES, COLUMN_TEXT,
                                          .dictionary = true, .bounds = true},
    [EVENT_COLUMN_CORRELATION_ID] = {"correlation_id", COLUMN_BYTES, COLUMN_TEXT, .optional = true,
                                     .random = true},
    [EVENT_COLUMN_UNKNOWN_FIELDS] = {"unknown_fields", COLUMN_BYTES, COLUMN_RAW, .optional = true},
    [EVENT_COLUMN_STREAM_SEQ] = {"stream_seq", COLUMN_INT64, COLUMN_RAW, .bounds = true,
                                 .ordered = true},
    [EVENT_COLUMN_STREAM_TIME] = {"stream_time", COLUMN_INT64, COLUMN_TIME_MICROS, .bounds = true},
    [EVENT_COLUMN_NATS_SUBJECT] = {"nats_subject", COLUMN_BYTES, COLUMN_TEXT, .dictionary = true,
                                   .bounds = true},
    [EVENT_COLUMN_EVENT_TIME] = {"event_time", COLUMN_INT64, COLUMN_TIME_MICROS, .optional = true,
                                 .bounds = true},
    [EVENT_COLUMN_HEADERS] = {"headers", COLUMN_BYTES, COLUMN_RAW, .optional = true},
};

const struct schema event_schema = {"event", columns, EVENT_COLUMNS};

/* SPDX-License-Identifier: MIT */
#include "event/event.h"

static const struct column_spec columns[QUARANTINE_COLUMNS] = {
    [QUARANTINE_COLUMN_STREAM] = {"stream", COLUMN_BYTES, COLUMN_TEXT, .dictionary = true,
                                  .bounds = true},
    [QUARANTINE_COLUMN_STREAM_CREATED] = {"stream_created", COLUMN_BYTES, COLUMN_TEXT,
                                          .dictionary = true},
    [QUARANTINE_COLUMN_STREAM_SEQ] = {"stream_seq", COLUMN_INT64, COLUMN_RAW, .bounds = true,
                                      .ordered = true},
    [QUARANTINE_COLUMN_STREAM_TIME] = {"stream_time", COLUMN_INT64, COLUMN_TIME_MICROS,
                                       .bounds = true},
    [QUARANTINE_COLUMN_NATS_SUBJECT] = {"nats_subject", COLUMN_BYTES, COLUMN_RAW,
                                        .dictionary = true},
    [QUARANTINE_COLUMN_REASON] = {"reason", COLUMN_BYTES, COLUMN_TEXT, .dictionary = true,
                                  .bounds = true},
    [QUARANTINE_COLUMN_DETAIL] = {"detail", COLUMN_BYTES, COLUMN_TEXT, .dictionary = true},
    [QUARANTINE_COLUMN_HEADER] = {"header", COLUMN_BYTES, COLUMN_RAW, .optional = true},
    [QUARANTINE_COLUMN_PAYLOAD] = {.name = "payload", .type = COLUMN_BYTES},
};

const struct schema quarantine_schema = {"quarantine", columns, QUARANTINE_COLUMNS};

void quarantine_append(struct batch *b, const struct quarantined *message)
{
    const struct event_origin *origin = &message->origin;
    batch_put_bytes(b, QUARANTINE_COLUMN_STREAM, message->stream);
    batch_put_bytes(b, QUARANTINE_COLUMN_STREAM_CREATED, message->stream_created);
    batch_put_int64(b, QUARANTINE_COLUMN_STREAM_SEQ, (int64_t)origin->stream_seq);
    batch_put_int64(b, QUARANTINE_COLUMN_STREAM_TIME, event_micros(origin->stream_time_ns));
    batch_put_bytes(b, QUARANTINE_COLUMN_NATS_SUBJECT, origin->subject);
    batch_put_bytes(b, QUARANTINE_COLUMN_REASON, slice_of(event_result_name(message->result)));
    batch_put_bytes(b, QUARANTINE_COLUMN_DETAIL, slice_of(message->detail));
    if (origin->header.len == 0)
        batch_put_null(b, QUARANTINE_COLUMN_HEADER);
    else
        batch_put_bytes(b, QUARANTINE_COLUMN_HEADER, origin->header);
    batch_put_bytes(b, QUARANTINE_COLUMN_PAYLOAD, message->payload);
    batch_end_row(b);
}

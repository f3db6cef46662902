/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include "base/clock.h"

int64_t event_micros(int64_t ns)
{
    return ns / 1000 - (ns % 1000 < 0 ? 1 : 0);
}

static void put_optional(struct batch *b, uint32_t column, struct slice value)
{
    if (value.len == 0)
        batch_put_null(b, column);
    else
        batch_put_bytes(b, column, value);
}

void event_append(struct batch *b, const struct event *event, const struct event_origin *origin,
                  bool suspect)
{
    batch_put_int64(b, EVENT_COLUMN_TIMESTAMP_NS, event->timestamp_ns);
    batch_put_bytes(b, EVENT_COLUMN_EVENT_ID, event->event_id);
    batch_put_bytes(b, EVENT_COLUMN_EVENT_TYPE_KEY, event->event_type_key);
    batch_put_bytes(b, EVENT_COLUMN_EVENT_PAYLOAD, event->event_payload);
    batch_put_bytes(b, EVENT_COLUMN_WORKER_ID, event->worker_id);
    batch_put_bytes(b, EVENT_COLUMN_SIMULATION_ID, event->simulation_id);
    batch_put_bytes(b, EVENT_COLUMN_PAYLOAD_FORMAT_HINT, event->payload_format_hint);
    put_optional(b, EVENT_COLUMN_CORRELATION_ID, event->correlation_id);
    put_optional(b, EVENT_COLUMN_UNKNOWN_FIELDS, event->unknown_fields);
    batch_put_int64(b, EVENT_COLUMN_STREAM_SEQ, (int64_t)origin->stream_seq);
    batch_put_int64(b, EVENT_COLUMN_STREAM_TIME, event_micros(origin->stream_time_ns));
    batch_put_bytes(b, EVENT_COLUMN_NATS_SUBJECT, origin->subject);
    if (suspect)
        batch_put_null(b, EVENT_COLUMN_EVENT_TIME);
    else
        batch_put_int64(b, EVENT_COLUMN_EVENT_TIME, event_micros(event->timestamp_ns));
    put_optional(b, EVENT_COLUMN_HEADERS, origin->header);
    batch_end_row(b);
}

int64_t event_partition_time(const struct event *event, const struct event_origin *origin,
                             int64_t now, bool *suspect)
{
    /* Not timestamp > now + EVENT_AHEAD_MAX: that sum can overflow, this difference of positives
     * can't.
     */
    *suspect = event->timestamp_ns <= 0 || event->timestamp_ns - EVENT_AHEAD_MAX > now;
    return *suspect ? origin->stream_time_ns : event->timestamp_ns;
}

/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include "base/varint.h"

/* Wire types of protobuf. */
enum { WIRE_VARINT = 0, WIRE_LENGTH = 2 };

static void put_bytes(struct buf *out, uint64_t field, struct slice value)
{
    if (value.len == 0)
        return;
    varint_append(out, field << 3 | WIRE_LENGTH);
    varint_append(out, value.len);
    buf_append_slice(out, value);
}

void event_encode(struct buf *out, const struct event *event)
{
    put_bytes(out, 1, event->event_id);
    put_bytes(out, 2, event->event_type_key);
    put_bytes(out, 3, event->event_payload);
    if (event->timestamp_ns != 0) {
        varint_append(out, 4 << 3 | WIRE_VARINT);
        varint_append(out, (uint64_t)event->timestamp_ns);
    }
    put_bytes(out, 5, event->worker_id);
    put_bytes(out, 6, event->simulation_id);
    put_bytes(out, 7, event->payload_format_hint);
    put_bytes(out, 8, event->correlation_id);
    buf_append_slice(out, event->unknown_fields);
}

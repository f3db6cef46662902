/* SPDX-License-Identifier: MIT */
#include "event/encode.h"

#include "event.pb-c.h"

static ProtobufCBinaryData data_of(struct slice s)
{
    /* Packing only reads it. */
    return (ProtobufCBinaryData){.len = s.len, .data = (uint8_t *)(uintptr_t)s.data};
}

void event_encode(struct buf *out, const struct event *event)
{
    Fes__Common__Events__GenericEventRequest m = FES__COMMON__EVENTS__GENERIC_EVENT_REQUEST__INIT;
    m.event_id = data_of(event->event_id);
    m.event_type_key = data_of(event->event_type_key);
    m.event_payload = data_of(event->event_payload);
    m.timestamp_ns = event->timestamp_ns;
    m.source_worker_id = data_of(event->worker_id);
    m.simulation_id = data_of(event->simulation_id);
    m.payload_content_type = data_of(event->payload_format_hint);
    m.correlation_id = data_of(event->correlation_id);
    buf_reserve(out, fes__common__events__generic_event_request__get_packed_size(&m));
    out->len += fes__common__events__generic_event_request__pack(&m, out->data + out->len);
    buf_append_slice(out, event->unknown_fields);
}

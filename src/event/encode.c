/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include "event.pb-c.h"

#include "base/arena.h"

static char *text_of(struct arena *arena, struct slice s)
{
    return arena_text(arena, s.data, s.len);
}

void event_encode(struct buf *out, const struct event *event)
{
    struct arena arena = {0};
    Fes__Common__Events__GenericEventRequest m = FES__COMMON__EVENTS__GENERIC_EVENT_REQUEST__INIT;
    m.event_id = text_of(&arena, event->event_id);
    m.event_type_key = text_of(&arena, event->event_type_key);
    m.event_payload.len = event->event_payload.len;
    m.event_payload.data = (uint8_t *)(uintptr_t)event->event_payload.data; /* only read */
    m.timestamp_ns = event->timestamp_ns;
    m.source_worker_id = text_of(&arena, event->worker_id);
    m.simulation_id = text_of(&arena, event->simulation_id);
    m.payload_content_type = text_of(&arena, event->payload_format_hint);
    m.correlation_id = text_of(&arena, event->correlation_id);
    buf_reserve(out, fes__common__events__generic_event_request__get_packed_size(&m));
    out->len += fes__common__events__generic_event_request__pack(&m, out->data + out->len);
    buf_append_slice(out, event->unknown_fields);
    arena_free(&arena);
}

/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include "event.pb-c.h"

#include "base/assert.h"
#include "base/utf8.h"

enum {
    /* What decoding may allocate beyond the size of the message. Copies of the fields fit in that
     * size; this is for the bookkeeping of fields, about 40 bytes each. A real event has eight. */
    BOOKKEEPING_MAX = 256 * 1024,
    /* Scratch memory that is kept for the next message. */
    SCRATCH_KEPT = 1024 * 1024,
};

const char *event_result_name(enum event_result result)
{
    switch (result) {
    case EVENT_OK:
        return "ok";
    case EVENT_TOO_LARGE:
        return "too_large";
    case EVENT_NOT_PROTOBUF:
        return "not_protobuf";
    case EVENT_NOT_UTF8:
        return "not_utf8";
    case EVENT_TOO_MANY_FIELDS:
        return "too_many_fields";
    case EVENT_RESULTS:
        break;
    }
    ASSERT(result < EVENT_RESULTS);
    return "";
}

const char *event_reason(const struct event_decoder *d)
{
    return d->reason;
}

void event_decoder_free(struct event_decoder *d)
{
    arena_free(&d->scratch);
    buf_free(&d->unknown);
    *d = (struct event_decoder){0};
}

void event_decoder_trim(struct event_decoder *d)
{
    if (d->scratch.used > SCRATCH_KEPT)
        arena_free(&d->scratch);
    if (d->unknown.len > SCRATCH_KEPT)
        buf_free(&d->unknown);
}

static enum event_result refuse(struct event_decoder *d, enum event_result result,
                                const char *reason)
{
    d->reason = reason;
    return result;
}

static void *scratch_alloc(void *data, size_t size)
{
    struct event_decoder *d = data;
    if (size > d->budget) {
        d->exhausted = true;
        return NULL;
    }
    d->budget -= size;
    return arena_alloc(&d->scratch, size);
}

static void scratch_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer; /* the arena is reset as a whole */
}

/* The length of a varint that the decoder has already accepted. */
static size_t varint(const uint8_t *p, uint64_t *value)
{
    size_t len = 0;
    *value = 0;
    do {
        if (len < 10)
            *value |= (uint64_t)(p[len] & 0x7F) << (7 * len);
    } while (p[len++] >= 0x80);
    return len;
}

/* The length of the field at `p`, tag included, in a message that the decoder has accepted. */
static size_t field_length(const uint8_t *p, uint32_t *number)
{
    uint64_t tag, value;
    size_t len = varint(p, &tag);
    *number = (uint32_t)(tag >> 3);
    switch ((ProtobufCWireType)(tag & 7)) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return len + varint(p + len, &value);
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        return len + 8;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        len += varint(p + len, &value);
        return len + (size_t)value;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        return len + 4;
    }
    ASSERT((tag & 7) <= PROTOBUF_C_WIRE_TYPE_32BIT); /* or it was not accepted */
    return 0;
}

/* The decoder normalises what it does not know, so that is taken from the message. Newer fields
 * have higher numbers and stand side by side at the end: then it takes no copy. */
static struct slice unknown_fields(struct event_decoder *d, struct slice message)
{
    buf_reset(&d->unknown);
    struct slice run = {0};
    uint32_t number;
    size_t len;
    for (size_t at = 0; at < message.len; at += len) {
        const uint8_t *field = message.data + at;
        len = field_length(field, &number);
        ASSERT(len <= message.len - at);
        if (protobuf_c_message_descriptor_get_field(
                &fes__common__events__generic_event_request__descriptor, number) != NULL)
            continue;
        if (run.len > 0 && run.data + run.len != field) {
            buf_append_slice(&d->unknown, run);
            run.len = 0;
        }
        if (run.len == 0)
            run.data = field;
        run.len += len;
    }
    if (d->unknown.len == 0)
        return run;
    buf_append_slice(&d->unknown, run);
    return buf_slice(&d->unknown);
}

static struct slice bytes_of(ProtobufCBinaryData value)
{
    return (struct slice){value.data, value.len};
}

/* What is wrong with the texts of an event, or NULL. */
static const char *text_fault(const struct event *e)
{
    if (!utf8_valid(e->event_id))
        return "event_id is not UTF-8";
    if (!utf8_valid(e->event_type_key))
        return "event_type_key is not UTF-8";
    if (!utf8_valid(e->worker_id))
        return "source_worker_id is not UTF-8";
    if (!utf8_valid(e->simulation_id))
        return "simulation_id is not UTF-8";
    if (!utf8_valid(e->payload_format_hint))
        return "payload_content_type is not UTF-8";
    if (!utf8_valid(e->correlation_id))
        return "correlation_id is not UTF-8";
    return NULL;
}

enum event_result event_decode(struct event_decoder *d, struct slice message, struct slice subject,
                               struct event *out)
{
    arena_reset(&d->scratch);
    if (message.len > EVENT_SIZE_MAX)
        return refuse(d, EVENT_TOO_LARGE, "larger than 16 MiB");
    if (!utf8_valid(subject))
        return refuse(d, EVENT_NOT_UTF8, "the subject is not UTF-8");
    d->budget = message.len + BOOKKEEPING_MAX;
    d->exhausted = false;
    ProtobufCAllocator allocator = {scratch_alloc, scratch_free, d};
    const Fes__Common__Events__GenericEventRequest *wire =
        fes__common__events__generic_event_request__unpack(&allocator, message.len, message.data);
    if (wire == NULL && d->exhausted)
        return refuse(d, EVENT_TOO_MANY_FIELDS, "too many fields");
    if (wire == NULL)
        return refuse(d, EVENT_NOT_PROTOBUF, "not a GenericEventRequest");
    *out = (struct event){
        .timestamp_ns = wire->timestamp_ns,
        .event_id = bytes_of(wire->event_id),
        .event_type_key = bytes_of(wire->event_type_key),
        .event_payload = bytes_of(wire->event_payload),
        .worker_id = bytes_of(wire->source_worker_id),
        .simulation_id = bytes_of(wire->simulation_id),
        .payload_format_hint = bytes_of(wire->payload_content_type),
        .correlation_id = bytes_of(wire->correlation_id),
    };
    if (wire->base.n_unknown_fields > 0)
        out->unknown_fields = unknown_fields(d, message);
    const char *fault = text_fault(out);
    return fault == NULL ? EVENT_OK : refuse(d, EVENT_NOT_UTF8, fault);
}

/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "event.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef Fes__Common__Events__GenericEventRequest reference;

/* The reference ends its strings with a NUL, which ours may hold: all that we have is theirs, and
 * then comes their end. A sanitizer sees a step behind it. */
static bool same_text(struct slice ours, const char *theirs)
{
    return memcmp(theirs, ours.len == 0 ? "" : (const char *)ours.data, ours.len) == 0 &&
           theirs[ours.len] == '\0';
}

static bool same_event(const struct event *e, const reference *r)
{
    struct slice payload = {r->event_payload.data, r->event_payload.len};
    return same_text(e->event_id, r->event_id) && same_text(e->event_type_key, r->event_type_key) &&
           slice_equal(e->event_payload, payload) && e->timestamp_ns == r->timestamp_ns &&
           same_text(e->worker_id, r->source_worker_id) &&
           same_text(e->simulation_id, r->simulation_id) &&
           same_text(e->payload_format_hint, r->payload_content_type) &&
           same_text(e->correlation_id, r->correlation_id);
}

/* The reference keeps unknown fields one by one, with their tags taken apart. Their values must
 * stand in ours, in this order, each behind a tag of 1 to 5 bytes, and nothing else. */
static bool same_unknown(struct slice ours, const ProtobufCMessage *r)
{
    size_t at = 0;
    for (unsigned i = 0; i < r->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &r->unknown_fields[i];
        uint64_t tag = 0;
        for (unsigned shift = 0;; shift += 7) {
            if (at == ours.len || shift > 28)
                return false;
            tag |= (uint64_t)(ours.data[at] & 0x7F) << shift;
            if (ours.data[at++] < 0x80)
                break;
        }
        if (tag != ((uint64_t)field->tag << 3 | (uint64_t)field->wire_type) ||
            ours.len - at < field->len || memcmp(ours.data + at, field->data, field->len) != 0)
            return false;
        at += field->len;
    }
    return at == ours.len;
}

/* Numbers that no schema can have: protobuf-c takes them, and other readers refuse the message. */
static bool has_impossible_numbers(const ProtobufCMessage *r)
{
    for (unsigned i = 0; i < r->n_unknown_fields; i++)
        if (r->unknown_fields[i].tag == 0 || r->unknown_fields[i].tag > (1u << 29) - 1)
            return true;
    return false;
}

/* Whatever the bytes are: our reader and protobuf-c take the same messages and read the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event_decoder d = {0};
    struct event e;
    reference *r = fes__common__events__generic_event_request__unpack(NULL, size, data);
    enum event_result result =
        event_decode(&d, (struct slice){data, size}, slice_of("logging.events.raw"), &e);
    if (r == NULL || has_impossible_numbers(&r->base)) {
        ASSERT(result == EVENT_NOT_PROTOBUF);
    } else {
        ASSERT(result == EVENT_OK || result == EVENT_NOT_UTF8);
        ASSERT(same_event(&e, r));
        ASSERT(same_unknown(e.unknown_fields, &r->base));
    }
    if (r != NULL)
        fes__common__events__generic_event_request__free_unpacked(r, NULL);
    event_decoder_free(&d);
    return 0;
}

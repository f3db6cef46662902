/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the bytes are: a row whose parts fit into the message, or a reason. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event_decoder d = {0}, other = {0};
    struct event e, again;
    const struct slice message = {data, size};
    const struct slice subject = slice_of("logging.events.raw");
    if (event_decode(&d, message, subject, &e) != EVENT_OK) {
        ASSERT(event_reason(&d)[0] != '\0');
        event_decoder_free(&d);
        return 0;
    }
    ASSERT(utf8_valid(e.event_id) && utf8_valid(e.event_type_key) && utf8_valid(e.worker_id) &&
           utf8_valid(e.simulation_id) && utf8_valid(e.payload_format_hint) &&
           utf8_valid(e.correlation_id));
    ASSERT(e.event_id.len + e.event_type_key.len + e.event_payload.len + e.worker_id.len +
               e.simulation_id.len + e.payload_format_hint.len + e.correlation_id.len +
               e.unknown_fields.len <=
           size);

    /* The unknown fields are a message of their own, in which nothing is known. */
    ASSERT(event_decode(&other, e.unknown_fields, subject, &again) == EVENT_OK);
    ASSERT(slice_equal(again.unknown_fields, e.unknown_fields));
    ASSERT(again.event_id.len == 0 && again.event_payload.len == 0 && again.timestamp_ns == 0);

    struct batch *b = batch_new(&event_schema, NULL);
    struct event_origin origin = {1, e.timestamp_ns, subject, message};
    bool suspect;
    int64_t time = event_partition_time(&e, &origin, 0, &suspect);
    ASSERT(time == e.timestamp_ns);
    event_append(b, &e, &origin, suspect);
    ASSERT(b->rows == 1);
    batch_free(b);
    event_decoder_free(&d);
    event_decoder_free(&other);
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
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

/* A packed row: three numbers, whether it is suspect, the lengths of the texts, the texts. */
enum { PACKED_TEXTS = 10, PACKED_HEAD = 3 * 8 + 1 + 4 * PACKED_TEXTS };

struct packed_texts {
    struct slice list[PACKED_TEXTS];
};

/* Those behind the seventh stand in optional columns. */
static struct packed_texts texts_of(const struct event *event, const struct event_origin *origin)
{
    return (struct packed_texts){{event->event_id, event->event_type_key, event->event_payload,
                                  event->worker_id, event->simulation_id,
                                  event->payload_format_hint, origin->subject,
                                  event->correlation_id, event->unknown_fields, origin->header}};
}

struct event_size event_size(const struct event *event, const struct event_origin *origin,
                             bool suspect)
{
    enum { ALWAYS = 7, OPTIONAL = PACKED_TEXTS - ALWAYS };
    struct packed_texts texts = texts_of(event, origin);
    size_t len = 0;
    uint64_t bytes = 3 * 8 + (suspect ? 0 : 8) + 1 + OPTIONAL + 4 * ALWAYS;
    for (size_t i = 0; i < PACKED_TEXTS; i++) {
        len += texts.list[i].len;
        bytes += i >= ALWAYS && texts.list[i].len > 0 ? 4 : 0;
    }
    return (struct event_size){PACKED_HEAD + len, bytes + len};
}

void event_pack(uint8_t *to, const struct event *event, const struct event_origin *origin,
                bool suspect)
{
    struct packed_texts texts = texts_of(event, origin);
    store_u64le(to, (uint64_t)event->timestamp_ns);
    store_u64le(to + 8, origin->stream_seq);
    store_u64le(to + 16, (uint64_t)origin->stream_time_ns);
    to[24] = suspect;
    uint8_t *lengths = to + 25, *text = to + PACKED_HEAD;
    for (size_t i = 0; i < PACKED_TEXTS; i++) {
        size_t len = texts.list[i].len;
        store_u32le(lengths + 4 * i, (uint32_t)len);
        if (len > 0)
            memcpy(text, texts.list[i].data, len);
        text += len;
    }
}

void event_unpack(struct batch *b, struct slice packed)
{
    struct slice texts[PACKED_TEXTS];
    size_t at = PACKED_HEAD;
    for (size_t i = 0; i < PACKED_TEXTS; i++) {
        texts[i] = (struct slice){packed.data + at, load_u32le(packed.data + 25 + 4 * i)};
        at += texts[i].len;
    }
    ASSERT(at == packed.len);
    struct event event = {.timestamp_ns = (int64_t)load_u64le(packed.data),
                          .event_id = texts[0],
                          .event_type_key = texts[1],
                          .event_payload = texts[2],
                          .worker_id = texts[3],
                          .simulation_id = texts[4],
                          .payload_format_hint = texts[5],
                          .correlation_id = texts[7],
                          .unknown_fields = texts[8]};
    struct event_origin origin = {.stream_seq = load_u64le(packed.data + 8),
                                  .stream_time_ns = (int64_t)load_u64le(packed.data + 16),
                                  .subject = texts[6],
                                  .header = texts[9]};
    event_append(b, &event, &origin, packed.data[24] != 0);
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

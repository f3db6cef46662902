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

static struct batch_cell number_cell(int64_t value)
{
    return (struct batch_cell){.bits = (uint64_t)value};
}

static struct batch_cell text_cell(struct slice text)
{
    return (struct batch_cell){.data = text.data, .len = (uint32_t)text.len};
}

/* Null where it is empty. */
static struct batch_cell optional_cell(struct slice text)
{
    return (struct batch_cell){.data = text.data, .len = (uint32_t)text.len, .null = text.len == 0};
}

void event_append(struct batch *b, const struct event *event, const struct event_origin *origin,
                  bool suspect)
{
    struct batch_cell cells[EVENT_COLUMNS] = {
        [EVENT_COLUMN_TIMESTAMP_NS] = number_cell(event->timestamp_ns),
        [EVENT_COLUMN_EVENT_ID] = text_cell(event->event_id),
        [EVENT_COLUMN_EVENT_TYPE_KEY] = text_cell(event->event_type_key),
        [EVENT_COLUMN_EVENT_PAYLOAD] = text_cell(event->event_payload),
        [EVENT_COLUMN_WORKER_ID] = text_cell(event->worker_id),
        [EVENT_COLUMN_SIMULATION_ID] = text_cell(event->simulation_id),
        [EVENT_COLUMN_PAYLOAD_FORMAT_HINT] = text_cell(event->payload_format_hint),
        [EVENT_COLUMN_CORRELATION_ID] = optional_cell(event->correlation_id),
        [EVENT_COLUMN_UNKNOWN_FIELDS] = optional_cell(event->unknown_fields),
        [EVENT_COLUMN_STREAM_SEQ] = number_cell((int64_t)origin->stream_seq),
        [EVENT_COLUMN_STREAM_TIME] = number_cell(event_micros(origin->stream_time_ns)),
        [EVENT_COLUMN_NATS_SUBJECT] = text_cell(origin->subject),
        [EVENT_COLUMN_EVENT_TIME] = number_cell(event_micros(event->timestamp_ns)),
        [EVENT_COLUMN_HEADERS] = optional_cell(origin->header),
    };
    cells[EVENT_COLUMN_EVENT_TIME].null = suspect;
    batch_put_row(b, cells);
}

/* A packed row: three numbers, whether it is suspect, the lengths of the texts, the texts. */
enum { PACKED_TEXTS = 10, PACKED_HEAD = 3 * 8 + 1 + 4 * PACKED_TEXTS };

struct packed_texts {
    struct slice list[PACKED_TEXTS];
};

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
    size_t always = event->event_id.len + event->event_type_key.len + event->event_payload.len +
                    event->worker_id.len + event->simulation_id.len +
                    event->payload_format_hint.len + origin->subject.len;
    size_t optional = event->correlation_id.len + event->unknown_fields.len + origin->header.len;
    size_t there = (size_t)(event->correlation_id.len > 0) + (event->unknown_fields.len > 0) +
                   (origin->header.len > 0);
    size_t numbers = 3 * 8 + (suspect ? 0 : 8);
    return (struct event_size){.packed = PACKED_HEAD + always + optional,
                               .bytes = numbers + 1 + OPTIONAL + 4 * (ALWAYS + there) + always +
                                        optional};
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

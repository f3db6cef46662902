/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "event/event.h"
#include "follow/publisher.h"

/* The headers that were stored, behind ours, and the end of the block. */
static void append_stored(struct buf *out, struct slice block)
{
    static const char order[] = "nats-";
    bool first = slice_starts_with(block, "NATS/");
    if (block.len == 0)
        nats_header_end(out);
    while (block.len > 0) {
        const uint8_t *end = memchr(block.data, '\n', block.len);
        size_t len = end != NULL ? (size_t)(end - block.data) + 1 : block.len;
        if (len >= sizeof(order) - 1 &&
            strncasecmp((const char *)block.data, order, sizeof(order) - 1) == 0)
            buf_append_text(out, "Varve-");
        if (!first)
            buf_append(out, block.data, len);
        else if (len == block.len)
            nats_header_end(out);
        first = false;
        block = (struct slice){block.data + len, block.len - len};
    }
}

static void make_header(struct publisher *p, const struct follow_event *row)
{
    struct buf *id = &p->id, *h = &p->header;
    buf_reset(id);
    buf_append_text(id, p->run);
    buf_append_byte(id, '/');
    buf_append_text(id, row->stream);
    buf_append_byte(id, '/');
    buf_append_text(id, row->created);
    buf_append_byte(id, '/');
    buf_append_decimal(id, row->sequence);
    buf_reset(h);
    nats_header_begin(h);
    nats_header_add(h, PUBLISHER_ID, buf_slice(id));
    nats_header_add_u64(h, "Nats-Expected-Last-Sequence", p->base + p->sent);
    /* Only this stream ends with a message of ours. */
    if (p->sent > 0)
        nats_header_add(h, "Nats-Expected-Last-Msg-Id", buf_slice(&p->previous));
    else
        nats_header_add(h, "Nats-Expected-Stream", slice_of(p->stream));
    nats_header_add(h, PUBLISHER_MARK, slice_of(p->options->mark));
    append_stored(h, row->values[EVENT_COLUMN_HEADERS]);
}

static void make_payload(struct publisher *p, const struct follow_event *row)
{
    const struct slice *v = row->values;
    struct slice time = v[EVENT_COLUMN_TIMESTAMP_NS];
    const struct event event = {
        .timestamp_ns = time.len == sizeof(int64_t) ? (int64_t)load_u64le(time.data) : 0,
        .event_id = v[EVENT_COLUMN_EVENT_ID],
        .event_type_key = v[EVENT_COLUMN_EVENT_TYPE_KEY],
        .event_payload = v[EVENT_COLUMN_EVENT_PAYLOAD],
        .worker_id = v[EVENT_COLUMN_WORKER_ID],
        .simulation_id = v[EVENT_COLUMN_SIMULATION_ID],
        .payload_format_hint = v[EVENT_COLUMN_PAYLOAD_FORMAT_HINT],
        .correlation_id = v[EVENT_COLUMN_CORRELATION_ID],
        .unknown_fields = v[EVENT_COLUMN_UNKNOWN_FIELDS],
    };
    buf_reset(&p->payload);
    event_encode(&p->payload, &event);
}

/* A file may say anything: nothing is published to what is an order to the server. */
static bool make_subject(struct publisher *p, const struct follow_event *row)
{
    struct slice subject = slice_of(p->options->subject);
    buf_reset(&p->subject);
    if (subject.data[subject.len - 1] == '>') {
        buf_append(&p->subject, subject.data, subject.len - 1);
        buf_append_slice(&p->subject, row->values[EVENT_COLUMN_NATS_SUBJECT]);
    } else {
        buf_append_slice(&p->subject, subject);
    }
    return nats_subject_valid(buf_slice(&p->subject), false) && p->subject.data[0] != '$';
}

bool publisher_make(struct publisher *p, const struct follow_event *row)
{
    if (!make_subject(p, row))
        return false;
    make_header(p, row);
    make_payload(p, row);
    return true;
}

/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "event/event.h"
#include "follow/publisher_part.h"

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

/* What all messages for rows of a generation begin with. */
static void make_fronts(struct publisher *p, const struct follow_event *row)
{
    char hash[SHA256_TEXT_MAX];
    size_t len = strlen(row->stream), created = strlen(row->created);
    struct buf *g = &p->generation;
    if (g->len == len + 1 + created + 1 && memcmp(g->data, row->stream, len) == 0 &&
        memcmp(g->data + len + 1, row->created, created) == 0)
        return;
    buf_reset(g);
    buf_append(g, row->stream, len);
    buf_append_byte(g, '/');
    buf_append(g, row->created, created);
    sha256_text(buf_slice(g), hash);
    buf_append_byte(g, '/');

    hash[PUBLISHER_HASH_LEN] = '\0';
    buf_reset(&p->id_front);
    buf_append_text(&p->id_front, p->run);
    buf_append_byte(&p->id_front, '/');
    buf_append_text(&p->id_front, hash);
    buf_append_byte(&p->id_front, '/');

    buf_reset(&p->headers_front);
    nats_header_add(&p->headers_front, PUBLISHER_MARK, slice_of(p->options->mark));
    nats_header_add(&p->headers_front, PUBLISHER_ROW, buf_slice(g));
    p->headers_front.len -= sizeof("\r\n") - 1;
}

static void make_headers(struct publisher *p, struct publisher_message *m,
                         const struct follow_event *row)
{
    struct buf *h = &m->headers;
    make_fronts(p, row);
    buf_reset(&m->row);
    buf_append_slice(&m->row, buf_slice(&p->generation));
    buf_append_decimal(&m->row, row->sequence);
    const struct slice number = {m->row.data + p->generation.len, m->row.len - p->generation.len};
    buf_reset(&m->id);
    buf_append_slice(&m->id, buf_slice(&p->id_front));
    buf_append_slice(&m->id, number);
    buf_reset(h);
    buf_append_slice(h, buf_slice(&p->headers_front));
    buf_append_slice(h, number);
    buf_append_text(h, "\r\n");
    append_stored(h, row->values[EVENT_COLUMN_HEADERS]);
}

void publisher_head(struct publisher *p, const struct publisher_message *m, bool batched,
                    bool complete)
{
    struct buf *h = &p->header;
    buf_reset(h);
    nats_header_begin(h);
    nats_header_add(h, PUBLISHER_ID, buf_slice(&m->id));
    if (p->single) {
        nats_header_add(h, "Nats-Expected-Stream", slice_of(p->stream));
    } else if (batched ? p->in_batch == 0 : p->sent == 0) {
        nats_header_add(h, "Nats-Expected-Stream", slice_of(p->stream));
        nats_header_add_u64(h, "Nats-Expected-Last-Sequence", p->base + p->sent);
    } else if (!batched) { /* only this stream ends with a message of ours */
        nats_header_add(h, "Nats-Expected-Last-Msg-Id", buf_slice(&p->previous));
    }
    if (batched) {
        nats_header_add(h, "Nats-Batch-Id", slice_of(p->batch_token));
        h->len -= sizeof("\r\n") - 1;
        buf_append_byte(h, '.');
        buf_append_decimal(h, p->batch);
        buf_append_text(h, "\r\n");
        nats_header_add_u64(h, "Nats-Batch-Sequence", p->in_batch + 1);
    }
    if (complete)
        nats_header_add_u64(h, "Nats-Batch-Commit", 1);
    buf_append_slice(h, buf_slice(&m->headers));
}

size_t publisher_most(const struct publisher *p, const struct publisher_message *m)
{
    enum { NAMES = 256, NUMBERS = 4 * 20 }; /* of all the headers that there may be */
    return m->id.len + strlen(p->stream) + PUBLISHER_TOKEN_LEN + NAMES + NUMBERS + m->headers.len +
           m->payload.len;
}

static void make_payload(struct publisher_message *m, const struct follow_event *row)
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
    buf_reset(&m->payload);
    event_encode(&m->payload, &event);
}

/* A file may say anything: nothing is published to what is an order to the server. */
static bool make_subject(const struct publisher *p, struct publisher_message *m,
                         const struct follow_event *row)
{
    struct slice subject = slice_of(p->options->subject);
    buf_reset(&m->subject);
    if (subject.data[subject.len - 1] == '>') {
        buf_append(&m->subject, subject.data, subject.len - 1);
        buf_append_slice(&m->subject, row->values[EVENT_COLUMN_NATS_SUBJECT]);
    } else {
        buf_append_slice(&m->subject, subject);
    }
    return nats_subject_valid(buf_slice(&m->subject), false) && m->subject.data[0] != '$';
}

bool publisher_make(struct publisher *p, struct publisher_message *m,
                    const struct follow_event *row)
{
    if (!make_subject(p, m, row))
        return false;
    make_headers(p, m, row);
    make_payload(m, row);
    return true;
}

/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include <stddef.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "base/varint.h"

enum {
    /* Memory for unknown fields that is kept for the next message. */
    UNKNOWN_KEPT = 1024 * 1024,
    /* Tags and lengths are 32 bits wide, so no writer needs more bytes; as in protobuf's readers.
     */
    SHORT_VARINT_MAX = 5,
    FIELD_NUMBER_MAX = (1 << 29) - 1,
};

/* The wire types of proto3 (protobuf.dev, Encoding). 3 and 4, the groups of proto2, are refused as
 * protobuf-c does. */
enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

/* The fields of proto/event.proto by number; timestamp_ns is a varint, all others are bytes. */
enum { TIMESTAMP_NS = 4, NUMBERS = 9 };

static const struct {
    bool is_bytes;
    size_t offset;        /* of its slice in struct event */
    const char *not_utf8; /* NULL: may hold anything */
} known[NUMBERS] = {
    [1] = {true, offsetof(struct event, event_id), "event_id is not UTF-8"},
    [2] = {true, offsetof(struct event, event_type_key), "event_type_key is not UTF-8"},
    [3] = {true, offsetof(struct event, event_payload), NULL},
    [5] = {true, offsetof(struct event, worker_id), "source_worker_id is not UTF-8"},
    [6] = {true, offsetof(struct event, simulation_id), "simulation_id is not UTF-8"},
    [7] = {true, offsetof(struct event, payload_format_hint), "payload_content_type is not UTF-8"},
    [8] = {true, offsetof(struct event, correlation_id), "correlation_id is not UTF-8"},
};

struct field {
    uint32_t number;
    unsigned type;      /* an enum wire_type */
    uint64_t varint;    /* the value of a WIRE_VARINT */
    struct slice bytes; /* and of all others */
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
    buf_free(&d->unknown);
    *d = (struct event_decoder){0};
}

void event_decoder_trim(struct event_decoder *d)
{
    buf_reset(&d->unknown);
    buf_trim(&d->unknown, UNKNOWN_KEPT);
}

static enum event_result refuse(struct event_decoder *d, enum event_result result,
                                const char *reason)
{
    d->reason = reason;
    return result;
}

/* The length of a tag or a length; 0 if there is none. Nearly all take one byte. */
static size_t short_varint(struct slice message, size_t at, uint64_t *value)
{
    if (at < message.len && message.data[at] < 0x80) {
        *value = message.data[at];
        return 1;
    }
    size_t len = varint_decode(message, at, value);
    return len <= SHORT_VARINT_MAX ? len : 0;
}

/* Read the value behind a tag and move behind it; false if it is not whole. */
static bool take_value(struct slice message, size_t *at, struct field *f)
{
    uint64_t size;
    if (f->type == WIRE_VARINT) {
        size_t len = varint_decode(message, *at, &f->varint);
        *at += len;
        return len > 0;
    }
    if (f->type == WIRE_LENGTH) {
        size_t len = short_varint(message, *at, &size);
        *at += len;
        if (len == 0)
            return false;
    } else if (f->type == WIRE_FIXED64 || f->type == WIRE_FIXED32) {
        size = f->type == WIRE_FIXED64 ? 8 : 4;
    } else {
        return false;
    }
    if (size > message.len - *at)
        return false;
    f->bytes = (struct slice){message.data + *at, (size_t)size};
    *at += (size_t)size;
    return true;
}

static bool take_field(struct slice message, size_t *at, struct field *f)
{
    uint64_t tag;
    size_t len = short_varint(message, *at, &tag);
    if (len == 0 || tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX)
        return false;
    *at += len;
    f->number = (uint32_t)(tag >> 3);
    f->type = tag & 7;
    return take_value(message, at, f);
}

static bool is_known(const struct field *f)
{
    return f->number < NUMBERS;
}

/* False if it is of another wire type than the schema says. */
static bool put_known(struct event *out, const struct field *f)
{
    if (f->number == TIMESTAMP_NS) {
        out->timestamp_ns = (int64_t)f->varint;
        return f->type == WIRE_VARINT;
    }
    memcpy((char *)out + known[f->number].offset, &f->bytes, sizeof(f->bytes));
    return f->type == WIRE_LENGTH;
}

/* Newer fields have higher numbers and stand side by side at the end: then it takes no copy. */
static void add_unknown(struct event_decoder *d, struct slice *run, struct slice field)
{
    if (run->len > 0 && run->data + run->len != field.data) {
        buf_append_slice(&d->unknown, *run);
        run->len = 0;
    }
    if (run->len == 0)
        run->data = field.data;
    run->len += field.len;
}

static struct slice unknown_fields(struct event_decoder *d, struct slice run)
{
    if (d->unknown.len == 0)
        return run;
    buf_append_slice(&d->unknown, run);
    return buf_slice(&d->unknown);
}

static const char *text_fault(const struct event *e)
{
    for (size_t i = 1; i < NUMBERS; i++) {
        struct slice text;
        if (known[i].not_utf8 == NULL)
            continue;
        memcpy(&text, (const char *)e + known[i].offset, sizeof(text));
        if (!utf8_valid(text))
            return known[i].not_utf8;
    }
    return NULL;
}

/*
 * Nearly every field is a known one that is bytes, with a tag of one byte and a length of one or
 * two. Take such fields as long as there are any; whatever else comes is for take_field, from where
 * *at is.
 */
static void take_short_fields(struct slice message, size_t *at, struct event *out)
{
    while (message.len - *at >= 3) {
        const uint8_t *p = message.data + *at;
        unsigned number = p[0] >> 3, head = 2;
        size_t size = p[1];
        if ((p[0] & 7) != WIRE_LENGTH || number >= NUMBERS || !known[number].is_bytes)
            return;
        if (size >= 0x80) {
            if (p[2] >= 0x80)
                return;
            size = (size & 0x7F) | (size_t)p[2] << 7;
            head = 3;
        }
        if (size > message.len - *at - head)
            return;
        struct slice bytes = {p + head, size};
        memcpy((char *)out + known[number].offset, &bytes, sizeof(bytes));
        *at += head + size;
    }
}

enum event_result event_decode(struct event_decoder *d, struct slice message, struct slice subject,
                               struct event *out)
{
    struct slice run = {0}; /* of unknown fields, side by side */
    struct field field = {0};
    *out = (struct event){0};
    buf_reset(&d->unknown);
    if (message.len > EVENT_SIZE_MAX)
        return refuse(d, EVENT_TOO_LARGE, "larger than 16 MiB");
    if (!utf8_valid(subject))
        return refuse(d, EVENT_NOT_UTF8, "the subject is not UTF-8");
    for (size_t at = 0;;) {
        take_short_fields(message, &at, out);
        if (at == message.len)
            break;
        size_t start = at;
        if (!take_field(message, &at, &field))
            return refuse(d, EVENT_NOT_PROTOBUF, "not a GenericEventRequest");
        if (!is_known(&field))
            add_unknown(d, &run, (struct slice){message.data + start, at - start});
        else if (!put_known(out, &field))
            return refuse(d, EVENT_NOT_PROTOBUF, "not a GenericEventRequest");
    }
    out->unknown_fields = unknown_fields(d, run);
    const char *fault = text_fault(out);
    return fault == NULL ? EVENT_OK : refuse(d, EVENT_NOT_UTF8, fault);
}

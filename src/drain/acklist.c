/* SPDX-License-Identifier: MIT */
#include "drain/acker.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/varint.h"
#include "nats/parse.h"

static uint64_t take_varint(const struct buf *b, size_t *at)
{
    uint64_t value = 0;
    ASSERT(varint_read(buf_slice(b), at, &value)); /* we wrote it */
    return value;
}

/* Differences wrap around, so that any two numbers have one. */
static void put_difference(struct buf *b, uint64_t value, uint64_t before)
{
    varint_append(b, zigzag_encode((int64_t)(value - before)));
}

static uint64_t take_difference(const struct buf *b, size_t *at, uint64_t before)
{
    return before + (uint64_t)zigzag_decode(take_varint(b, at));
}

static uint32_t form_of(struct acklist *list, const struct nats_ack *ack)
{
    /* Nearly always the one form of the one consumer; subjects hold no NUL. */
    uint8_t text[NATS_ACK_MAX];
    size_t len = ack->prefix.len + 1 + ack->suffix.len;
    ASSERT(len <= sizeof(text)); /* numbers stood between the two */
    memcpy(text, ack->prefix.data, ack->prefix.len);
    text[ack->prefix.len] = 0;
    if (ack->suffix.len > 0)
        memcpy(text + ack->prefix.len + 1, ack->suffix.data, ack->suffix.len);
    bool added;
    return map_put(&list->forms, (struct slice){text, len}, &added);
}

void acklist_add(struct acklist *list, const struct nats_ack *ack)
{
    struct nats_ack *last = &list->last;
    varint_append(&list->bytes, form_of(list, ack));
    varint_append(&list->bytes, ack->delivered);
    put_difference(&list->bytes, ack->stream_seq, last->stream_seq);
    put_difference(&list->bytes, ack->consumer_seq, last->consumer_seq);
    put_difference(&list->bytes, (uint64_t)ack->timestamp_ns, (uint64_t)last->timestamp_ns);
    put_difference(&list->bytes, ack->pending, last->pending);
    *last = *ack;
    list->count++;
}

bool acklist_next(const struct acklist *list, struct acklist_cursor *cursor, struct nats_ack *ack)
{
    if (cursor->done == list->count)
        return false;
    const struct buf *b = &list->bytes;
    struct nats_ack *last = &cursor->last;
    struct slice form = map_key(&list->forms, (uint32_t)take_varint(b, &cursor->at));
    size_t prefix_len = (size_t)((const uint8_t *)memchr(form.data, 0, form.len) - form.data);
    last->prefix = (struct slice){form.data, prefix_len};
    last->suffix = (struct slice){form.data + prefix_len + 1, form.len - prefix_len - 1};
    last->delivered = take_varint(b, &cursor->at);
    last->stream_seq = take_difference(b, &cursor->at, last->stream_seq);
    last->consumer_seq = take_difference(b, &cursor->at, last->consumer_seq);
    last->timestamp_ns = (int64_t)take_difference(b, &cursor->at, (uint64_t)last->timestamp_ns);
    last->pending = take_difference(b, &cursor->at, last->pending);
    cursor->done++;
    *ack = *last;
    return true;
}

void acklist_free(struct acklist *list)
{
    map_free(&list->forms);
    buf_free(&list->bytes);
    list->count = 0;
    list->last = (struct nats_ack){0};
}

/* SPDX-License-Identifier: MIT */
#include "nats/ack.h"

#include <string.h>

static const char ack_start[] = "$JS.ACK.";

enum {
    NUMBERS = 5,     /* delivered, sseq, cseq, time, pending */
    SHORT_NAMES = 4, /* $JS ACK stream consumer */
    LONG_NAMES = 6,  /* $JS ACK domain account stream consumer */
};

bool nats_ack_is(struct slice reply)
{
    return reply.len > sizeof(ack_start) - 1 &&
           memcmp(reply.data, ack_start, sizeof(ack_start) - 1) == 0;
}

/* Take ".<decimal>" off the end, but leave the dot. A leading zero would be lost when the subject
 * is put together again. */
static bool take_number(struct slice *s, uint64_t *value)
{
    uint64_t sum = 0, scale = 1;
    size_t i = s->len;
    while (i > 0 && s->data[i - 1] >= '0' && s->data[i - 1] <= '9') {
        uint64_t digit = (uint64_t)(s->data[--i] - '0');
        size_t place = s->len - 1 - i;
        if (place > 19 || (place == 19 && (digit > 1 || sum > UINT64_MAX - digit * scale)))
            return false;
        sum += digit * scale;
        scale *= 10;
    }
    size_t digits = s->len - i;
    if (digits == 0 || i == 0 || s->data[i - 1] != '.' || (digits > 1 && s->data[i] == '0'))
        return false;
    s->len = i;
    *value = sum;
    return true;
}

/* Take the five numbers off the end. */
static bool take_numbers(struct slice *s, struct nats_ack *ack)
{
    uint64_t values[NUMBERS];
    for (int i = NUMBERS - 1; i >= 0; i--) {
        if (!take_number(s, &values[i]))
            return false;
        if (i > 0)
            s->len--; /* the dot between two numbers */
    }
    if (values[3] > INT64_MAX)
        return false;
    ack->delivered = values[0];
    ack->stream_seq = values[1];
    ack->consumer_seq = values[2];
    ack->timestamp_ns = (int64_t)values[3];
    ack->pending = values[4];
    return true;
}

static size_t count_dots(struct slice s)
{
    size_t dots = 0;
    for (size_t i = 0; i < s.len; i++)
        dots += s.data[i] == '.';
    return dots;
}

/* Where the token with this number (from 0) ends; s.len if there are not that many. */
static size_t token_end(struct slice s, size_t number)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] == '.' && number-- == 0)
            return i;
    return s.len;
}

bool nats_ack_parse(struct slice reply, struct nats_ack *ack)
{
    if (!nats_ack_is(reply) || reply.len > NATS_ACK_MAX)
        return false;

    /* Without a suffix, as nearly always, one pass from the right sees each byte once. */
    struct slice rest = reply;
    if (take_numbers(&rest, ack)) {
        size_t names = count_dots(rest);
        if (names == SHORT_NAMES || names == LONG_NAMES) {
            ack->prefix = rest;
            ack->suffix = (struct slice){reply.data + reply.len, 0};
            return true;
        }
    }
    size_t end = token_end(reply, LONG_NAMES + NUMBERS - 1);
    if (end == reply.len)
        return false;
    rest = (struct slice){reply.data, end};
    if (!take_numbers(&rest, ack))
        return false;
    ack->prefix = rest;
    ack->suffix = (struct slice){reply.data + end, reply.len - end};
    return true;
}

/* Write the digits of `value` so that they end at `end`; returns where they begin. */
static char *put_number(char *end, uint64_t value)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return end;
}

void nats_ack_append_subject(struct buf *out, const struct nats_ack *ack)
{
    /* From right to left in one piece: an append for each number costs more than its digits. */
    char text[NUMBERS * 21];
    char *end = text + sizeof(text);
    char *start = put_number(end, ack->pending);
    *--start = '.';
    start = put_number(start, (uint64_t)ack->timestamp_ns);
    *--start = '.';
    start = put_number(start, ack->consumer_seq);
    *--start = '.';
    start = put_number(start, ack->stream_seq);
    *--start = '.';
    start = put_number(start, ack->delivered);
    buf_append_slice(out, ack->prefix);
    buf_append(out, start, (size_t)(end - start));
    buf_append_slice(out, ack->suffix);
}

void nats_ack_append_publish(struct buf *out, const struct nats_ack *ack)
{
    buf_append(out, "PUB ", 4);
    nats_ack_append_subject(out, ack);
    buf_append(out, " 0\r\n\r\n", 6);
}

bool nats_ack_names(struct slice prefix, struct slice *stream, struct slice *consumer)
{
    size_t dots = count_dots(prefix);
    if (!nats_ack_is(prefix) || prefix.data[prefix.len - 1] != '.' ||
        (dots != SHORT_NAMES && dots != LONG_NAMES))
        return false;
    size_t second = token_end(prefix, dots - 2); /* ends the stream's name */
    size_t first = token_end(prefix, dots - 3);
    *stream = (struct slice){prefix.data + first + 1, second - first - 1};
    *consumer = (struct slice){prefix.data + second + 1, prefix.len - second - 2};
    return true;
}

/* SPDX-License-Identifier: MIT */
#include "nats/ack.h"

#include <string.h>

#include "base/bytes.h"
#include "base/num.h"

static const char ack_start[] = "$JS.ACK.";

enum {
    NUMBERS = 5,                     /* delivered, sseq, cseq, time, pending */
    SHORT_NAMES = 4,                 /* $JS ACK stream consumer */
    LONG_NAMES = 6,                  /* $JS ACK domain account stream consumer */
    DOTS_MAX = LONG_NAMES + NUMBERS, /* the last one begins a suffix */
};

bool nats_ack_is(struct slice reply)
{
    return reply.len > sizeof(ack_start) - 1 &&
           memcmp(reply.data, ack_start, sizeof(ack_start) - 1) == 0;
}

/* Add where the bytes of `found` are, which count from `at`; returns how many there are then. */
static size_t add_dots(size_t dots[static DOTS_MAX], size_t count, uint32_t found, size_t at)
{
    for (; found != 0 && count < DOTS_MAX; found &= found - 1)
        dots[count++] = at + (size_t)__builtin_ctz(found);
    return count;
}

/* Where the first dots are, at most DOTS_MAX; returns how many. */
static size_t find_dots(struct slice s, size_t dots[static DOTS_MAX])
{
    size_t count = 0, at = 0;
    for (; s.len - at >= BYTES_WIDE; at += BYTES_WIDE)
        count = add_dots(dots, count, bytes_where(s.data + at, '.'), at);
    if (at > 0) { /* the rest, with some bytes again, which are shifted out */
        uint32_t last = bytes_where(s.data + s.len - BYTES_WIDE, '.');
        return add_dots(dots, count, last >> (BYTES_WIDE - (s.len - at)), at);
    }
    for (; at < s.len && count < DOTS_MAX; at++)
        if (s.data[at] == '.')
            dots[count++] = at;
    return count;
}

/* The number from `start` to `end`, behind what all these subjects begin with. A leading zero would
 * be lost when the subject is put together again. */
static bool take_number(struct slice s, size_t start, size_t end, uint64_t *value)
{
    struct slice digits = {s.data + start, end - start};
    if (digits.len == 1) { /* nearly all are delivered once */
        *value = (uint64_t)(digits.data[0] - '0');
        return digits.data[0] >= '0' && digits.data[0] <= '9';
    }
    return (digits.len < 2 || digits.data[0] != '0') && num_parse_u64_within(digits, value);
}

/* The numbers behind these dots; the last one ends at `end`. */
static bool take_numbers(struct slice reply, const size_t dots[static NUMBERS], size_t end,
                         struct nats_ack *ack)
{
    uint64_t values[NUMBERS];
    for (size_t i = 0; i < NUMBERS; i++)
        if (!take_number(reply, dots[i] + 1, i + 1 < NUMBERS ? dots[i + 1] : end, &values[i]))
            return false;
    if (values[3] > INT64_MAX)
        return false;
    ack->delivered = values[0];
    ack->stream_seq = values[1];
    ack->consumer_seq = values[2];
    ack->timestamp_ns = (int64_t)values[3];
    ack->pending = values[4];
    return true;
}

bool nats_ack_parse(struct slice reply, struct nats_ack *ack)
{
    size_t dots[DOTS_MAX];
    if (!nats_ack_is(reply) || reply.len > NATS_ACK_MAX)
        return false;
    size_t count = find_dots(reply, dots);
    size_t names = count == SHORT_NAMES + NUMBERS - 1 ? SHORT_NAMES : LONG_NAMES;
    if (count < names + NUMBERS - 1)
        return false;
    size_t end = count == DOTS_MAX ? dots[DOTS_MAX - 1] : reply.len;
    if (!take_numbers(reply, &dots[names - 1], end, ack))
        return false;
    ack->prefix = (struct slice){reply.data, dots[names - 1] + 1};
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
    size_t dots[DOTS_MAX];
    size_t names = find_dots(prefix, dots);
    if (!nats_ack_is(prefix) || prefix.data[prefix.len - 1] != '.' ||
        (names != SHORT_NAMES && names != LONG_NAMES))
        return false;
    size_t first = dots[names - 3] + 1, second = dots[names - 2] + 1;
    *stream = (struct slice){prefix.data + first, second - 1 - first};
    *consumer = (struct slice){prefix.data + second, dots[names - 1] - second};
    return true;
}

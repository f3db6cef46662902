/* SPDX-License-Identifier: MIT */
#include "nats/pull.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"

static const struct entry {
    int status;
    const char *prefix; /* of the text; "" is any */
    enum nats_status_kind kind;
} table[] = {
    {100, "", NATS_STATUS_HEARTBEAT},
    {400, "", NATS_STATUS_BAD_REQUEST},
    {404, "", NATS_STATUS_NO_MESSAGES},
    {408, "", NATS_STATUS_EXPIRED},
    {409, "Message Size Exceeds MaxBytes", NATS_STATUS_TOO_BIG},
    {409, "Batch Completed", NATS_STATUS_COMPLETED},
    {409, "Exceeded MaxRequestBatch", NATS_STATUS_MAX_BATCH},
    {409, "Exceeded MaxRequestExpires", NATS_STATUS_MAX_EXPIRES},
    {409, "Exceeded MaxRequestMaxBytes", NATS_STATUS_MAX_BYTES},
    {409, "Exceeded MaxWaiting", NATS_STATUS_MAX_WAITING},
    {409, "Consumer Deleted", NATS_STATUS_DELETED},
    {409, "Leadership Change", NATS_STATUS_LEADER_CHANGE},
    {409, "Server Shutdown", NATS_STATUS_SHUTDOWN},
    {409, "Consumer is push based", NATS_STATUS_PUSH_CONSUMER},
    {412, "", NATS_STATUS_BAD_REQUEST},
    {423, "", NATS_STATUS_PIN_LOST},
    {503, "", NATS_STATUS_NO_RESPONDERS},
};

static bool starts_with(struct slice text, const char *prefix)
{
    size_t len = strlen(prefix);
    return len == 0 || (text.len >= len && strncasecmp((const char *)text.data, prefix, len) == 0);
}

static struct slice last_word(struct slice text)
{
    size_t start = text.len;
    while (start > 0 && text.data[start - 1] != ' ')
        start--;
    return (struct slice){text.data != NULL ? text.data + start : NULL, text.len - start};
}

/* Take one of Go's units off the front; its length in nanoseconds, 0 if there is none. */
static uint64_t take_unit(struct slice *s)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1},
                 {"us", 1000},
                 {"\xc2\xb5s", 1000},
                 {"ms", 1000 * 1000},
                 {"s", 1000000000},
                 {"m", UINT64_C(60) * 1000000000},
                 {"h", UINT64_C(3600) * 1000000000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (slice_starts_with(*s, units[i].name)) {
            s->data += strlen(units[i].name);
            s->len -= strlen(units[i].name);
            return units[i].ns;
        }
    }
    return 0;
}

/* A duration as Go prints it, such as 1m0s or 1.5s, in nanoseconds; 0 if it is none. The fraction
 * is dropped: this is an upper limit. */
static uint64_t parse_go_duration(struct slice s)
{
    uint64_t sum = 0;
    while (s.len > 0) {
        uint64_t value = 0, part, unit;
        struct slice digits = {s.data, 0};
        while (digits.len < s.len && s.data[digits.len] >= '0' && s.data[digits.len] <= '9')
            digits.len++;
        if (!num_parse_u64(digits, &value))
            return 0;
        s.data += digits.len;
        s.len -= digits.len;
        if (s.len > 0 && s.data[0] == '.') {
            do {
                s.data++;
                s.len--;
            } while (s.len > 0 && s.data[0] >= '0' && s.data[0] <= '9');
        }
        unit = take_unit(&s);
        if (unit == 0 || !num_mul_u64(value, unit, &part) || !num_add_u64(sum, part, &sum))
            return 0;
    }
    return sum;
}

static uint64_t limit_of(enum nats_status_kind kind, struct slice text)
{
    uint64_t limit = 0;
    struct slice word = last_word(text);
    if (kind == NATS_STATUS_MAX_EXPIRES)
        return parse_go_duration(word);
    if (kind == NATS_STATUS_MAX_BATCH || kind == NATS_STATUS_MAX_BYTES)
        return num_parse_u64(word, &limit) ? limit : 0;
    return 0;
}

struct nats_status nats_status_classify(const struct nats_header *header)
{
    struct nats_status status = {.kind = NATS_STATUS_OTHER};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == header->status && starts_with(header->text, table[i].prefix)) {
            status.kind = table[i].kind;
            break;
        }
    }
    status.limit = limit_of(status.kind, header->text);
    if (status.kind == NATS_STATUS_HEARTBEAT)
        nats_header_get_u64(header, "Nats-Last-Consumer", &status.last_consumer_seq);
    return status;
}

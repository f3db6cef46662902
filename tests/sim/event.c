/* SPDX-License-Identifier: MIT */
#include "event.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "random.h"

enum {
    BAD = 40, /* one message in so many is none of an event */
    PAYLOAD_MAX = 200,
    HOUR = 3600,
};

/* The fields of event number n. */
struct fields {
    int64_t timestamp;
    char id[16], type[32], worker[16], simulation[16], hint[32], correlation[16];
    uint8_t payload[PAYLOAD_MAX];
    size_t payload_len;
    uint8_t unknown[4];
    size_t unknown_len;
    bool bad;
};

static const char *const types[] = {"sim.world_state.v1", "sim.agent_observation.v1",
                                    "sim.agent_reward.v1", "ai.agent_action.v1", ""};

static void choose(uint32_t number, int64_t base, struct fields *f)
{
    struct sim_random r = {number * UINT64_C(0x9e3779b97f4a7c15)};
    *f = (struct fields){0};
    (void)snprintf(f->id, sizeof(f->id), "<e%u>", number);
    (void)snprintf(f->type, sizeof(f->type), "%s", types[sim_random_below(&r, 5)]);
    (void)snprintf(f->worker, sizeof(f->worker), "w-%u", (unsigned)sim_random_below(&r, 4));
    if (sim_random_chance(&r, 900))
        (void)snprintf(f->simulation, sizeof(f->simulation), "sim-%u",
                       (unsigned)sim_random_below(&r, 3));
    if (sim_random_chance(&r, 500))
        (void)snprintf(f->hint, sizeof(f->hint), "application/protobuf");
    if (sim_random_chance(&r, 500))
        (void)snprintf(f->correlation, sizeof(f->correlation), "c-%u", number);
    f->timestamp = base - sim_random_between(&r, 0, 2 * HOUR * CLOCK_SECOND);
    if (sim_random_chance(&r, 20))
        f->timestamp = 0;
    f->payload_len = (size_t)sim_random_below(&r, PAYLOAD_MAX + 1);
    for (size_t i = 0; i < f->payload_len; i++)
        f->payload[i] = (uint8_t)sim_random_next(&r);
    if (sim_random_chance(&r, 100)) {
        static const uint8_t field_20[] = {0xa0, 0x01, 0x07}; /* a varint that nobody knows */
        memcpy(f->unknown, field_20, sizeof(field_20));
        f->unknown_len = sizeof(field_20);
    }
    f->bad = number % BAD == BAD - 1;
}

static void put_varint(struct buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buf_append_byte(out, (uint8_t)(value | 0x80));
    buf_append_byte(out, (uint8_t)value);
}

static void put_bytes(struct buf *out, unsigned field, const void *data, size_t len)
{
    if (len == 0)
        return;
    put_varint(out, field << 3 | 2);
    put_varint(out, len);
    buf_append(out, data, len);
}

static void put_string(struct buf *out, unsigned field, const char *text)
{
    put_bytes(out, field, text, strlen(text));
}

bool sim_event_make(uint32_t number, int64_t base, struct buf *out)
{
    struct fields f;
    choose(number, base, &f);
    if (f.bad) {
        buf_append_byte(out, 0xff); /* a tag that does not end within its bytes */
        buf_append_text(out, f.id);
        return false;
    }
    put_string(out, 1, f.id);
    put_string(out, 2, f.type);
    put_bytes(out, 3, f.payload, f.payload_len);
    if (f.timestamp != 0) {
        put_varint(out, 4 << 3);
        put_varint(out, (uint64_t)f.timestamp);
    }
    put_string(out, 5, f.worker);
    put_string(out, 6, f.simulation);
    put_string(out, 7, f.hint);
    put_string(out, 8, f.correlation);
    buf_append(out, f.unknown, f.unknown_len);
    return true;
}

void sim_event_header(uint32_t number, struct buf *out)
{
    if (number % 5 != 0)
        return;
    buf_printf(out, "NATS/1.0\r\ntraceparent: 00-%08x\r\n", number);
    if (number % 35 == 0) /* as of a server that has left the body out */
        buf_append_text(out, "Nats-Msg-Size: 12\r\n");
    if (number % 20 == 0)
        buf_append_text(out, "empty:\r\nempty:  \xc3\xa9\r\n");
    buf_append_text(out, "\r\n");
}

bool sim_event_number(struct slice bytes, uint32_t *number)
{
    for (size_t i = 0; i + 2 < bytes.len; i++) {
        if (bytes.data[i] != '<' || bytes.data[i + 1] != 'e')
            continue;
        *number = 0;
        size_t at = i + 2;
        for (; at < bytes.len && bytes.data[at] >= '0' && bytes.data[at] <= '9'; at++)
            *number = *number * 10 + (uint32_t)(bytes.data[at] - '0');
        return at < bytes.len && bytes.data[at] == '>';
    }
    return false;
}

static struct slice text(const char *value)
{
    return slice_of(value);
}

void sim_event_row(uint32_t number, int64_t base, struct slice columns[static SIM_EVENT_COLUMNS])
{
    static struct fields f;
    static uint8_t timestamp[8];
    choose(number, base, &f);
    for (int i = 0; i < 8; i++)
        timestamp[i] = (uint8_t)((uint64_t)f.timestamp >> (8 * i));
    columns[0] = (struct slice){timestamp, sizeof(timestamp)};
    columns[1] = text(f.id);
    columns[2] = text(f.type);
    columns[3] = (struct slice){f.payload, f.payload_len};
    columns[4] = text(f.worker);
    columns[5] = text(f.simulation);
    columns[6] = text(f.hint);
    columns[7] = f.correlation[0] == '\0' ? (struct slice){0} : text(f.correlation);
    columns[8] = f.unknown_len == 0 ? (struct slice){0} : (struct slice){f.unknown, f.unknown_len};
}

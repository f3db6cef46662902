/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/varint.h"

/* splitmix64 */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static uint64_t draw(uint64_t *state)
{
    *state += UINT64_C(0x9E3779B97F4A7C15);
    return mix(*state);
}

/* As proto3 has it, empty and zero fields are left out. */

static void append_bytes(struct buf *out, uint32_t field, const void *data, size_t len)
{
    if (len == 0)
        return;
    varint_append(out, field << 3 | 2);
    varint_append(out, len);
    buf_append(out, data, len);
}

static void append_text(struct buf *out, uint32_t field, const char *text)
{
    append_bytes(out, field, text, strlen(text));
}

static void append_number(struct buf *out, uint32_t field, uint64_t value)
{
    if (value == 0)
        return;
    varint_append(out, field << 3);
    varint_append(out, value);
}

/* Floats that are exact: whole 256ths, in a range of `span` of them around 0. */
static void append_floats(struct buf *out, uint32_t field, uint64_t *state, size_t count,
                          uint64_t span)
{
    uint8_t packed[64];
    for (size_t i = 0; i < count; i++) {
        int64_t steps = (int64_t)(draw(state) % span) - (int64_t)(span / 2);
        float value = (float)steps / 256.0F;
        uint32_t bits;
        memcpy(&bits, &value, sizeof(bits));
        store_u32le(packed + 4 * i, bits);
    }
    append_bytes(out, field, packed, 4 * count);
}

static void append_observation(struct buf *out, uint64_t index, uint64_t *state)
{
    char agent[32];
    snprintf(agent, sizeof(agent), "agent-%04" PRIu64, draw(state) % 500);
    append_text(out, 1, agent);
    append_number(out, 2, index / 100);
    append_floats(out, 3, state, 3, 262144);
    append_floats(out, 4, state, 3, 4096);
    append_floats(out, 5, state, 12, 16384);
    append_number(out, 6, draw(state) % 101);
}

static void append_action(struct buf *out, uint64_t index, uint64_t *state)
{
    char agent[32];
    snprintf(agent, sizeof(agent), "agent-%04" PRIu64, draw(state) % 500);
    append_text(out, 1, agent);
    append_number(out, 2, index / 100);
    append_number(out, 3, draw(state) % 8);
    append_floats(out, 4, state, 4, 512);
    append_text(out, 5, "policy/explore-v3");
}

static void append_reward(struct buf *out, uint64_t index, uint64_t *state)
{
    uint64_t agent = draw(state) % 500;
    uint64_t hundredths = draw(state) % 20001;
    bool negative = hundredths < 10000;
    uint64_t size = negative ? 10000 - hundredths : hundredths - 10000;
    buf_printf(out,
               "{\"agent\":\"agent-%04" PRIu64 "\",\"tick\":%" PRIu64 ",\"reward\":%s%" PRIu64
               ".%02" PRIu64 ",\"done\":%s}",
               agent, index / 100, negative ? "-" : "", size / 100, size % 100,
               draw(state) % 200 == 0 ? "true" : "false");
}

/* The layout of a FlatBuffer from afar: a root offset, an identifier, then 16 bytes an entity. */
static void append_world(struct buf *out, uint64_t index, uint64_t *state)
{
    uint64_t entities = 1000 + draw(state) % 2000;
    buf_append_u32le(out, 16);
    buf_append_text(out, "FWST");
    buf_append_u64le(out, index / 100);
    for (uint64_t i = 0; i < entities; i++) {
        uint64_t r = draw(state);
        buf_append_u32le(out, (uint32_t)i);
        buf_append_u32le(out, (uint32_t)(r & 0xFFFF));
        buf_append_u32le(out, (uint32_t)(r >> 16 & 0xFFFF));
        buf_append_u32le(out, (uint32_t)(r >> 32 & 0xFF));
    }
}

/* What share of 1000 events each type has. */
static const struct type {
    uint64_t share;
    const char *key;
    const char *content;
    void (*append)(struct buf *out, uint64_t index, uint64_t *state);
} types[] = {
    {480, "sim.agent_observation.v1",
     "application/protobuf; message=fes.simulation.agent.AgentObservation", append_observation},
    {320, "ai.agent_action.v1", "application/protobuf; message=fes.simulation.agent.AgentAction",
     append_action},
    {197, "sim.agent_reward.v1", "application/json", append_reward},
    {3, "sim.world_state.v1", "application/x-flatbuffers; table=WorldStateUpdate", append_world},
};

static const struct type *pick_type(uint64_t number)
{
    size_t i = 0;
    while (number >= types[i].share)
        number -= types[i++].share;
    return &types[i];
}

static void resize_payload(struct buf *payload, uint64_t size, uint64_t *state)
{
    while (payload->len < size)
        buf_append_u64le(payload, draw(state));
    payload->len = (size_t)size;
}

/* The form of a random UUID (version 4). */
static void format_uuid(char out[static 37], uint64_t a, uint64_t b)
{
    snprintf(out, 37, "%08" PRIx64 "-%04" PRIx64 "-4%03" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
             a >> 32, a >> 16 & 0xFFFF, a & 0xFFF, (b >> 48 & 0x3FFF) | 0x8000,
             b & UINT64_C(0xFFFFFFFFFFFF));
}

/* 100 events before some full hour of 2024, so that every run crosses one. */
static uint64_t timestamp_of(const struct load *load, uint64_t index, uint64_t jitter)
{
    const uint64_t hour = UINT64_C(3600000000000);
    uint64_t step = hour / load->per_hour;
    uint64_t start = UINT64_C(1704067200000000000) + (1 + mix(load->seed) % 8000) * hour;
    return start - 100 * step + index * step + jitter % (2 * step + 1);
}

static void format_simulation(const struct load *load, uint64_t number,
                              char out[LOAD_SIMULATION_MAX])
{
    out[0] = '\0';
    if (number % 1000 != 0)
        snprintf(out, LOAD_SIMULATION_MAX, "sim-%04" PRIu64,
                 1 + (number >> 32) % load->simulations);
}

enum { DRAWN_BEFORE_SIMULATION = 4 }; /* its type, two halves of its identity, its worker */

void load_simulation(const struct load *load, uint64_t index, char out[LOAD_SIMULATION_MAX])
{
    uint64_t state = mix(mix(load->seed) + index);
    for (int i = 0; i < DRAWN_BEFORE_SIMULATION; i++)
        (void)draw(&state);
    format_simulation(load, draw(&state), out);
}

void load_event(const struct load *load, uint64_t index, struct buf *out)
{
    uint64_t state = mix(mix(load->seed) + index);
    const struct type *type = pick_type(draw(&state) % 1000);
    char id[37], correlation[37] = "", worker[32], simulation[LOAD_SIMULATION_MAX];
    uint64_t a = draw(&state);
    format_uuid(id, a, draw(&state));
    snprintf(worker, sizeof(worker), "worker-%02" PRIu64, 1 + draw(&state) % 8);
    format_simulation(load, draw(&state), simulation);
    uint64_t timestamp = timestamp_of(load, index, draw(&state));
    /* Four events in a row belong together; every fourth such group has no correlation. */
    uint64_t group = mix(mix(~load->seed) + index / 4);
    if (group % 4 != 0)
        format_uuid(correlation, group, mix(group));
    uint64_t oddity = draw(&state) % 128;

    struct buf payload = {0};
    type->append(&payload, index, &state);
    if (load->payload_bytes > 0)
        resize_payload(&payload, load->payload_bytes, &state);

    /* Fields of some later version of the envelope: 17 comes first, 9 last. */
    if (oddity == 0) {
        varint_append(out, 17 << 3 | 1);
        buf_append_u64le(out, index);
    }
    append_text(out, 1, id);
    append_text(out, 2, type->key);
    append_bytes(out, 3, payload.data, payload.len);
    append_number(out, 4, timestamp);
    append_text(out, 5, worker);
    append_text(out, 6, simulation);
    append_text(out, 7, type->content);
    append_text(out, 8, correlation);
    if (oddity <= 1)
        append_text(out, 9, "trace/7");
    buf_free(&payload);
}

void load_corrupt(const struct load *load, uint64_t index, struct buf *out)
{
    size_t start = out->len;
    switch (index % 4) {
    case 0: /* an event that is cut off: its last field is a text */
        load_event(load, index, out);
        out->len--;
        break;
    case 1:
        buf_printf(out, "{\"not\":\"an event\",\"number\":%" PRIu64 "}", index);
        break;
    case 2: /* an event, but for the text of its first field */
        load_event(load, index, out);
        out->data[start + 2 + (out->data[start] == 0x0A ? 0 : 10)] = 0xFF;
        break;
    case 3:
        buf_append_byte(out, 0x07); /* no wire type */
        buf_append_u64le(out, mix(index));
        break;
    }
}

/* SPDX-License-Identifier: MIT */
#include "event/payload_scan.h"

#include <string.h>

enum wire_type payload_wire_type(enum descriptor_type type)
{
    switch (type) {
    case DESCRIPTOR_DOUBLE:
    case DESCRIPTOR_FIXED64:
    case DESCRIPTOR_SFIXED64:
        return WIRE_64;
    case DESCRIPTOR_FLOAT:
    case DESCRIPTOR_FIXED32:
    case DESCRIPTOR_SFIXED32:
        return WIRE_32;
    case DESCRIPTOR_GROUP:
        return WIRE_GROUP;
    case DESCRIPTOR_STRING:
    case DESCRIPTOR_BYTES:
    case DESCRIPTOR_MESSAGE:
        return WIRE_BYTES;
    case DESCRIPTOR_INT64:
    case DESCRIPTOR_UINT64:
    case DESCRIPTOR_INT32:
    case DESCRIPTOR_BOOL:
    case DESCRIPTOR_UINT32:
    case DESCRIPTOR_ENUM:
    case DESCRIPTOR_SINT32:
    case DESCRIPTOR_SINT64:
        break;
    }
    return WIRE_VARINT;
}

bool payload_is_message(const struct plan_field *f)
{
    return f->field->type == DESCRIPTOR_MESSAGE || f->field->type == DESCRIPTOR_GROUP;
}

static const struct plan_field *find_field(const struct plan *plan, uint32_t number)
{
    uint32_t low = 0, high = plan->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (plan->fields[middle].field->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < plan->count && plan->fields[low].field->number == number ? &plan->fields[low]
                                                                          : NULL;
}

/* Of a oneof only the last one on the wire counts. */
static void clear_others(const struct plan *plan, struct slot *slots, uint32_t kept)
{
    int32_t oneof = plan->fields[kept].field->oneof;
    for (uint32_t i = 0; i < plan->count && oneof >= 0; i++)
        if (i != kept && plan->fields[i].field->oneof == oneof)
            slots[i] = (struct slot){0};
}

/* A message that comes twice is both, one behind the other: that is how protobuf merges. */
static void merge(struct arena *arena, struct wire_field *into, struct slice more)
{
    size_t len = into->bytes.len + more.len;
    uint8_t *both = arena_alloc(arena, len + 1);
    if (into->bytes.len > 0)
        memcpy(both, into->bytes.data, into->bytes.len);
    if (more.len > 0)
        memcpy(both + into->bytes.len, more.data, more.len);
    into->bytes = (struct slice){both, len};
}

static void keep(struct arena *arena, struct slot *slot, const struct plan_field *f,
                 const struct wire_field *wire)
{
    if (slot->first != NULL && !f->field->repeated) {
        if (payload_is_message(f))
            merge(arena, &slot->first->wire, wire->bytes);
        else
            slot->first->wire = *wire;
        return;
    }
    struct item *item = arena_alloc(arena, sizeof(*item));
    *item = (struct item){.wire = *wire};
    if (slot->first == NULL)
        slot->first = item;
    else
        slot->last->next = item;
    slot->last = item;
}

/* Whether a field on the wire can be one of this type; others are unknown ones. */
static bool fits(const struct plan_field *f, enum wire_type type)
{
    enum wire_type own = payload_wire_type(f->field->type);
    if (payload_is_message(f))
        return type == WIRE_BYTES || type == WIRE_GROUP;
    return type == own || (f->field->repeated && type == WIRE_BYTES);
}

struct slot *payload_scan(struct arena *arena, const struct plan *plan, struct slice message)
{
    struct slot *slots = arena_calloc(arena, plan->count + (size_t)1, sizeof(*slots));
    struct wire_field wire;
    size_t at = 0;
    int more;
    while ((more = protobuf_next(message, &at, &wire)) == 1) {
        const struct plan_field *f = find_field(plan, wire.number);
        if (f == NULL || !fits(f, wire.type))
            continue;
        uint32_t index = (uint32_t)(f - plan->fields);
        keep(arena, &slots[index], f, &wire);
        clear_others(plan, slots, index);
    }
    return more == 0 ? slots : NULL;
}

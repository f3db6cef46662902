/* SPDX-License-Identifier: MIT */
#include "event/payload_scan.h"

#include <string.h>

#include "base/bytes.h"

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

/* Fields mostly come in their order: `guess` is the number behind the one before. */
static const struct plan_field *find_field(const struct plan *plan, uint32_t number, uint32_t guess)
{
    uint32_t low = 0, high = plan->count;
    if (guess < high && plan->fields[guess].field->number == number)
        return &plan->fields[guess];
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
    for (uint32_t i = 0; i < plan->count; i++)
        if (i != kept && plan->fields[i].field->oneof == oneof)
            slots[i].last = NULL;
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

/* Where the next value of a field goes; NULL: it is another part of a message that is there. */
static struct wire_field *place(struct arena *arena, struct slot *slot, const struct plan_field *f)
{
    struct item *item = &slot->first;
    if (slot->last != NULL && !f->field->repeated)
        return f->is_message ? NULL : &item->wire;
    if (slot->last != NULL)
        item = slot->last->next = arena_alloc(arena, sizeof(*item));
    item->next = NULL;
    slot->last = item;
    return &item->wire;
}

/* Whether a field on the wire can be one of this type; others are unknown ones. */
static bool fits(const struct plan_field *f, enum wire_type type)
{
    if (f->is_message)
        return type == WIRE_BYTES || type == WIRE_GROUP;
    return type == f->wire || (f->field->repeated && type == WIRE_BYTES);
}

/* protobuf_tag; most tags are one byte. */
static inline int take_tag(struct slice message, size_t *at, struct wire_field *out)
{
    if (*at == message.len || message.data[*at] < 1 << 3 || message.data[*at] > 0x7F)
        return protobuf_tag(message, at, out);
    uint8_t tag = message.data[(*at)++];
    out->number = tag >> 3;
    out->type = (enum wire_type)(tag & 7);
    return out->type <= WIRE_32 && out->type != WIRE_GROUP_END ? 1 : -1;
}

/* protobuf_content; most lengths and many numbers are one byte. */
static inline bool take_content(struct slice message, size_t *at, struct wire_field *out)
{
    const uint8_t *from = message.data + *at;
    size_t left = message.len - *at, taken = 0;
    out->value = 0;
    out->bytes = (struct slice){0};
    if (out->type == WIRE_VARINT && left > 0 && *from < 0x80) {
        out->value = *from;
        taken = 1;
    } else if (out->type == WIRE_BYTES && left > 0 && *from < 0x80 && *from < left) {
        out->bytes = (struct slice){from + 1, *from};
        taken = out->bytes.len + 1;
    } else if (out->type == WIRE_32 && left >= 4) {
        out->value = load_u32le(from);
        taken = 4;
    } else if (out->type == WIRE_64 && left >= 8) {
        out->value = load_u64le(from);
        taken = 8;
    }
    *at += taken;
    return taken > 0 || protobuf_content(message, at, out);
}

struct slot *payload_scan(struct arena *arena, const struct plan *plan, struct slice message)
{
    struct slot *slots = arena_alloc(arena, (plan->count + (size_t)1) * sizeof(*slots));
    struct wire_field tag, other;
    uint32_t guess = 0;
    size_t at = 0;
    int more;
    for (uint32_t i = 0; i < plan->count; i++)
        slots[i].last = NULL;
    while ((more = take_tag(message, &at, &tag)) == 1) {
        const struct plan_field *f = find_field(plan, tag.number, guess);
        bool known = f != NULL && fits(f, tag.type);
        uint32_t index = known ? (uint32_t)(f - plan->fields) : 0;
        struct wire_field *own = known ? place(arena, &slots[index], f) : NULL;
        struct wire_field *wire = own != NULL ? own : &other;
        wire->number = tag.number;
        wire->type = tag.type;
        if (!take_content(message, &at, wire))
            return NULL;
        if (!known)
            continue;
        if (own == NULL)
            merge(arena, &slots[index].first.wire, wire->bytes);
        if (f->field->oneof >= 0)
            clear_others(plan, slots, index);
        guess = index + 1;
    }
    return more == 0 ? slots : NULL;
}

bool payload_scan_pair(struct slice message, struct wire_field pair[static 2])
{
    struct wire_field wire;
    size_t at = 0;
    int more;
    pair[0] = pair[1] = (struct wire_field){0};
    while ((more = protobuf_next(message, &at, &wire)) == 1)
        if (wire.number == 1 || wire.number == 2)
            pair[wire.number - 1] = wire;
    return more == 0;
}

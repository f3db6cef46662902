/* SPDX-License-Identifier: MIT */
#include "event/flatbuffer.h"

enum { OFFSET = 4, VTABLE_HEAD = 4, SLOT = 2 };

unsigned flat_width(enum flat_type type)
{
    static const uint8_t widths[FLAT_TYPES] = {
        [FLAT_UTYPE] = 1,  [FLAT_BOOL] = 1,   [FLAT_BYTE] = 1,  [FLAT_UBYTE] = 1,
        [FLAT_SHORT] = 2,  [FLAT_USHORT] = 2, [FLAT_INT] = 4,   [FLAT_UINT] = 4,
        [FLAT_LONG] = 8,   [FLAT_ULONG] = 8,  [FLAT_FLOAT] = 4, [FLAT_DOUBLE] = 8,
        [FLAT_STRING] = 4, [FLAT_VECTOR] = 4, [FLAT_UNION] = 4,
    };
    return widths[type];
}

static bool is_within(struct slice buffer, size_t at, size_t len)
{
    return at <= buffer.len && len <= buffer.len - at;
}

bool flat_load(struct slice buffer, size_t at, unsigned width, uint64_t *out)
{
    *out = 0;
    if (!is_within(buffer, at, width))
        return false;
    for (unsigned i = width; i-- > 0;)
        *out = *out << 8 | buffer.data[at + i];
    return true;
}

bool flat_follow(struct slice buffer, size_t at, size_t *out)
{
    uint64_t offset;
    *out = 0;
    if (!flat_load(buffer, at, OFFSET, &offset) || offset == 0 || offset > buffer.len - at)
        return false;
    *out = at + (size_t)offset;
    return true;
}

bool flat_table_at(struct slice buffer, size_t at, struct flat_table *out)
{
    uint64_t back, slots_bytes, bytes;
    if (!flat_load(buffer, at, OFFSET, &back))
        return false;
    int64_t slots = (int64_t)at - (int32_t)(uint32_t)back; /* it may stand on either side */
    if (slots < 0 || slots > (int64_t)buffer.len ||
        !flat_load(buffer, (size_t)slots, SLOT, &slots_bytes) ||
        !flat_load(buffer, (size_t)slots + SLOT, SLOT, &bytes))
        return false;
    *out = (struct flat_table){.buffer = buffer,
                               .at = at,
                               .slots = (size_t)slots,
                               .slots_bytes = (uint16_t)slots_bytes,
                               .bytes = (uint16_t)bytes};
    return slots_bytes >= VTABLE_HEAD && slots_bytes % SLOT == 0 && bytes >= OFFSET &&
           is_within(buffer, out->slots, out->slots_bytes) && is_within(buffer, at, out->bytes);
}

bool flat_root(struct slice buffer, struct flat_table *out)
{
    size_t at;
    return flat_follow(buffer, 0, &at) && flat_table_at(buffer, at, out);
}

bool flat_find(const struct flat_table *t, uint32_t offset, size_t *at)
{
    uint64_t found;
    *at = 0;
    if (offset < VTABLE_HEAD || offset % SLOT != 0 || offset >= t->slots_bytes)
        return true;
    if (!flat_load(t->buffer, t->slots + offset, SLOT, &found))
        return false;
    if (found == 0)
        return true;
    *at = t->at + (size_t)found;
    return found >= OFFSET && found < t->bytes;
}

bool flat_vector(struct slice buffer, size_t at, size_t width, size_t *first, uint32_t *count)
{
    uint64_t length;
    size_t place;
    *count = 0;
    *first = 0;
    if (!flat_follow(buffer, at, &place) || !flat_load(buffer, place, OFFSET, &length) ||
        (width > 0 && length > (buffer.len - place - OFFSET) / width))
        return false;
    *first = place + OFFSET;
    *count = (uint32_t)length;
    return true;
}

bool flat_string(struct slice buffer, size_t at, struct slice *out)
{
    size_t first;
    uint32_t len;
    *out = (struct slice){0};
    if (!flat_vector(buffer, at, 1, &first, &len))
        return false;
    *out = (struct slice){buffer.data + first, len};
    return len < buffer.len - first && buffer.data[first + len] == '\0';
}

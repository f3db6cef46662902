/* SPDX-License-Identifier: MIT */
#include "event/protobuf.h"

#include "base/bytes.h"
#include "base/varint.h"

static inline bool take_varint(struct slice bytes, size_t *at, uint64_t *value)
{
    if (*at < bytes.len && bytes.data[*at] < 0x80) { /* most are this short */
        *value = bytes.data[(*at)++];
        return true;
    }
    size_t len = varint_decode(bytes, *at, value);
    *at += len;
    return len > 0;
}

static bool take(struct slice bytes, size_t *at, size_t len, struct slice *out)
{
    if (bytes.len - *at < len)
        return false;
    *out = (struct slice){bytes.data + *at, len};
    *at += len;
    return true;
}

static inline bool take_tag(struct slice message, size_t *at, struct wire_field *out)
{
    uint64_t tag;
    if (!take_varint(message, at, &tag) || tag > UINT32_MAX || tag >> 3 == 0 || (tag & 7) > WIRE_32)
        return false;
    out->number = (uint32_t)(tag >> 3);
    out->type = (enum wire_type)(tag & 7);
    return true;
}

/* All but groups. */
static inline bool take_value(struct slice message, size_t *at, struct wire_field *out)
{
    uint64_t len;
    struct slice fixed;
    switch (out->type) {
    case WIRE_VARINT:
        return take_varint(message, at, &out->value);
    case WIRE_64:
        if (!take(message, at, 8, &fixed))
            return false;
        out->value = load_u64le(fixed.data);
        return true;
    case WIRE_32:
        if (!take(message, at, 4, &fixed))
            return false;
        out->value = load_u32le(fixed.data);
        return true;
    case WIRE_BYTES:
        return take_varint(message, at, &len) && len <= message.len &&
               take(message, at, (size_t)len, &out->bytes);
    case WIRE_GROUP:
    case WIRE_GROUP_END:
        break;
    }
    return false;
}

/* Go behind the end of the group that has begun; its content is `out->bytes`. */
static bool take_group(struct slice message, size_t *at, struct wire_field *out)
{
    uint32_t open[WIRE_DEPTH_MAX];
    struct wire_field inner = {0};
    size_t depth = 0, start = *at;
    open[depth++] = out->number;
    while (depth > 0) {
        size_t before = *at;
        if (!take_tag(message, at, &inner))
            return false;
        if (inner.type == WIRE_GROUP) {
            if (depth == WIRE_DEPTH_MAX)
                return false;
            open[depth++] = inner.number;
        } else if (inner.type == WIRE_GROUP_END) {
            if (open[--depth] != inner.number)
                return false;
            out->bytes = (struct slice){message.data + start, before - start};
        } else if (!take_value(message, at, &inner)) {
            return false;
        }
    }
    return true;
}

int protobuf_tag(struct slice message, size_t *at, struct wire_field *out)
{
    if (*at == message.len)
        return 0;
    return take_tag(message, at, out) && out->type != WIRE_GROUP_END ? 1 : -1;
}

bool protobuf_content(struct slice message, size_t *at, struct wire_field *out)
{
    out->value = 0;
    out->bytes = (struct slice){0};
    return out->type == WIRE_GROUP ? take_group(message, at, out) : take_value(message, at, out);
}

int protobuf_next(struct slice message, size_t *at, struct wire_field *out)
{
    int more = protobuf_tag(message, at, out);
    return more == 1 && !protobuf_content(message, at, out) ? -1 : more;
}

int protobuf_packed(struct slice list, size_t *at, enum wire_type type, uint64_t *value)
{
    struct wire_field field = {.type = type};
    if (*at == list.len)
        return 0;
    if (!take_value(list, at, &field))
        return -1;
    *value = field.value;
    return 1;
}

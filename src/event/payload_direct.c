/* SPDX-License-Identifier: MIT */
#include "event/payload_direct.h"

#include "base/bytes.h"
#include "base/utf8.h"
#include "base/varint.h"
#include "event/payload_direct_part.h"

enum {
    PAYLOAD_MAX = 256 * 1024, /* bytes: has less elements of lists than a row may have */
    TAG_BYTE = 0x7F,
};
_Static_assert(PAYLOAD_MAX / 4 + PLAN_COLUMNS_MAX < BATCH_ROW_ENTRIES_MAX, "a row has room for it");

/* Take what stands at `at` into its column; where it ends. NULL: it has to go the long way. */
#define TAKE(name)                                                                                \
    static const uint8_t *name(struct direct *x, const struct direct_field *f, const uint8_t *at, \
                               const uint8_t *end)

/* A varint of two bytes, as most of the others are, or more, into x->number. */
static __attribute__((noinline)) const uint8_t *take_long_varint(struct direct *x,
                                                                 const uint8_t *at,
                                                                 const uint8_t *end)
{
    if (end - at >= 2 && at[1] <= TAG_BYTE) {
        x->number = (at[0] & TAG_BYTE) | (uint64_t)at[1] << 7;
        return at + 2;
    }
    size_t len = varint_decode((struct slice){at, (size_t)(end - at)}, 0, &x->number);
    return len > 0 ? at + len : NULL;
}

static inline const uint8_t *take_varint(struct direct *x, const uint8_t *at, const uint8_t *end,
                                         uint64_t *value)
{
    if (at < end && *at <= TAG_BYTE) { /* most are this short */
        *value = *at;
        return at + 1;
    }
    at = take_long_varint(x, at, end);
    *value = x->number;
    return at;
}

static inline const uint8_t *take_length(struct direct *x, const uint8_t *at, const uint8_t *end,
                                         struct slice *out)
{
    uint64_t len;
    at = take_varint(x, at, end, &len);
    if (at == NULL || len > (size_t)(end - at))
        return NULL;
    *out = (struct slice){at, (size_t)len};
    return at + len;
}

/* Of a varint, into a column of so many bytes a value, what `value` becomes. */
#define TAKE_VARINT(name, bytes, becomes)     \
    TAKE(name)                                \
    {                                         \
        uint64_t value;                       \
        (void)x;                              \
        at = take_varint(x, at, end, &value); \
        if (at != NULL)                       \
            leaf_put_##bytes(f->to, becomes); \
        return at;                            \
    }

TAKE_VARINT(take_boolean, 1, value != 0)
TAKE_VARINT(take_int32, 4, (uint32_t)value)
TAKE_VARINT(take_sint32, 4, (uint32_t)zigzag_decode((uint32_t)value))
TAKE_VARINT(take_uint32, 8, (uint32_t)value)
TAKE_VARINT(take_int64, 8, value)
TAKE_VARINT(take_sint64, 8, (uint64_t)zigzag_decode(value))

/* Of so many bits, into a column of so many bytes. */
#define TAKE_FIXED(name, bits, bytes)                  \
    TAKE(name)                                         \
    {                                                  \
        (void)x;                                       \
        if (end - at < (bits) / 8)                     \
            return NULL;                               \
        leaf_put_##bytes(f->to, load_u##bits##le(at)); \
        return at + (bits) / 8;                        \
    }

TAKE_FIXED(take_four, 32, 4)
TAKE_FIXED(take_eight, 64, 8)
TAKE_FIXED(take_fixed32, 32, 8)

/* An unsigned number of 64 bits, in a column that does not hold all of them, or in one of
 * decimals, which does. */
static bool put_unsigned(struct direct *x, const struct direct_field *f, uint64_t value)
{
    if (x->leaves.list[f->leaf].width == LEAF_TEXT)
        x->leaves.added[f->leaf] = leaf_put_nine(x->batch, f->to, value);
    else if (value <= INT64_MAX)
        leaf_put_8(f->to, value);
    else
        return false;
    return true;
}

TAKE(take_uint64)
{
    uint64_t value;
    at = take_varint(x, at, end, &value);
    return at != NULL && put_unsigned(x, f, value) ? at : NULL;
}

TAKE(take_fixed64)
{
    return end - at >= 8 && put_unsigned(x, f, load_u64le(at)) ? at + 8 : NULL;
}

TAKE(take_enum)
{
    uint64_t value;
    at = take_varint(x, at, end, &value);
    if (at == NULL)
        return NULL;
    const struct slice *name = plan_find_constant(f->field, (int32_t)(uint32_t)value);
    if (name == NULL)
        return NULL;
    x->leaves.added[f->leaf] = leaf_put_text(x->batch, f->to, *name);
    return at;
}

TAKE(take_bytes)
{
    struct slice bytes;
    at = take_length(x, at, end, &bytes);
    if (at != NULL)
        x->leaves.added[f->leaf] = leaf_put_text(x->batch, f->to, bytes);
    return at;
}

/* Most names are: found out without a call. */
static inline bool is_short_ascii(struct slice text)
{
    const uint64_t top = UINT64_C(0x8080808080808080);
    if (text.len > 16 || text.len == 0)
        return false;
    if (text.len >= 8)
        return ((load_u64le(text.data) | load_u64le(text.data + text.len - 8)) & top) == 0;
    if (text.len >= 4)
        return ((load_u32le(text.data) | load_u32le(text.data + text.len - 4)) & top) == 0;
    return ((text.data[0] | text.data[text.len / 2] | text.data[text.len - 1]) & top) == 0;
}

TAKE(take_text)
{
    struct slice text;
    at = take_length(x, at, end, &text);
    if (at == NULL || !(is_short_ascii(text) || utf8_valid(text)))
        return NULL;
    x->leaves.added[f->leaf] = leaf_put_text(x->batch, f->to, text);
    return at;
}

/* Where a field is not there. */
static __attribute__((noinline)) void put_absent(struct direct *x, const struct direct_field *f)
{
    for (uint32_t i = f->leaf; i < f->leaf + f->leaves; i++) {
        const struct batch_leaf *leaf = &x->leaves.list[i];
        struct column *c = &x->columns[leaf->column];
        x->leaves.added[i] = 0;
        if (f->absent < leaf->definition)
            leaf_put_null(x->batch, c, leaf, f->absent);
        else if (leaf->width == LEAF_TEXT)
            x->leaves.added[i] = leaf_put_text(x->batch, c, f->nothing);
        else if (leaf->width == 1)
            leaf_put_1(c, 0);
        else if (leaf->width == 4)
            leaf_put_4(c, 0);
        else
            leaf_put_8(c, 0);
    }
}

TAKE(take_list)
{
    const struct batch_leaf *leaf = &x->leaves.list[f->leaf];
    struct slice elements;
    at = take_length(x, at, end, &elements);
    if (at == NULL || elements.len % leaf->width != 0)
        return NULL;
    if (elements.len == 0) {
        put_absent(x, f);
        return at;
    }
    x->leaves.added[f->leaf] = (uint32_t)elements.len;
    leaf_put_list(x->batch, f->to, leaf, elements);
    return at;
}

static bool take_fields(struct direct *x, const struct direct_node *node, struct slice message);

TAKE(take_message)
{
    struct slice message;
    at = take_length(x, at, end, &message);
    return at != NULL && take_fields(x, f->inner, message) ? at : NULL;
}

void direct_choose(struct direct_field *f)
{
    static direct_take *const takes[] = {
        [DESCRIPTOR_DOUBLE] = take_eight,    [DESCRIPTOR_FLOAT] = take_four,
        [DESCRIPTOR_INT64] = take_int64,     [DESCRIPTOR_UINT64] = take_uint64,
        [DESCRIPTOR_INT32] = take_int32,     [DESCRIPTOR_FIXED64] = take_fixed64,
        [DESCRIPTOR_FIXED32] = take_fixed32, [DESCRIPTOR_BOOL] = take_boolean,
        [DESCRIPTOR_STRING] = take_text,     [DESCRIPTOR_GROUP] = take_bytes,
        [DESCRIPTOR_MESSAGE] = take_bytes,   [DESCRIPTOR_BYTES] = take_bytes,
        [DESCRIPTOR_UINT32] = take_uint32,   [DESCRIPTOR_ENUM] = take_enum,
        [DESCRIPTOR_SFIXED32] = take_four,   [DESCRIPTOR_SFIXED64] = take_eight,
        [DESCRIPTOR_SINT32] = take_sint32,   [DESCRIPTOR_SINT64] = take_sint64,
    };
    f->take = f->inner != NULL             ? take_message
              : f->field->field->repeated  ? take_list
              : f->field->kind == PLAN_RAW ? take_bytes
                                           : takes[f->field->type];
}

/* Where a field with this tag ends, if it is one that the message does not have, and nothing is
 * wrong with it; else NULL. */
static __attribute__((cold, noinline)) const uint8_t *pass_over(const struct direct_node *node,
                                                                uint32_t tag, const uint8_t *at,
                                                                const uint8_t *end)
{
    struct slice rest = {at, (size_t)(end - at)};
    struct wire_field ignored = {.number = tag >> 3, .type = (enum wire_type)(tag & 7)};
    size_t len = 0;
    if ((tag & 7) > WIRE_32 || tag >> 3 == 0 || ignored.type == WIRE_GROUP)
        return NULL;
    for (uint32_t i = 0; i < node->count; i++)
        if (node->fields[i].tag >> 3 == tag >> 3)
            return NULL;
    return protobuf_content(rest, &len, &ignored) ? at + len : NULL;
}

/* It can't go on behind so many leaves. */
static bool stop(struct direct *x, uint32_t leaves)
{
    x->done = leaves;
    return false;
}

/* Recursion ends where the plan does. */
static bool take_fields(struct direct *x, const struct direct_node *node, struct slice message)
{
    const struct direct_field *f = node->fields;
    const uint8_t *at = message.data, *end = at + message.len;
    while (at < end) {
        uint32_t tag = *at++;
        if (tag > TAG_BYTE) {
            if (at == end || *at > TAG_BYTE)
                return stop(x, f->leaf);
            tag = (tag & TAG_BYTE) | (uint32_t)*at++ << 7;
        }
        while (f->tag < tag)
            put_absent(x, f++);
        if (f->tag != tag) {
            at = pass_over(node, tag, at, end);
            if (at == NULL)
                return stop(x, f->leaf);
            continue;
        }
        at = f->take(x, f, at, end);
        if (at == NULL)
            return x->done > f->leaf ? false : stop(x, f->leaf);
        f++;
    }
    while (f->tag < DIRECT_END)
        put_absent(x, f++);
    return true;
}

/* Where the columns of a message lie. */
static void bind(struct direct *x, struct direct_node *node)
{
    for (struct direct_field *f = node->fields; f < node->fields + node->count; f++) {
        if (f->inner != NULL)
            bind(x, f->inner);
        else
            f->to = &x->columns[x->leaves.list[f->leaf].column];
    }
}

bool direct_append(struct direct *x, struct batch *b, uint32_t first, struct slice payload)
{
    uint64_t bytes = b->bytes;
    if (payload.len > PAYLOAD_MAX)
        return false;
    x->batch = b;
    x->done = 0;
    if (x->columns != b->columns + first) {
        x->columns = b->columns + first;
        bind(x, &x->root);
    }
    batch_begin_leaves(b);
    if (!take_fields(x, &x->root, payload)) {
        batch_drop_leaves(b, first, &x->leaves, x->done, bytes);
        return false;
    }
    batch_end_leaves(b, first, &x->leaves);
    return true;
}

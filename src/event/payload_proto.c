/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/utf8.h"
#include "event/payload.h"
#include "event/payload_direct.h"
#include "event/payload_plan.h"
#include "event/payload_scan.h"
#include "event/protobuf.h"

enum { ARENA_KEEP = 1024 * 1024 };

/* The fields of a message; NULL if it is malformed. */
static struct slot *scan(struct decoding *d, const struct plan *plan, struct slice message)
{
    struct slot *slots = payload_scan(&d->t->values, plan, message);
    if (slots == NULL)
        (void)plan_refuse(d, "not a message of this type", NULL);
    return slots;
}

static int64_t zigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (~(value & 1) + 1));
}

static bool put_scalar(struct decoding *d, const struct plan_field *f, uint32_t column,
                       const struct wire_field *wire)
{
    uint64_t value = wire->value;
    uint32_t low = (uint32_t)value;
    double real;
    float half;
    switch (f->type) {
    case DESCRIPTOR_DOUBLE:
        memcpy(&real, &value, sizeof(real));
        batch_put_double(d->b, column, real);
        return true;
    case DESCRIPTOR_FLOAT:
        memcpy(&half, &low, sizeof(half));
        batch_put_float(d->b, column, half);
        return true;
    case DESCRIPTOR_INT64:
    case DESCRIPTOR_SFIXED64:
        batch_put_int64(d->b, column, (int64_t)value);
        return true;
    case DESCRIPTOR_UINT64:
    case DESCRIPTOR_FIXED64:
        plan_put_unsigned(d, f, column, value);
        return true;
    case DESCRIPTOR_FIXED32:
    case DESCRIPTOR_UINT32:
        batch_put_int64(d->b, column, low);
        return true;
    case DESCRIPTOR_INT32:
    case DESCRIPTOR_SFIXED32:
        batch_put_int32(d->b, column, (int32_t)low);
        return true;
    case DESCRIPTOR_SINT32:
        batch_put_int32(d->b, column, (int32_t)zigzag(low));
        return true;
    case DESCRIPTOR_SINT64:
        batch_put_int64(d->b, column, zigzag(value));
        return true;
    case DESCRIPTOR_BOOL:
        batch_put_boolean(d->b, column, value != 0);
        return true;
    case DESCRIPTOR_ENUM:
        batch_put_bytes(d->b, column, plan_constant(d, f, (int32_t)low));
        return true;
    case DESCRIPTOR_STRING:
        if (!utf8_valid(wire->bytes))
            return plan_refuse(d, "is not UTF-8", f);
        batch_put_bytes(d->b, column, wire->bytes);
        return true;
    case DESCRIPTOR_BYTES:
    case DESCRIPTOR_GROUP:
    case DESCRIPTOR_MESSAGE:
        batch_put_bytes(d->b, column, wire->bytes);
        return true;
    }
    return false;
}

static bool put_time(struct decoding *d, const struct plan_field *f, uint32_t column,
                     struct slice message)
{
    struct wire_field pair[2];
    int64_t unit = f->kind == PLAN_TIMESTAMP ? 1000000 : 1000000000, result;
    if (!payload_scan_pair(message, pair))
        return plan_refuse(d, "is malformed", f);
    int64_t nanos = (int32_t)(uint32_t)pair[1].value;
    int64_t part = f->kind == PLAN_TIMESTAMP ? nanos / 1000 - (nanos % 1000 < 0) : nanos;
    if (!__builtin_mul_overflow((int64_t)pair[0].value, unit, &result) &&
        !__builtin_add_overflow(result, part, &result)) {
        batch_put_int64(d->b, column, result);
        return true;
    }
    (void)plan_refuse(d, "is out of range", f);
    d->lossy = true;
    batch_put_null(d->b, column);
    return true;
}

static bool put_wrapped(struct decoding *d, const struct plan_field *f, uint32_t column,
                        struct slice message)
{
    struct wire_field pair[2];
    if (!payload_scan_pair(message, pair))
        return plan_refuse(d, "is malformed", f);
    if (pair[0].number != 0 && pair[0].type != payload_wire_type(f->type))
        pair[0] = (struct wire_field){0};
    return put_scalar(d, f, column, &pair[0]);
}

/* What is no JSON is null, with the reason. */
static void put_json(struct decoding *d, const struct plan_field *f, uint32_t column,
                     struct slice message)
{
    struct json_writer w = {.out = &d->t->text};
    buf_reset(&d->t->text);
    if (payload_value_json(&w, f->kind, message) && d->t->text.len <= BATCH_VALUE_MAX) {
        batch_put_bytes(d->b, column, buf_slice(&d->t->text));
        return;
    }
    (void)plan_refuse(d, "can't be JSON", f);
    d->lossy = true;
    batch_put_null(d->b, column);
}

static bool put_message(struct decoding *d, const struct plan *plan, struct slice message);

static bool put_value(struct decoding *d, const struct plan_field *f, uint32_t column,
                      const struct wire_field *wire)
{
    switch (f->kind) {
    case PLAN_SCALAR:
    case PLAN_RAW:
        return put_scalar(d, f, column, wire);
    case PLAN_WRAPPED:
        return put_wrapped(d, f, column, wire->bytes);
    case PLAN_TIMESTAMP:
    case PLAN_DURATION:
        return put_time(d, f, column, wire->bytes);
    case PLAN_JSON_STRUCT:
    case PLAN_JSON_VALUE:
    case PLAN_JSON_LIST:
        put_json(d, f, column, wire->bytes);
        return true;
    case PLAN_STRUCT:
        batch_begin_struct(d->b, column);
        if (!put_message(d, f->plan, wire->bytes))
            return false;
        batch_end(d->b);
        return true;
    }
    return false;
}

/* Of types whose values are on the wire as they are in a column. */
static bool put_fixed(struct decoding *d, const struct plan_field *f, uint32_t column,
                      struct slice list)
{
    size_t width = f->wire == WIRE_32 ? 4 : 8;
    if (list.len % width != 0)
        return plan_refuse(d, "is malformed", f);
    for (size_t left = list.len / width; left > 0;) {
        size_t count = left < PLAN_FIT_EVERY ? left : PLAN_FIT_EVERY;
        batch_put_fixed(d->b, column, list.data + list.len - left * width, count);
        left -= count;
        if (!batch_row_fits(d->b))
            return plan_refuse(d, "larger than a row may be", NULL);
    }
    return true;
}

static bool put_packed(struct decoding *d, const struct plan_field *f, uint32_t column,
                       struct slice list)
{
    struct wire_field wire = {.type = f->wire};
    size_t at = 0;
    int more;
    if (f->type == DESCRIPTOR_FLOAT || f->type == DESCRIPTOR_DOUBLE)
        return put_fixed(d, f, column, list);
    while ((more = protobuf_packed(list, &at, wire.type, &wire.value)) == 1)
        if (!plan_has_room(d) || !put_scalar(d, f, column, &wire))
            return false;
    return more == 0 || plan_refuse(d, "is malformed", f);
}

static bool put_list(struct decoding *d, const struct plan_field *f, const struct slot *slot)
{
    uint32_t column = d->first + f->column;
    bool packs = f->wire != WIRE_BYTES && !f->is_message;
    batch_begin_list(d->b, column);
    for (const struct item *item = slot_first(slot); item != NULL; item = item->next) {
        bool packed = packs && item->wire.type == WIRE_BYTES;
        if (!plan_has_room(d) || !(packed ? put_packed(d, f, column + 1, item->wire.bytes)
                                          : put_value(d, f, column + 1, &item->wire)))
            return false;
    }
    batch_end(d->b);
    return true;
}

static bool same_key(const struct slot *a, const struct slot *b)
{
    static const struct wire_field absent;
    const struct wire_field *x = a->last != NULL ? &a->first.wire : &absent;
    const struct wire_field *y = b->last != NULL ? &b->first.wire : &absent;
    return x->value == y->value && slice_equal(x->bytes, y->bytes);
}

static bool put_field(struct decoding *d, const struct plan_field *f, const struct slot *slot);

enum { MAP_ENTRIES_MAX = 4096 }; /* of one map: keys are compared with each other */

/* Of a key that comes twice the last value counts. */
static bool scan_map(struct decoding *d, const struct plan_field *f, const struct slot *slot,
                     struct slot **entries, uint32_t *count)
{
    for (const struct item *item = slot_first(slot); item != NULL; item = item->next) {
        struct slot *entry = scan(d, f->plan, item->wire.bytes);
        uint32_t at = 0;
        if (entry == NULL)
            return false;
        while (at < *count && !same_key(entries[at], entry))
            at++;
        if (at == MAP_ENTRIES_MAX)
            return plan_refuse(d, "has more than 4096 entries", f);
        entries[at] = entry;
        *count += at == *count;
    }
    return true;
}

/* A key is never null, so that it has to fit. */
static bool key_fits(struct decoding *d, const struct plan_field *f, const struct slot *key)
{
    bool is_wide = f->type == DESCRIPTOR_UINT64 || f->type == DESCRIPTOR_FIXED64;
    return !is_wide || d->b->schema->columns[d->first + f->column].type == COLUMN_BYTES ||
           key->last == NULL || key->first.wire.value <= INT64_MAX ||
           plan_refuse(d, "is more than 2^63 - 1", f);
}

/* What an entry lacks is the default, a message too. */
static bool put_map(struct decoding *d, const struct plan_field *f, const struct slot *slot)
{
    const struct plan_field *key = &f->plan->fields[0], *value = &f->plan->fields[1];
    static struct item absent;
    static const struct slot empty = {.last = &absent};
    uint32_t count = 0, most = 0;
    for (const struct item *item = slot_first(slot); item != NULL && most < MAP_ENTRIES_MAX;
         item = item->next)
        most++;
    struct slot **entries = arena_calloc(&d->t->values, most + (size_t)1, sizeof(void *));
    if (!scan_map(d, f, slot, entries, &count))
        return false;
    batch_begin_map(d->b, d->first + f->column);
    for (uint32_t i = 0; i < count; i++) {
        const struct slot *has = entries[i][1].last != NULL ? &entries[i][1] : &empty;
        batch_begin_entry(d->b);
        if (!plan_has_room(d) || !key_fits(d, key, &entries[i][0]) ||
            !put_field(d, key, &entries[i][0]) || !put_field(d, value, has))
            return false;
        batch_end(d->b);
    }
    batch_end(d->b);
    return true;
}

static bool put_field(struct decoding *d, const struct plan_field *f, const struct slot *slot)
{
    static const struct wire_field absent;
    if (f->is_map)
        return put_map(d, f, slot);
    if (f->field->repeated)
        return put_list(d, f, slot);
    if (slot->last != NULL && f->kind == PLAN_SCALAR) /* most are */
        return put_scalar(d, f, d->first + f->column, &slot->first.wire);
    if (slot->last != NULL)
        return put_value(d, f, d->first + f->column, &slot->first.wire);
    if (!f->field->presence)
        return put_scalar(d, f, d->first + f->column, &absent);
    batch_put_null(d->b, d->first + f->column);
    return true;
}

/* Recursion ends where the plan does: PLAN_DEPTH_MAX. */
static bool put_message(struct decoding *d, const struct plan *plan, struct slice message)
{
    const struct slot *slots = scan(d, plan, message);
    for (uint32_t i = 0; slots != NULL && i < plan->count; i++)
        if (!put_field(d, &plan->fields[i], &slots[i]))
            return false;
    return slots != NULL;
}

/* Of payloads that are not as nearly all are, see payload_direct.h. */
static __attribute__((noinline)) enum payload_result go_long_way(struct planned *t, struct batch *b,
                                                                 uint32_t first,
                                                                 struct slice payload)
{
    struct decoding d = {.t = t, .b = b, .first = first};
    arena_reset(&t->values);
    bool put = put_message(&d, &t->plan, payload);
    if (t->values.used > ARENA_KEEP)
        arena_free(&t->values);
    if (!put)
        return PAYLOAD_BAD;
    return d.lossy ? PAYLOAD_PARTLY : PAYLOAD_OK;
}

enum payload_result payload_proto_append(struct payload_type *type, struct batch *b, uint32_t first,
                                         struct slice payload)
{
    struct planned *t = (struct planned *)type;
    if (!t->is_planned) {
        const struct schema columns = {.columns = type->columns, .count = type->count};
        t->direct = direct_make(&t->plan, &columns, &t->arena);
        t->is_planned = true;
    }
    if (t->direct != NULL && direct_append(t->direct, b, first, payload))
        return PAYLOAD_OK;
    return go_long_way(t, b, first, payload);
}

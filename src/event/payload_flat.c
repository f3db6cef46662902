/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/utf8.h"
#include "event/payload_plan.h"

/* FlatBuffers as columns. Whatever a buffer says is looked at, also what lies in several places at
 * once; the plan says how deep it goes. */

static bool malformed(struct decoding *d, const struct plan_field *f)
{
    return plan_refuse(d, "is malformed", f);
}

static bool put_bytes(struct decoding *d, uint32_t column, struct slice bytes)
{
    d->bytes += bytes.len;
    if (d->bytes > BATCH_VALUE_MAX)
        return plan_refuse(d, "larger than a row may be", NULL);
    batch_put_bytes(d->b, column, bytes);
    return true;
}

/* With the sign of those that have one. */
static int64_t extended(enum flat_type type, uint64_t bits)
{
    switch (type) {
    case FLAT_BYTE:
        return (int8_t)(uint8_t)bits;
    case FLAT_SHORT:
        return (int16_t)(uint16_t)bits;
    case FLAT_INT:
        return (int32_t)(uint32_t)bits;
    case FLAT_NONE:
    case FLAT_UTYPE:
    case FLAT_BOOL:
    case FLAT_UBYTE:
    case FLAT_USHORT:
    case FLAT_UINT:
    case FLAT_LONG:
    case FLAT_ULONG:
    case FLAT_FLOAT:
    case FLAT_DOUBLE:
    case FLAT_STRING:
    case FLAT_VECTOR:
    case FLAT_OBJECT:
    case FLAT_UNION:
    case FLAT_ARRAY:
    case FLAT_TYPES:
        break;
    }
    return (int64_t)bits;
}

static bool put_number(struct decoding *d, const struct plan_field *f, uint32_t column,
                       uint64_t bits)
{
    int64_t whole = extended(f->field->place.element, bits);
    uint32_t low = (uint32_t)bits;
    double real;
    float half;
    if (f->type == DESCRIPTOR_ENUM)
        return put_bytes(d, column, plan_constant(d, f, whole));
    if (f->type == DESCRIPTOR_BOOL) {
        batch_put_boolean(d->b, column, bits != 0);
    } else if (f->type == DESCRIPTOR_FLOAT) {
        memcpy(&half, &low, sizeof(half));
        batch_put_float(d->b, column, half);
    } else if (f->type == DESCRIPTOR_DOUBLE) {
        memcpy(&real, &bits, sizeof(real));
        batch_put_double(d->b, column, real);
    } else if (f->type == DESCRIPTOR_INT32) {
        batch_put_int32(d->b, column, (int32_t)whole);
    } else if (f->type == DESCRIPTOR_UINT64) {
        plan_put_unsigned(d, f, column, bits);
    } else {
        batch_put_int64(d->b, column, whole);
    }
    return true;
}

static bool put_text(struct decoding *d, const struct plan_field *f, uint32_t column, size_t at)
{
    struct slice text;
    if (!flat_string(d->buffer, at, &text))
        return malformed(d, f);
    if (!utf8_valid(text))
        return plan_refuse(d, "is not UTF-8", f);
    return put_bytes(d, column, text);
}

static bool put_fields(struct decoding *d, const struct plan *plan, const struct flat_table *t);

/* A struct where it stands, a table where the offset there leads. */
static bool put_object(struct decoding *d, const struct plan_field *f, uint32_t column, size_t at)
{
    struct flat_table t = {.buffer = d->buffer, .at = at};
    if (f->plan->message->bytes == 0 &&
        !(flat_follow(d->buffer, at, &at) && flat_table_at(d->buffer, at, &t)))
        return malformed(d, f);
    batch_begin_struct(d->b, column);
    if (!put_fields(d, f->plan, &t))
        return false;
    batch_end(d->b);
    return true;
}

/* One value, none of a union. */
static bool put_value(struct decoding *d, const struct plan_field *f, uint32_t column, size_t at)
{
    enum flat_type type = f->field->place.element;
    uint64_t bits;
    if (type == FLAT_OBJECT)
        return put_object(d, f, column, at);
    if (type == FLAT_STRING)
        return put_text(d, f, column, at);
    return flat_load(d->buffer, at, flat_width(type), &bits) ? put_number(d, f, column, bits)
                                                             : malformed(d, f);
}

/* The member that `number` says; of one that the schema does not know there is nothing to tell. */
static bool put_union(struct decoding *d, const struct plan_field *f, uint32_t column, size_t at,
                      uint64_t number)
{
    const struct plan_field *member = NULL;
    for (uint32_t i = 0; i < f->plan->count; i++)
        if (f->plan->fields[i].field->number == number)
            member = &f->plan->fields[i];
    if (number == 0 || at == 0) {
        batch_put_null(d->b, column);
        return true;
    }
    batch_begin_struct(d->b, column);
    if (member != NULL) {
        if (member->kind == PLAN_STRUCT && member->plan->message->bytes > 0 &&
            !flat_follow(d->buffer, at, &at))
            return malformed(d, f);
        if (!put_value(d, member, d->first + member->column, at))
            return false;
    }
    batch_end(d->b);
    return true;
}

/* Where the elements of a vector are, or of an array, which stands where it is. */
static bool find_elements(struct decoding *d, const struct plan_field *f, size_t at, size_t width,
                          size_t *first, uint32_t *count)
{
    const struct descriptor_place *place = &f->field->place;
    if (place->type == FLAT_VECTOR)
        return flat_vector(d->buffer, at, width, first, count) || malformed(d, f);
    *first = at;
    *count = place->count;
    return (at <= d->buffer.len && *count * width <= d->buffer.len - at) || malformed(d, f);
}

/* Of a type whose elements are in the buffer as they are in a column. */
static bool put_fixed(struct decoding *d, uint32_t column, size_t at, size_t width, uint32_t count)
{
    for (uint32_t done = 0; done < count;) {
        uint32_t next = count - done < PLAN_FIT_EVERY ? count - done : PLAN_FIT_EVERY;
        batch_put_fixed(d->b, column, d->buffer.data + at + done * width, next);
        done += next;
        if (!batch_row_fits(d->b))
            return plan_refuse(d, "larger than a row may be", NULL);
    }
    return true;
}

static size_t element_width(const struct plan_field *f)
{
    enum flat_type type = f->field->place.element;
    if (type != FLAT_OBJECT)
        return flat_width(type);
    return f->plan->message->bytes > 0 ? f->plan->message->bytes : flat_width(FLAT_VECTOR);
}

static bool put_list(struct decoding *d, const struct plan_field *f, size_t at, size_t kinds_at)
{
    enum flat_type type = f->field->place.element;
    uint32_t column = d->first + f->column, count, kinds = 0;
    size_t width = element_width(f), first, kinds_first = 0;
    bool put = true;
    uint64_t kind;
    if (!find_elements(d, f, at, width, &first, &count))
        return false;
    if (type == FLAT_UNION &&
        (kinds_at == 0 || !flat_vector(d->buffer, kinds_at, 1, &kinds_first, &kinds) ||
         kinds != count))
        return malformed(d, f);
    batch_begin_list(d->b, column);
    if (f->type != DESCRIPTOR_ENUM &&
        (type == FLAT_FLOAT || type == FLAT_DOUBLE || type == FLAT_INT || type == FLAT_LONG)) {
        put = put_fixed(d, column + 1, first, width, count);
        count = 0;
    }
    for (uint32_t i = 0; i < count && put; i++) {
        size_t element = first + i * width;
        put = plan_has_room(d);
        if (put && type != FLAT_UNION)
            put = put_value(d, f, column + 1, element);
        else if (put)
            put = flat_load(d->buffer, kinds_first + i, 1, &kind) &&
                  put_union(d, f, column + 1, element, kind);
    }
    batch_end(d->b);
    return put;
}

static bool put_blob(struct decoding *d, const struct plan_field *f, size_t at)
{
    size_t first;
    uint32_t count;
    return find_elements(d, f, at, 1, &first, &count) &&
           put_bytes(d, d->first + f->column, (struct slice){d->buffer.data + first, count});
}

/* Which member a union is stands in the slot in front of its own. */
static bool put_field(struct decoding *d, const struct plan_field *f, const struct flat_table *t)
{
    const struct descriptor_place *place = &f->field->place;
    uint32_t column = d->first + f->column;
    size_t at = t->at + place->offset, kind_at = 0;
    uint64_t kind = 0;
    if (t->slots_bytes > 0 && !flat_find(t, place->offset, &at))
        return malformed(d, f);
    if (place->element == FLAT_UNION && !flat_find(t, place->offset - 2U, &kind_at))
        return malformed(d, f);
    if (at == 0 && f->field->presence) {
        batch_put_null(d->b, column);
        return true;
    }
    if (at == 0)
        return put_number(d, f, column, place->initial);
    if (f->field->repeated)
        return put_list(d, f, at, kind_at);
    if (f->type == DESCRIPTOR_BYTES)
        return put_blob(d, f, at);
    if (place->type != FLAT_UNION)
        return put_value(d, f, column, at);
    if (kind_at > 0 && !flat_load(d->buffer, kind_at, 1, &kind))
        return malformed(d, f);
    return put_union(d, f, column, at, kind);
}

/* Of a table, or of a struct, which has no vtable. */
static bool put_fields(struct decoding *d, const struct plan *plan, const struct flat_table *t)
{
    for (uint32_t i = 0; i < plan->count; i++)
        if (!put_field(d, &plan->fields[i], t))
            return false;
    return true;
}

enum payload_result payload_flat_append(struct payload_type *type, struct batch *b, uint32_t first,
                                        struct slice payload)
{
    struct planned *t = (struct planned *)type;
    struct decoding d = {.t = t, .b = b, .first = first, .buffer = payload};
    struct flat_table root;
    if (!flat_root(payload, &root))
        (void)plan_refuse(&d, "not a FlatBuffer", NULL);
    else if (put_fields(&d, &t->plan, &root))
        return d.lossy ? PAYLOAD_PARTLY : PAYLOAD_OK;
    return PAYLOAD_BAD;
}

/* SPDX-License-Identifier: MIT */
#include "event/payload_direct.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/utf8.h"
#include "base/varint.h"
#include "event/payload_scan.h"

enum {
    PAYLOAD_MAX = 256 * 1024, /* bytes: has less elements of lists than a row may have */
    TAG_BYTE = 0x7F,
    TAG_MAX = 1 << 14, /* of two bytes */
};
_Static_assert(PAYLOAD_MAX / 4 + PLAN_COLUMNS_MAX < BATCH_ROW_ENTRIES_MAX, "a row has room for it");

struct direct_node;

struct direct_field {
    uint32_t tag;
    enum wire_type wire;
    enum descriptor_type type;
    bool is_list;
    uint32_t cell, cells;            /* of the leaves in it */
    uint8_t full, absent;            /* definition of a value, and of what is not there */
    const struct direct_node *inner; /* of a message */
    struct slice nothing;            /* of an enum: the constant that stands for it */
    const struct plan_field *field;
};

/* A message. */
struct direct_node {
    struct direct_field *fields; /* by number */
    uint32_t count;
};

struct direct {
    struct direct_node root;
    struct batch_leaves leaves;
    struct batch_cell *cells;
};

struct maker {
    struct arena *arena;
    const struct schema *columns;
    struct schema_node *nodes;
    struct batch_leaf *leaves;
    uint32_t count;
};

static enum batch_form form_of(const struct column_spec *column)
{
    switch (column->type) {
    case COLUMN_BOOLEAN:
        return BATCH_FORM_1;
    case COLUMN_INT32:
    case COLUMN_FLOAT:
        return BATCH_FORM_4;
    case COLUMN_INT64:
    case COLUMN_DOUBLE:
        return BATCH_FORM_8;
    case COLUMN_BYTES:
        return column->precision == PAYLOAD_UNSIGNED_DIGITS ? BATCH_FORM_9 : BATCH_FORM_BYTES;
    case COLUMN_STRUCT:
    case COLUMN_LIST:
    case COLUMN_MAP:
        break;
    }
    return BATCH_FORM_LIST;
}

/* Whether it shares a oneof with another one. */
static bool has_rivals(const struct plan *plan, const struct plan_field *f)
{
    for (uint32_t i = 0; f->field->oneof >= 0 && i < plan->count; i++)
        if (&plan->fields[i] != f && plan->fields[i].field->oneof == f->field->oneof)
            return true;
    return false;
}

static bool is_direct(const struct plan *plan, const struct plan_field *f)
{
    bool is_real = f->type == DESCRIPTOR_FLOAT || f->type == DESCRIPTOR_DOUBLE;
    if (f->kind != PLAN_SCALAR && f->kind != PLAN_RAW && f->kind != PLAN_STRUCT)
        return false;
    if (f->field->repeated && (f->kind != PLAN_SCALAR || !is_real))
        return false;
    return !f->is_map && f->field->number < TAG_MAX >> 3 && !has_rivals(plan, f);
}

static struct slice constant_of(const struct plan_field *f, int32_t number)
{
    const struct slice *name = plan_find_constant(f, number);
    return name != NULL ? *name : (struct slice){0};
}

static bool make_node(struct maker *m, struct direct_node *node, const struct plan *plan);

static bool make_field(struct maker *m, struct direct_field *out, const struct plan_field *f)
{
    const struct schema_node *place = &m->nodes[f->column];
    enum wire_type wire = f->is_message || f->field->repeated ? WIRE_BYTES : f->wire;
    *out = (struct direct_field){.tag = f->field->number << 3 | (uint32_t)wire,
                                 .wire = wire,
                                 .type = f->type,
                                 .is_list = f->field->repeated,
                                 .cell = m->count,
                                 .full = place->definition,
                                 .absent = place->definition,
                                 .field = f};
    if (f->kind == PLAN_STRUCT) {
        struct direct_node *inner = arena_calloc(m->arena, 1, sizeof(*inner));
        out->inner = inner;
        out->absent--;
        bool made = make_node(m, inner, f->plan);
        out->cells = m->count - out->cell;
        return made;
    }
    uint32_t column = f->column + out->is_list;
    struct batch_leaf *leaf = &m->leaves[m->count++];
    *leaf = (struct batch_leaf){.column = column,
                                .form = form_of(&m->columns->columns[column]),
                                .definition = m->nodes[column].definition};
    if (out->is_list) {
        leaf->form = BATCH_FORM_LIST;
        leaf->width = (uint8_t)column_width(m->columns->columns[column].type);
        out->full = leaf->definition;
    } else if (f->field->presence) {
        out->absent--;
    } else if (f->type == DESCRIPTOR_ENUM) {
        out->nothing = constant_of(f, 0);
    }
    out->cells = 1;
    return f->type != DESCRIPTOR_ENUM || f->field->presence || out->nothing.len > 0;
}

static bool make_node(struct maker *m, struct direct_node *node, const struct plan *plan)
{
    node->fields = arena_calloc(m->arena, plan->count + (size_t)1, sizeof(*node->fields));
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct plan_field *f = &plan->fields[i];
        if (!is_direct(plan, f) || !make_field(m, &node->fields[node->count++], f))
            return false;
    }
    return true;
}

struct direct *direct_make(const struct plan *plan, const struct schema *columns,
                           struct arena *arena)
{
    struct err ignored = {0};
    struct maker m = {.arena = arena, .columns = columns};
    struct direct *x = arena_calloc(arena, 1, sizeof(*x));
    m.nodes = arena_calloc(arena, columns->count, sizeof(*m.nodes));
    m.leaves = arena_calloc(arena, columns->count, sizeof(*m.leaves));
    if (schema_nodes(columns, m.nodes, &ignored) != 0 || !make_node(&m, &x->root, plan))
        return NULL;
    uint32_t *roots = arena_calloc(arena, plan->count + (size_t)1, sizeof(*roots));
    for (uint32_t i = 0; i < plan->count; i++)
        roots[i] = plan->fields[i].column;
    x->leaves = (struct batch_leaves){m.leaves, m.count, roots, plan->count};
    x->cells = arena_calloc(arena, m.count + (size_t)1, sizeof(*x->cells));
    return x;
}

/* Nothing of it is there. */
static void miss(struct direct *x, const struct direct_field *f)
{
    for (uint32_t i = f->cell; i < f->cell + f->cells; i++) {
        struct batch_cell *cell = &x->cells[i];
        *cell = (struct batch_cell){.bits = 0, .definition = f->absent};
        if (f->type != DESCRIPTOR_ENUM)
            continue;
        cell->data = f->nothing.data;
        cell->len = (uint32_t)f->nothing.len;
    }
}

static inline const uint8_t *take_varint(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    if (at < end && *at <= TAG_BYTE) { /* most are this short */
        *value = *at;
        return at + 1;
    }
    size_t len = varint_decode((struct slice){at, (size_t)(end - at)}, 0, value);
    return len > 0 ? at + len : NULL;
}

static const uint8_t *take_bytes(const uint8_t *at, const uint8_t *end, struct slice *out)
{
    uint64_t len;
    at = take_varint(at, end, &len);
    if (at == NULL || len > (size_t)(end - at))
        return NULL;
    *out = (struct slice){at, (size_t)len};
    return at + len;
}

/* Whether a field with this tag is one that the message does not have, and nothing is wrong with
 * it: *at is behind it then. */
static bool pass_over(const struct direct_node *node, uint32_t tag, const uint8_t **at,
                      const uint8_t *end)
{
    struct slice rest = {*at, (size_t)(end - *at)};
    struct wire_field ignored = {.number = tag >> 3, .type = (enum wire_type)(tag & 7)};
    size_t len = 0;
    if ((tag & 7) > WIRE_32 || tag >> 3 == 0 || ignored.type == WIRE_GROUP)
        return false;
    for (uint32_t i = 0; i < node->count; i++)
        if (node->fields[i].tag >> 3 == tag >> 3)
            return false;
    if (!protobuf_content(rest, &len, &ignored))
        return false;
    *at += len;
    return true;
}

/* A number of the wire as it is in its column. */
static bool put_number(struct direct *x, const struct direct_field *f, uint64_t value)
{
    struct batch_cell *cell = &x->cells[f->cell];
    uint32_t low = (uint32_t)value;
    struct slice name;
    cell->definition = f->full;
    switch (f->type) {
    case DESCRIPTOR_FIXED32:
    case DESCRIPTOR_UINT32:
        value = low;
        break;
    case DESCRIPTOR_SINT32:
        value = (uint64_t)zigzag_decode(low);
        break;
    case DESCRIPTOR_SINT64:
        value = (uint64_t)zigzag_decode(value);
        break;
    case DESCRIPTOR_BOOL:
        value = value != 0;
        break;
    case DESCRIPTOR_UINT64:
    case DESCRIPTOR_FIXED64:
        if (value > INT64_MAX && x->leaves.list[f->cell].form != BATCH_FORM_9)
            return false;
        break;
    case DESCRIPTOR_ENUM:
        name = constant_of(f->field, (int32_t)low);
        cell->data = name.data;
        cell->len = (uint32_t)name.len;
        return name.len > 0;
    case DESCRIPTOR_DOUBLE:
    case DESCRIPTOR_FLOAT:
    case DESCRIPTOR_INT64:
    case DESCRIPTOR_INT32:
    case DESCRIPTOR_SFIXED32:
    case DESCRIPTOR_SFIXED64:
    case DESCRIPTOR_STRING:
    case DESCRIPTOR_GROUP:
    case DESCRIPTOR_MESSAGE:
    case DESCRIPTOR_BYTES:
        break;
    }
    cell->bits = value;
    return true;
}

static bool take_message(struct direct *x, const struct direct_node *node, struct slice message);

static bool put_bytes(struct direct *x, const struct direct_field *f, struct slice bytes)
{
    struct batch_cell *cell = &x->cells[f->cell];
    if (f->inner != NULL)
        return take_message(x, f->inner, bytes);
    if (f->type == DESCRIPTOR_STRING && !utf8_valid(bytes))
        return false;
    if (f->is_list && bytes.len % x->leaves.list[f->cell].width != 0)
        return false;
    cell->data = bytes.data;
    cell->len = (uint32_t)bytes.len;
    cell->definition = f->is_list && bytes.len == 0 ? f->absent : f->full;
    return true;
}

/* What stands at a place; NULL if it has to go the long way. */
static inline const uint8_t *take_field(struct direct *x, const struct direct_field *f,
                                        const uint8_t *at, const uint8_t *end)
{
    struct slice bytes;
    uint64_t value;
    switch (f->wire) {
    case WIRE_VARINT:
        at = take_varint(at, end, &value);
        return at != NULL && put_number(x, f, value) ? at : NULL;
    case WIRE_64:
        return end - at >= 8 && put_number(x, f, load_u64le(at)) ? at + 8 : NULL;
    case WIRE_32:
        return end - at >= 4 && put_number(x, f, load_u32le(at)) ? at + 4 : NULL;
    case WIRE_BYTES:
        at = take_bytes(at, end, &bytes);
        return at != NULL && put_bytes(x, f, bytes) ? at : NULL;
    case WIRE_GROUP:
    case WIRE_GROUP_END:
        break;
    }
    return NULL;
}

/* Recursion ends where the plan does. */
static bool take_message(struct direct *x, const struct direct_node *node, struct slice message)
{
    const struct direct_field *f = node->fields, *last = f + node->count;
    const uint8_t *at = message.data, *end = at + message.len;
    while (at < end) {
        uint32_t tag = *at++;
        if (tag > TAG_BYTE) {
            if (at == end || *at > TAG_BYTE)
                return false;
            tag = (tag & TAG_BYTE) | (uint32_t)*at++ << 7;
        }
        while (f < last && f->tag < tag)
            miss(x, f++);
        if (f == last || f->tag != tag) {
            if (!pass_over(node, tag, &at, end))
                return false;
            continue;
        }
        at = take_field(x, f++, at, end);
        if (at == NULL)
            return false;
    }
    while (f < last)
        miss(x, f++);
    return true;
}

bool direct_append(struct direct *x, struct batch *b, uint32_t first, struct slice payload)
{
    if (payload.len > PAYLOAD_MAX || !take_message(x, &x->root, payload))
        return false;
    batch_put_cells(b, first, &x->leaves, x->cells);
    return true;
}
